"""Reading a noisy series of losses: levels, trends, swings. Pure functions of numbers."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

END_SHARE, END_LEAST = 0.1, 5  # of a series: what counts as its end
MOST_POINTS = 60  # that a trend is taken from: the pairs of more cost time and tell nothing new


def end_level(values: Sequence[float]) -> float:
    """Median of the last tenth, five at least; NaN of nothing.

    Example:
        >>> end_level([9.0, 8.0, 1.0, 1.1, 50.0, 0.9, 1.0])
        1.0
    """
    return statistics.median(end(values)) if values else math.nan


def end(values: Sequence[float]) -> Sequence[float]:
    """The last tenth, five at least."""
    return values[-max(END_LEAST, math.ceil(len(values) * END_SHARE)) :]


def blocks(values: Sequence[float], count: int) -> list[float]:
    """Means of `count` neighbouring stretches of nearly one length; each value itself where there are fewer.

    Example:
        >>> blocks([1.0, 3.0, 5.0, 7.0], 2)
        [2.0, 6.0]
    """
    count = min(count, len(values))
    borders = [round(place * len(values) / count) for place in range(count + 1)] if count else []
    return [math.fsum(values[low:high]) / (high - low) for low, high in itertools.pairwise(borders)]


def trend(values: Sequence[float]) -> float:
    """Slope by Theil and Sen over the whole length of the series: what it rises by, spikes left out.

    Example:
        >>> trend([3.0, 2.0, 100.0, 0.0])
        -3.0
    """
    points = blocks(values, MOST_POINTS)
    slopes = [
        (points[after] - points[before]) / (after - before)
        for before in range(len(points))
        for after in range(before + 1, len(points))
    ]
    return statistics.median(slopes) * (len(points) - 1) if slopes else 0.0


def fall_in_errors(values: Sequence[float]) -> float:
    """How far the second half lies below the first, in standard errors of that difference.

    Infinite where noise-free values fell, 0 where there are too few to say.

    Example:
        >>> fall_in_errors([1.0, 1.0, 0.5, 0.5])
        inf
    """
    half = len(values) // 2
    before, after = values[:half], values[half:]
    if half < 2:
        return 0.0
    fall = statistics.fmean(before) - statistics.fmean(after)
    error = math.sqrt(statistics.variance(before) / len(before) + statistics.variance(after) / len(after))
    return fall / error if error else (math.copysign(math.inf, fall) if fall else 0.0)


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of independent values; infinite where there are fewer than two."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf


def later_half(steps: Sequence[int], values: Sequence[float]) -> list[float]:
    """Values from the middle step on: by steps, not by count, as early steps are measured more densely."""
    if not steps:
        return []
    middle = (steps[0] + steps[-1]) / 2
    return [value for step, value in zip(steps, values, strict=True) if step >= middle]


def swings(values: Sequence[float], least: float) -> list[float]:
    """Sizes of the turns up and down that are at least so large, smaller ones in between ignored.

    Example:
        >>> swings([0.0, 5.0, 4.9, 1.0, 6.0], 3.0)
        [5.0, 4.0, 5.0]
    """
    found: list[float] = []
    extreme = low = high = values[0] if values else 0.0
    direction = 0
    for value in values:
        low, high = min(low, value), max(high, value)
        if direction >= 0 and value <= high - least:  # it went up to `high`, and turned
            found += [high - extreme] if high - extreme >= least else []
            extreme, direction, low, high = high, -1, value, value
        elif direction <= 0 and value >= low + least:
            found += [extreme - low] if extreme - low >= least else []
            extreme, direction, low, high = low, 1, value, value
    last = (high - extreme) if direction > 0 else (extreme - low)
    return found + ([last] if direction and last >= least else [])
