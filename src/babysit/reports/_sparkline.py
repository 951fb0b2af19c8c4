"""A curve in one line of a terminal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
BAD = "×"  # noqa: RUF001  a cross, where a value was NaN or infinite
DECADES = 1.5  # a curve that spans more is drawn by its logarithm


def sparkline(values: Sequence[float], width: int) -> str:
    """Values as blocks of eight heights, at most `width` of them; logarithmic where they span decades.

    Neighbours that share a block are averaged; one of them that is not finite marks it.

    Example:
        >>> sparkline([1.0, 2.0, 3.0, 4.0], 10)
        '▁▃▆█'
        >>> sparkline([1.0, float("nan"), 1.0], 10)
        '▄×▄'
    """
    if not values or width < 1:
        return ""
    groups = _groups(values, width)
    finite = [value for group in groups for value in group if math.isfinite(value)]
    if not finite:
        return BAD * len(groups)
    log = min(finite) > 0 and math.log10(max(finite)) - math.log10(min(finite)) > DECADES
    largest = max(map(abs, finite)) or 1.0  # sums of the largest floating numbers would overflow
    means = [_mean(group, largest, log=log) for group in groups]
    known = [value for value in means if value is not None]
    if not known:
        return BAD * len(groups)
    low, high = min(known), max(known)
    return "".join(BAD if value is None else _block(value, low, high) for value in means)


def _groups(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(width, len(values))
    edges = [round(place * len(values) / count) for place in range(count + 1)]
    return [values[start:end] for start, end in itertools.pairwise(edges)]


def _mean(group: Sequence[float], largest: float, *, log: bool) -> float | None:
    if not all(math.isfinite(value) for value in group):
        return None
    return sum(math.log10(value) if log else value / largest for value in group) / len(group)


def _block(value: float, low: float, high: float) -> str:
    if high - low <= 1e-9 * max(abs(high), abs(low), 1e-30):
        return BLOCKS[3]
    return BLOCKS[min(len(BLOCKS) - 1, int((value - low) / (high - low) * len(BLOCKS)))]
