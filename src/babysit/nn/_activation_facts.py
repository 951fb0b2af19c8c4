"""Activations by name, and the facts about one with options of its own, computed from its values and slopes.

The facts about each activation with its usual options stand in `babysit.record`, written down. Those for other options
(the slope of a leaky relu, the pieces of maxout) are computed here in float64.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from babysit.nn._maxout import MaxPieces
from babysit.record import ACTIVATIONS, FLAT_SLOPE, ActivationFacts, InputError

# How far out slopes are looked at; the slowest of the table (softsign) is flat from |z| = 9.
REACH = 40.0


def activation_names() -> tuple[str, ...]:
    """Names of all activations that can be chosen, sorted.

    Example:
        >>> "leaky-relu" in activation_names()
        True
    """
    return tuple(sorted(ACTIVATIONS))


def activation(name: str, **options: Any) -> nn.Module:
    """An activation by name: PyTorch's own module, or Maxout's `MaxPieces`.

    Args:
        name: One of `activation_names()`.
        **options: The module's own: `negative_slope`, `alpha`, `pieces`, `inplace`, ...

    Returns:
        A new module; all but maxout keep the shape of what they are given.

    Raises:
        InputError: No activation has that name, or it has no such option.

    Example:
        >>> activation("leaky-relu", negative_slope=0.1)
        LeakyReLU(negative_slope=0.1)
    """
    facts = _usual(name)
    legal = (*facts.options, "inplace") if facts.inplace else facts.options
    for option in options:
        if option not in legal:
            raise InputError(f"activation {name} has no option {option}", legal=", ".join(legal) or "no options")
    try:
        return module_class(name)(**options)
    except (TypeError, ValueError, AssertionError) as error:
        raise InputError(f"activation {name} cannot be made with {options}", cause=str(error)) from error


def activation_facts(name: str, **options: float | int | str) -> ActivationFacts:
    """Facts about an activation: limits, gain, where it is flat, whether its units can die, when to use it.

    Args:
        name: One of `activation_names()`.
        **options: The activation's own, as `activation` takes them.

    Raises:
        InputError: No activation has that name, or it has no such option.

    Example:
        >>> facts = activation_facts("relu")
        >>> round(facts.gain, 4), facts.can_die, facts.zero_centred
        (1.4142, True, False)
        >>> round(activation_facts("leaky-relu", negative_slope=0.2).gain, 4)
        1.3868
    """
    if not options:
        return _usual(name)
    # Facts may be requested inside a user's forward pass, in any mode, and under hooks that count what is saved for the
    # backward pass, as gradient checkpointing has them.
    with torch.inference_mode(False), torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
        return computed_facts(name, tuple(sorted(options.items())))


def _as_it_is(saved: Tensor) -> Tensor:
    return saved


def module_class(name: str) -> type[nn.Module]:
    """The class that computes an activation."""
    made = MaxPieces if name == "maxout" else getattr(nn, ACTIVATIONS[name].module)
    assert issubclass(made, nn.Module)
    return made


@functools.lru_cache(maxsize=256)
def computed_facts(name: str, options: tuple[tuple[str, float | int | str], ...] = ()) -> ActivationFacts:
    """Facts with all numbers computed from the function itself."""
    module = activation(name, **dict(options))
    function = _one_input(module)
    mean, square = _moments(function, module.pieces if isinstance(module, MaxPieces) else 1)
    below, above = _flat_edge(function, -1.0), _flat_edge(function, 1.0)
    low, high = _limits(name, dict(options))
    return dataclasses.replace(
        ACTIVATIONS[name],
        low=low,
        high=high,
        monotone=_monotone(function),
        mean=mean,
        mean_square=square,
        flat_below=below,
        flat_above=above,
        flat_low=_value(function, below),
        flat_high=_value(function, above),
        can_die=_dead_beyond(function, below, -1.0) or _dead_beyond(function, above, 1.0),
        chosen=dict(options),
    )


def _usual(name: str) -> ActivationFacts:
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    nearest = difflib.get_close_matches(name.lower().replace("_", "-"), ACTIVATIONS, n=1)
    raise InputError(
        f"there is no activation {name!r}",
        legal=", ".join(activation_names()),
        write=f'activation("{nearest[0]}")' if nearest else None,
    )


def _limits(name: str, options: Mapping[str, Any]) -> tuple[float, float]:
    facts = ACTIVATIONS[name]
    if name in ("elu", "celu"):
        return -float(options.get("alpha", 1.0)), facts.high
    if name == "hardtanh":
        return float(options.get("min_val", facts.low)), float(options.get("max_val", facts.high))
    slope_below = options.get({"leaky-relu": "negative_slope", "prelu": "init"}.get(name, ""), 1.0)
    return (0.0 if float(slope_below) <= 0 else facts.low), facts.high


def _one_input(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """The activation as a function of one number; a maxout unit follows its largest piece."""
    if isinstance(module, MaxPieces):
        return lambda inputs: inputs * 1.0
    module = module.to("cpu", torch.float64).eval()
    # A clone, because an in-place activation may not overwrite a leaf of the graph; `forward`, because symbolic
    # tracing takes over `__call__`.
    return lambda inputs: module.forward(inputs.clone())


def _moments(function: Callable[[Tensor], Tensor], pieces: int) -> tuple[float, float]:
    """E[f(z)] and E[f(z)^2], z the largest of so many standard normal numbers; trapezoids with a knot at every kink."""
    knots = torch.linspace(-12, 12, 24 * 2048 + 1, dtype=torch.float64, device="cpu")
    # The largest of k independent numbers has density k phi Phi^(k-1).
    normal = (-0.5 * knots.square()).exp() / math.sqrt(2 * math.pi)
    density = pieces * normal * torch.special.ndtr(knots) ** (pieces - 1)
    with torch.no_grad():
        values = function(knots)
    mean = torch.trapezoid(values * density, knots).item()
    return (0.0 if abs(mean) < 1e-9 else mean), torch.trapezoid(values.square() * density, knots).item()


def _monotone(function: Callable[[Tensor], Tensor]) -> bool:
    with torch.no_grad():
        values = function(torch.linspace(-REACH, REACH, 8001, dtype=torch.float64, device="cpu"))
    return not bool((values.diff() < -1e-9).any())


def _value(function: Callable[[Tensor], Tensor], at: float | None) -> float | None:
    if at is None:
        return None
    with torch.no_grad():
        return function(torch.tensor([at], dtype=torch.float64, device="cpu")).item()


def _slope(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """f' at each input."""
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return gradient


