"""ActivationCard: what is worth knowing about an activation, most of it computed from the activation itself.

Only what cannot be computed (formula, range, advice, sources) is written down, in `_catalogue.py`. Means, gains, flat
regions and the risk to die come from the function's values and slopes in float64, so that no card can be wrong about
its own activation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from babysit.nn._catalogue import CATALOGUE, Entry, Rule, unknown_activation
from babysit.nn._maxout import MaxPieces
from babysit.record import InputError

# |slope| below which an activation counts as saturated: a gradient loses two decimal digits on its way through.
FLAT_SLOPE = 0.01
# A mean output within this share of the root mean square counts as zero-centred.
CENTRED_WITHIN = 0.02
# How far out slopes are looked at; the slowest of the catalogue (softsign) is flat from |z| = 9.
REACH = 40.0


@dataclass(frozen=True)
class ActivationCard:
    """Facts about one activation with one choice of options.

    Means and gains suppose inputs z drawn from N(0, 1), as a good initialisation gives them.

    Attributes:
        name: As `activation` and a Recipe call it.
        formula: In words a reader can compute with.
        low: Lower end of the outputs, -inf when there is none.
        high: Upper end of the outputs, inf when there is none.
        mean: E[f(z)].
        zero_centred: Whether |mean| is under 2 % of the root mean square of f(z).
        flat_below: Input below which |slope| stays under 0.01, None when it never does.
        flat_above: Input above which |slope| stays under 0.01, None when it never does.
        can_die: Whether the slope is exactly zero over a half-line: a unit whose every input falls there has no
            gradient that could bring it back.
        rule: The initialisation made for it: `xavier` (S-shaped) or `he` (the rest).
        gain: Factor on 1/sqrt(fan_in) that `initialise` draws weights with.
        moment_gain: 1/sqrt(E[f(z)^2]), the factor that keeps the second moment from layer to layer.
        advice: When to use it.
        source: Who proposed it.
        options: The options the card was made with.
    """

    name: str
    formula: str
    low: float
    high: float
    mean: float
    zero_centred: bool
    flat_below: float | None
    flat_above: float | None
    can_die: bool
    rule: Rule
    gain: float
    moment_gain: float
    advice: str
    source: str
    options: Mapping[str, float | int | str] = field(default_factory=dict, hash=False)

    @property
    def saturates(self) -> bool:
        """Whether there is a side where the slope stays under 0.01."""
        return self.flat_below is not None or self.flat_above is not None


def activation_card(name: str, **options: float | int | str) -> ActivationCard:
    """The card of an activation.

    Args:
        name: One of `activation_names()`.
        **options: The activation's own, as `activation` takes them.

    Raises:
        InputError: No activation of that name, or no such option.

    Example:
        >>> card = activation_card("relu")
        >>> round(card.gain, 4), card.can_die, card.zero_centred
        (1.4142, True, False)
        >>> round(activation_card("sigmoid").flat_above, 2)
        4.58
    """
    # Cards are asked for in the midst of other people's forward passes, whatever mode those run in.
    with torch.inference_mode(False):
        return _card(name, tuple(sorted(options.items())))


@functools.lru_cache(maxsize=256)
def _card(name: str, options: tuple[tuple[str, float | int | str], ...]) -> ActivationCard:
    if name not in CATALOGUE:
        raise unknown_activation(name)
    entry = CATALOGUE[name]
    module = make_activation(name, **dict(options))
    function = _one_input(module)
    mean, square = _moments(function, module.pieces if isinstance(module, MaxPieces) else 1)
    moment_gain = 1 / math.sqrt(square) if square > 0 else math.nan
    below, above = _flat_edge(function, -1.0), _flat_edge(function, 1.0)
    low, high = entry.limits(dict(options))
    return ActivationCard(
        name=name,
        formula=entry.formula,
        low=low,
        high=high,
        mean=mean,
        zero_centred=abs(mean) < CENTRED_WITHIN * math.sqrt(square),
        flat_below=below,
        flat_above=above,
        can_die=_dead_beyond(function, below, -1.0) or _dead_beyond(function, above, 1.0),
        rule=entry.rule,
        gain=1.0 if entry.rule == "xavier" or not math.isfinite(moment_gain) else moment_gain,
        moment_gain=moment_gain,
        advice=entry.advice,
        source=entry.source,
        options=dict(options),
    )


def make_activation(name: str, **options: float | int | str) -> nn.Module:
    """The module; `activation` is its public face."""
    if name not in CATALOGUE:
        raise unknown_activation(name)
    entry = CATALOGUE[name]
    _refuse_unknown_options(name, entry, options)
    try:
        return entry.module(**options)
    except (TypeError, ValueError, AssertionError) as error:
        raise InputError(f"activation {name} cannot be made with {options}", cause=str(error)) from error


def _refuse_unknown_options(name: str, entry: Entry, options: Mapping[str, object]) -> None:
    legal = (*entry.options, "inplace") if entry.inplace else entry.options
    for option in options:
        if option not in legal:
            raise InputError(f"activation {name} has no option {option}", legal=", ".join(legal) or "no options")


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


def slope(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """f' at each input."""
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return gradient


def _flat_edge(function: Callable[[Tensor], Tensor], side: float) -> float | None:
    """Where |slope| falls under FLAT_SLOPE for good on one side (-1 or 1), None when it does not."""

    def steep(distance: float) -> bool:
        return (
            abs(slope(function, torch.tensor([side * distance], dtype=torch.float64, device="cpu")).item())
            >= FLAT_SLOPE
        )

    distances = torch.linspace(0, REACH, 16001, dtype=torch.float64, device="cpu")
    steep_there = slope(function, side * distances).abs() >= FLAT_SLOPE
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
    return bool((slope(function, beyond) == 0).all())
