"""What a layer gives: mean, spread, size, zeros, flat ends, and how much it tells rows apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from babysit.probes._numbers import as_float, not_finite_share, root_mean_square, spread
from babysit.record import ActivationFacts


class FlatEnds(NamedTuple):
    """Where an activation's slope stays under 0.01, in terms of its outputs; None: not on that side."""

    low: float | None
    high: float | None


def measure_activations(outputs: Tensor, dimension: int, *, by_unit: bool = False) -> dict[str, Tensor | float]:
    """Quantities of a layer's outputs [N, ...].

    Args:
        outputs: Floating numbers; nothing is said of none.
        dimension: Where units lie.
        by_unit: Whether to say how much the layer tells rows apart: `row-spread`, the root mean variance of units over
            rows, over the standard deviation of all outputs. One row has none.

    Example:
        >>> found = measure_activations(torch.tensor([[0.0, 2.0], [0.0, -2.0]]), 1, by_unit=True)
        >>> {name: round(float(value), 3) for name, value in found.items()}["row-spread"]
        1.0
    """
    values = as_float(outputs)
    if not values.numel():
        return {}
    mean, std, largest, centred, unit = spread(values)
    found: dict[str, Tensor | float] = {
        "activation-mean": mean,
        "activation-std": std,
        "activation-max": largest,
        "activation-not-finite-share": not_finite_share(values, largest),
    }
    if by_unit and values.ndim > 1 and values.numel() > values.shape[dimension]:
        # The whole variance is that of units' means and that of rows within units.
        within = root_mean_square(centred - centred.mean(other_dimensions(values, dimension), keepdim=True))
        found["row-spread"] = within / (std / unit).clamp_min(torch.finfo(std.dtype).tiny)
    return found


def other_dimensions(values: Tensor, dimension: int) -> list[int]:
    """All dimensions but the units'."""
    return [number for number in range(values.ndim) if number != dimension]


def flat(values: Tensor, ends: FlatEnds) -> Tensor:
    """Which values lie at a flat end, as booleans."""
    if ends.low is not None and ends.high is not None:
        return (values <= ends.low) | (values >= ends.high)
    if ends.low is not None:
        return values <= ends.low
    assert ends.high is not None
    return values >= ends.high


def flat_in_outputs(facts: ActivationFacts) -> FlatEnds | None:
    """The flat ends told by outputs; None when outputs cannot tell (GELU dips) or nothing is flat.

    Example:
        >>> from babysit.nn import activation_facts
        >>> flat_in_outputs(activation_facts("relu"))
        FlatEnds(low=0.0, high=None)
        >>> flat_in_outputs(activation_facts("gelu")) is None
        True
    """
    if not facts.saturates or not facts.monotone or facts.name in ("maxout", "prelu"):
        return None
    return FlatEnds(facts.flat_low, facts.flat_high)


def flat_in_inputs(facts: ActivationFacts) -> FlatEnds | None:
    """The flat ends told by what enters the activation; None when nothing is flat."""
    return FlatEnds(facts.flat_below, facts.flat_above) if facts.saturates else None
