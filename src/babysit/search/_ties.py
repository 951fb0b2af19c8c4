"""Whether the best is better than the next, or only luckier: rows and seeds drawn again.

Two trials are judged on the same validation rows, so the difference is taken row by row; what another sample of rows,
and other seeds, would have made of it is seen by drawing both with replacement (Efron 1979; rows within seeds as in
Bouthillier et al. 2021, who show that seeds alone move scores as much as many an improvement).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import t as students

DRAWS = 2000
Numbers = npt.NDArray[np.float64]


def difference(best: Sequence[Numbers], other: Sequence[Numbers], seed: int = 0) -> tuple[float, float, float]:
    """How far `other` lies behind `best`: the mean of their differences, with its 95 % interval.

    Args:
        best: What each row is worth (1 for a right answer, less a squared error, ...), one array [rows] a seed.
        other: The same of the other.
        seed: Of the draws.

    Example:
        >>> rows = np.random.default_rng(0).random(500)
        >>> right, worse = (rows < 0.9).astype(float), (rows < 0.5).astype(float)
        >>> mean, low, high = difference([right], [worse])
        >>> bool(low > 0.3), difference([right], [right])
        (True, (0.0, 0.0, 0.0))
    """
    ours, theirs = np.array(best), np.array(other)  # [seeds, rows]
    random = np.random.default_rng([seed, 7])
    mean = float(ours.mean() - theirs.mean())
    rows = ours.shape[1]
    # Few distinct rows of 0 and 1: draws of rows are draws of how often each row counts.
    counts = random.multinomial(rows, np.full(rows, 1 / rows), size=DRAWS) / rows  # [draws, rows]
    means = []
    for values in (ours, theirs):
        by_seed = counts @ values.T  # [draws, seeds]
        picked = random.integers(0, len(values), by_seed.shape)
        means.append(np.take_along_axis(by_seed, picked, axis=1).mean(1))
    low, high = np.quantile(means[0] - means[1], (0.025, 0.975))
    return mean, float(low), float(high)


def difference_of_scores(best: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """The same where only scores are known, one for each seed: Welch's interval; infinite with fewer than two seeds.

    Example:
        >>> difference_of_scores([0.9], [0.8])
        (0.1, -inf, inf)
    """
    ours, theirs = np.array(best, dtype=np.float64), np.array(other, dtype=np.float64)
    mean = round(float(ours.mean() - theirs.mean()), 12)
    if min(len(ours), len(theirs)) < 2:
        return mean, -np.inf, np.inf
    parts = [values.var(ddof=1) / len(values) for values in (ours, theirs)]
    error = float(np.sqrt(sum(parts)))
    if error == 0:
        return mean, mean, mean
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (ours, theirs), strict=True)
    )
    reach = float(students.ppf(0.975, degrees)) * error
    return mean, mean - reach, mean + reach
