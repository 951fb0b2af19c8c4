"""How a signal changes through depth: the spread between rows forwards, the size of gradients backwards.

Biases give outputs a spread of their own, the same for every row, so that a vanishing signal can hide behind it: only
the part that differs between rows counts.
"""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

from babysit.diseases._reading import observed
from babysit.record import ACTIVATIONS, INPUTS, WEIGHTED, Trace, TraceLayer

NORMS = frozenset({"batch-norm", "norm"})
SQUASHING = frozenset(name for name, facts in ACTIVATIONS.items() if facts.squashing)
ROWS_FOR_SPREAD = 8  # fewer rows do not show how much a layer tells them apart
FIRST_SAMPLES = 10  # observations that make up the start of a training, and as many its end


class Point(NamedTuple):
    """A number at a weighted layer."""

    layer: str
    value: float


Profile = tuple[Point, ...]  # hidden weighted layers, in the order of calls


def hidden_layers(trace: Trace) -> list[TraceLayer]:
    """Weighted layers but the last, which makes the outputs.

    A layer that is called again, as in a loop over time, counts once: its calls are not depth.
    """
    return [layer for layer in trace.layers if layer.kind in WEIGHTED and "#" not in layer.name][:-1]


def chain(trace: Trace) -> list[TraceLayer]:
    """The hidden layers of the longest chain, each of which can feed the next one.

    Networks side by side, such as an actor and a critic, and heads on a common trunk are no depth: they are told by
    linear layers that take as many numbers as an earlier layer gives, or as the network is given, and not as many as
    the layer that was called before them gives.
    """
    layers = [layer for layer in trace.layers if layer.kind in WEIGHTED and "#" not in layer.name]
    chains: list[list[TraceLayer]] = []
    for layer in layers:
        best = chains[-1] if chains else []
        if best and layer.kind == "linear" == best[-1].kind and layer.fan_in != best[-1].units:
            ends = [one[: place + 1] for one in chains for place, other in enumerate(one) if _feeds(other, layer)]
            if ends:
                best = ends[-1]
            elif layer.fan_in == layers[0].fan_in:
                best = []
        chains.append([*best, layer])
    return max(chains, key=len, default=[])[:-1]


def _feeds(one: TraceLayer, other: TraceLayer) -> bool:
    return one.kind == "linear" and one.units == other.fan_in


def between(trace: Trace, layer: TraceLayer) -> list[TraceLayer]:
    """What is called after a weighted layer and before the next one."""
    names = [other.name for other in trace.layers]
    after = trace.layers[names.index(layer.name) + 1 :]
    stop = next((place for place, other in enumerate(after) if other.kind in WEIGHTED), len(after))
    return list(after[:stop])


def activations_at_the_start(trace: Trace) -> Profile:
    """Spread of what tells rows apart, at step 0.

    Behind a normalisation it is what leaves it, for what enters may have any size. Where a layer's own outputs were not
    measured, those of its activation stand for them.
    """
    points = []
    for layer in chain(trace):
        following = between(trace, layer)
        norms = [other for other in following if other.kind in NORMS]
        for source in norms or [layer, *(other for other in following if other.kind == "activation")]:
            value = at_start(trace, "activation-std", source.name)
            if value is not None:
                points.append(Point(layer.name, value if norms else value * _row_spread(trace, source.name)))
                break
    return tuple(points)


def gradients_at_the_start(trace: Trace) -> Profile:
    """Median size, over the first observations, of the gradients that reach hidden layers' outputs."""
    return _gradients(trace, slice(None, FIRST_SAMPLES))


def gradients_at_the_end(trace: Trace) -> Profile:
    """The same over the last observations."""
    return _gradients(trace, slice(-FIRST_SAMPLES, None))


def at_start(trace: Trace, quantity: str, layer: str = "") -> float | None:
    """What was measured at step 0, if it is a finite number."""
    steps, values = trace.series(quantity, layer=layer)
    return values[0] if steps and steps[0] == 0 and math.isfinite(values[0]) else None


def main_activation(trace: Trace) -> str:
    """The commonest named activation; empty without any."""
    names = [layer.activation for layer in trace.layers if layer.kind == "activation" and layer.activation]
    return statistics.mode(names) if names else ""


def scheme_for(trace: Trace) -> str:
    """The initialisation derived for the network's activation: xavier for S-shaped ones, he for the rest."""
    return "xavier" if main_activation(trace) in SQUASHING else "he"


def _gradients(trace: Trace, part: slice) -> Profile:
    points = []
    for layer in chain(trace):
        values = observed(trace, "activation-gradient-std", layer=layer.name).values[part]
        if values:
            points.append(Point(layer.name, statistics.median(values)))
    return tuple(points)


def _row_spread(trace: Trace, layer: str) -> float:
    rows = at_start(trace, "batch-rows", INPUTS)
    spread = at_start(trace, "row-spread", layer)
    return 1.0 if spread is None or (rows is not None and rows < ROWS_FOR_SPREAD) else spread


LEAST_LAYERS = 3
# Of the first and the last layers several are looked at: in a transformer queries come first and get far less than
# values do, and a branch that begins at zero passes nothing back to what stands before it.
PART = 4  # a quarter of the layers
AT_LEAST = 2


class GradientRatio(NamedTuple):
    """The gradient at the first hidden layers over that at the last ones."""

    first: Point
    last: Point
    ratio: float


def vanishing(profile: Profile) -> GradientRatio | None:
    """The largest at the front over the smallest at the back that is not zero: the mildest reading."""
    if len(profile) < LEAST_LAYERS:
        return None
    front, back = _ends(profile)
    first = max(front, key=lambda point: point.value)
    alive = [point for point in back if point.value > 0]
    last = min(alive, key=lambda point: point.value, default=None)
    return None if last is None else GradientRatio(first, last, first.value / last.value)


def exploding(profile: Profile) -> GradientRatio | None:
    """The smallest at the front that is not zero over the largest at the back: again the mildest."""
    if len(profile) < LEAST_LAYERS:
        return None
    front, back = _ends(profile)
    alive = [point for point in front if point.value > 0]
    first = min(alive, key=lambda point: point.value, default=None)
    last = max(back, key=lambda point: point.value)
    return None if first is None or last.value <= 0 else GradientRatio(first, last, first.value / last.value)


def _ends(profile: Profile) -> tuple[Profile, Profile]:
    part = max(AT_LEAST, len(profile) // PART)
    # In short networks the ends may not overlap.
    part = min(part, len(profile) // 2)
    return profile[:part], profile[-part:]
