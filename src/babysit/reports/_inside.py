"""What the probes saw, as numbers for figures: layers over steps and through depth, histograms by layer and step."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from babysit.record import Histogram, Trace
from babysit.reports._figures import Curve, thin

MOST_LAYERS = 24  # drawn in one figure; of more, evenly spaced ones with the first and the last
MOST_STEPS = 12  # positions of a histogram's slider
BINS = 60  # columns of the histogram map
RANGE_SHARE = 0.995  # of a layer's values that lie within the map's range
FAR = 100.0  # times the first step's range, at most
LINE_POINTS = 300  # of a layer's curve; two dozen of them share a figure


class LayerCurves(NamedTuple):
    """One quantity of several layers over steps."""

    quantity: str
    curves: tuple[Curve, ...]
    left_out: int = 0  # layers that were measured and are not shown


class DepthProfile(NamedTuple):
    """One quantity through depth, at the first and the last step measured."""

    quantity: str
    layers: tuple[str, ...]
    first: tuple[float, ...]
    last: tuple[float, ...]
    steps: tuple[int, int]


class HistogramMap(NamedTuple):
    """Histograms of layers over one range of values, step by step: `shares[step][layer][bin]`."""

    quantity: str
    layers: tuple[str, ...]
    steps: tuple[int, ...]
    centres: tuple[float, ...]
    shares: tuple[tuple[tuple[float, ...], ...], ...]


def some_layers(names: Sequence[str], most: int = MOST_LAYERS) -> tuple[str, ...]:
    """At most so many, evenly spaced, the first and the last among them.

    Example:
        >>> some_layers(["a", "b", "c", "d", "e"], most=3)
        ('a', 'c', 'e')
    """
    if len(names) <= most:
        return tuple(names)
    return tuple(names[round(place * (len(names) - 1) / (most - 1))] for place in range(most))


def layer_curves(trace: Trace, quantity: str, *, weights_only: bool = False) -> LayerCurves:
    """A quantity of each layer over steps; with `weights_only` the layers' main weights alone, no biases."""
    names = [name for name in trace.layers_with(quantity) if name and not name.startswith("(")]
    if weights_only:
        known = {layer.name for layer in trace.layers}
        names = [name for name in names if name in known] or names
    shown = some_layers(names)
    curves = []
    for name in shown:
        points = [
            (float(step), value)
            for step, value in zip(*trace.series(quantity, layer=name), strict=True)
            if math.isfinite(value)
        ]
        if points:
            steps, values = zip(*points, strict=True)
            curves.append(Curve(name, *map(tuple, thin(steps, values, LINE_POINTS))))
    return LayerCurves(quantity, tuple(curves), len(names) - len(shown))


def is_drawn(found: LayerCurves) -> bool:
    """Whether there is a curve among them: what was measured once is a point, and no chart is made of it."""
    return any(len(curve.steps) > 1 for curve in found.curves)


def depth_profile(trace: Trace, quantity: str, kinds: frozenset[str]) -> DepthProfile | None:
    """A quantity of the layers of some kinds, in the order of the forward pass; None with fewer than two layers."""
    names = [layer.name for layer in trace.layers if layer.kind in kinds]
    measured = [name for name in names if trace.series(quantity, layer=name).steps]
    if len(measured) < 2:
        return None
    shown = some_layers(measured)
    series = [trace.series(quantity, layer=name) for name in shown]
    steps = (min(found.steps[0] for found in series), max(found.steps[-1] for found in series))
    first, last = tuple(found.values[0] for found in series), tuple(found.values[-1] for found in series)
    return DepthProfile(quantity, shown, first, last, steps)


def histogram_map(trace: Trace, quantity: str) -> HistogramMap | None:
    """Histograms of a quantity on one range; None where none were taken."""
    found: dict[str, dict[int, Histogram]] = {}
    for histogram in trace.histograms:
        if histogram.quantity == quantity:
            found.setdefault(histogram.layer, {})[histogram.step] = histogram
    order = {layer.name: place for place, layer in enumerate(trace.layers)}
    layers = some_layers(sorted(found, key=lambda name: order.get(name, len(order))))
    if not layers:
        return None
    all_steps = sorted({step for name in layers for step in found[name]})
    steps = tuple(
        all_steps[round(place * (len(all_steps) - 1) / max(1, MOST_STEPS - 1))] for place in range(MOST_STEPS)
    )
    steps = tuple(sorted(set(steps)))
    # Steps and layers that exploded would squeeze all others to a line: of the ranges the median is taken, and no more
    # than so many times the first one's.
    reaches = [[_reach(_at(found[name], step)) for name in layers] for step in steps]
    first = statistics.median(reaches[0])
    reach = statistics.median(map(max, reaches)) or 1.0
    if first > 0 and reach > FAR * first:
        reach = FAR * first
    centres = tuple(-reach + (place + 0.5) * 2 * reach / BINS for place in range(BINS))
    shares = tuple(tuple(_rebinned(_at(found[name], step), reach) for name in layers) for step in steps)
    return HistogramMap(quantity, layers, steps, centres, shares)


def _at(histograms: dict[int, Histogram], step: int) -> Histogram:
    """The one at the step, or the last before it, or the first of all."""
    before = [taken for taken in histograms if taken <= step]
    return histograms[max(before) if before else min(histograms)]


def _reach(histogram: Histogram) -> float:
    """Distance from zero within which nearly all values lie."""
    centres = [(low + high) / 2 for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)]
    by_distance = sorted(zip(map(abs, centres), histogram.counts, strict=True))
    wanted, seen = RANGE_SHARE * sum(histogram.counts), 0
    for distance, count in by_distance:
        seen += count
        if seen >= wanted:
            return distance
    return by_distance[-1][0]


def _rebinned(histogram: Histogram, reach: float) -> tuple[float, ...]:
    """Shares of the values in each of the map's bins; what lies outside is left out.

    A histogram's bin is spread evenly over the bins it covers.
    """
    shares = [0.0] * BINS
    total = sum(histogram.counts) or 1
    width = 2 * reach / BINS
    for low, high, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        if not count:
            continue
        first, last = (low + reach) / width, (high + reach) / width
        for place in range(max(0, math.floor(first)), min(BINS, math.ceil(last + 1e-12))):
            covered = min(last, place + 1) - max(first, place)
            share = covered / (last - first) if last > first else 1.0
            shares[place] += max(0.0, share) * count / total
    return tuple(shares)