def _flat_edge(function: Callable[[Tensor], Tensor], side: float) -> float | None:
    """Where |slope| falls below FLAT_SLOPE for good on one side (-1 or 1), None where it does not."""

    def steep(distance: float) -> bool:
        at = torch.tensor([side * distance], dtype=torch.float64, device="cpu")
        return abs(_slope(function, at).item()) >= FLAT_SLOPE

    distances = torch.linspace(0, REACH, 16001, dtype=torch.float64, device="cpu")
    steep_there = _slope(function, side * distances).abs() >= FLAT_SLOPE
    if steep_there[-1]:
        return None
    steep_at = torch.nonzero(steep_there)
    inside = distances[steep_at[-1]].item() if len(steep_at) else 0.0
    outside = inside + REACH / 16000
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if steep(middle) else (inside, middle)
    edge = side * outside
    # A kink, such as relu's at 0, is found to within rounding: give its own number.
    return float(round(edge)) if abs(edge - round(edge)) < 1e-9 else edge


def _dead_beyond(function: Callable[[Tensor], Tensor], edge: float | None, side: float) -> bool:
    """Whether the slope is exactly zero beyond the edge; a saturating tail is small there, not zero."""
    if edge is None:
        return False
    beyond = edge + side * torch.linspace(0.01, 5.0, 100, dtype=torch.float64, device="cpu")
    return bool((_slope(function, beyond) == 0).all())
