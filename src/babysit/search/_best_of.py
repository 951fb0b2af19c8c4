"""What the best of n trials scores: how much a larger search would have gained.

Of N scores n are drawn with replacement, again and again, and the best of each draw is taken (Dodge et al. 2019). The
distribution of that best is known exactly: it is at most the k-th smallest score with chance (k / N)^n. So nothing is
drawn here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from babysit.record import CurvePoint

POINTS = 24  # of the curve, spread evenly over the logarithm of n


def best_of_quantile(scores: Sequence[float], count: int, share: float) -> float:
    """The value below which the best of `count` scores lies with chance `share`.

    Example:
        >>> best_of_quantile([0.1, 0.2, 0.3, 0.4], 1, 0.5), best_of_quantile([0.1, 0.2, 0.3, 0.4], 4, 0.5)
        (0.2, 0.4)
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    # (k / N)^n >= share, that is k >= N share^(1/n); a hair less, so that rounding makes no whole number one more.
    place = math.ceil(len(ordered) * share ** (1 / count) - 1e-9)
    return float(ordered[min(len(ordered), max(1, place)) - 1])


def best_of_curve(scores: Sequence[float], worst: float) -> tuple[CurvePoint, ...]:
    """The best of 1, 2, ... N trials: its median and a 90 % interval.

    Args:
        scores: Of all trials; of those that failed NaN.
        worst: What a failed trial counts as.
    """
    known = [score if math.isfinite(score) else worst for score in scores]
    if not known:
        return ()
    counts = sorted({round(count) for count in np.geomspace(1, len(known), POINTS)})
    return tuple(
        CurvePoint(count, *(best_of_quantile(known, count, share) for share in (0.5, 0.05, 0.95))) for count in counts
    )
