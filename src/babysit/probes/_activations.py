"""What a layer gives: mean, spread, size, zeros, flat ends, and how much it tells rows apart."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from babysit.nn import ActivationCard, activation
from babysit.probes._spread import not_finite_share, root_mean_square, spread
from babysit.probes._subset import as_float


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


@functools.lru_cache(maxsize=256)
def _ends(
    name: str, options: tuple[tuple[str, float | int | str], ...], below: float | None, above: float | None
) -> FlatEnds | None:
    module = activation(name, **dict(options)).double()
    grid = torch.linspace(-40, 40, 8001, dtype=torch.float64)
    with torch.no_grad():
        if bool((module(grid).diff() < -1e-9).any()):
            return None
        low = None if below is None else float(module(torch.tensor([below], dtype=torch.float64)))
        high = None if above is None else float(module(torch.tensor([above], dtype=torch.float64)))
    return FlatEnds(low, high)


def flat_in_outputs(card: ActivationCard) -> FlatEnds | None:
    """The flat ends told by outputs; None when outputs cannot tell (GELU dips) or nothing is flat.

    Example:
        >>> from babysit.nn import activation_card
        >>> flat_in_outputs(activation_card("relu"))
        FlatEnds(low=0.0, high=None)
        >>> flat_in_outputs(activation_card("gelu")) is None
        True
    """
    if not card.saturates or card.name in ("maxout", "prelu"):
        return None
    return _ends(card.name, tuple(sorted(card.options.items())), card.flat_below, card.flat_above)


def flat_in_inputs(card: ActivationCard) -> FlatEnds | None:
    """The flat ends told by what enters the activation; None when nothing is flat."""
    return FlatEnds(card.flat_below, card.flat_above) if card.saturates else None
