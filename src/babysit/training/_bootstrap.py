"""Confidence intervals by the bootstrap: how much a score would change with other rows of the same kind.

Shares of rows have Wilson's interval instead, see `_scores.py`.

Rows are drawn anew with replacement many times (Efron 1979; percentile interval, Efron and Tibshirani 1993, section
13.3). A drawn set is the same rows with whole-number weights. So a score is written once as a function of weights, and
a thousand sets are one matrix: no row is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# From weights [R, N] (each row of the matrix one drawn set) to scores [R].
Weighted = Callable[[Floats], Floats]

RESAMPLES = 1000
LEVEL = 0.95
CELLS = 4_000_000  # weights in memory at once: 32 MB


def intervals(
    scores: Mapping[str, Weighted], rows: int, *, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, tuple[float, float]]:
    """The percentile interval of each score.

    Args:
        scores: Functions of weights.
        rows: How many rows there are.
        seed: Of the draws.
        resamples: How many sets are drawn.
        level: Share of the draws between the two ends.

    Returns:
        Low and high end by name; a score that is undefined on every draw is left out.

    Example:
        >>> right = np.array([1.0, 0.0, 1.0, 1.0])
        >>> low, high = intervals({"accuracy": mean_of(right)}, rows=4)["accuracy"]
        >>> low < 0.75 < high
        True
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in scores}
    for weights in draws(rows, seed, resamples):
        for name, score in scores.items():
            drawn[name].append(score(weights))
    found = {}
    for name, parts in drawn.items():
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
            found[name] = (float(low), float(high))
    return found


def draws(rows: int, seed: int, resamples: int) -> Iterator[Floats]:
    """Weights of the drawn sets, [R, N] a piece."""
    generator = np.random.default_rng(seed)
    at_once = max(1, CELLS // max(1, rows))
    sizes = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]

    def draw(count: int) -> Floats:
        chosen = generator.integers(0, rows, size=(count, rows))
        chosen += np.arange(count)[:, None] * rows
        return np.bincount(chosen.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)

    return map(draw, sizes)


def mean_of(values: npt.ArrayLike) -> Weighted:
    """The mean of one number a row [N]."""
    column = np.asarray(values, dtype=np.float64)
    return lambda weights: weights @ column / weights.sum(axis=1)


def root_mean_of(squares: npt.ArrayLike) -> Weighted:
    """The root of a mean, for RMSE."""
    mean = mean_of(squares)
    return lambda weights: np.sqrt(mean(weights))


def explained(true: Floats, predicted: Floats) -> Weighted:
    """R2: 1 - squared error over the squared error of the mean of the same rows."""
    centred = true - true.mean()  # the shift keeps the difference of two large sums harmless
    squares = (true - predicted) ** 2

    def score(weights: Floats) -> Floats:
        rows = weights.sum(axis=1)
        spread = weights @ centred**2 - (weights @ centred) ** 2 / rows
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, 1 - weights @ squares / spread, np.nan)

    return score


def median_of(values: Floats) -> Weighted:
    """The median of one number a row; of the two in the middle their mean."""
    order = np.argsort(values)
    ascending = values[order]

    def score(weights: Floats) -> Floats:
        reached = np.cumsum(weights[:, order], axis=1)
        half = reached[:, -1:] / 2
        low = (reached >= half).argmax(axis=1)
        high = (reached > half).argmax(axis=1)
        return np.asarray((ascending[low] + ascending[high]) / 2)

    return score


def area_under(positive: npt.NDArray[np.bool_], scores: Floats) -> Weighted:
    """AUC: the chance that a positive row scores above a negative one, ties counting half (Mann and Whitney 1947)."""
    order = np.argsort(scores, kind="stable")
    is_positive = positive[order].astype(np.float64)
    values = scores[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])  # first row of each run of equal scores

    def score(weights: Floats) -> Floats:
        ordered = weights[:, order]
        up = np.add.reduceat(ordered * is_positive, starts, axis=1)
        down = np.add.reduceat(ordered * (1 - is_positive), starts, axis=1)
        below = np.cumsum(down, axis=1) - down / 2
        pairs = up.sum(axis=1) * down.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(pairs > 0, (up * below).sum(axis=1) / pairs, np.nan)

    return score


def mean_of_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, values, 0.0).sum(axis=-1) / defined.sum(axis=-1))


def from_cells(cells: npt.NDArray[np.int64], count: int, score: Weighted) -> Weighted:
    """A score of how many rows fall into each cell of, say, a confusion matrix; `score` takes [R, count]."""
    order = np.argsort(cells, kind="stable")
    present, starts = np.unique(cells[order], return_index=True)

    def weighted(weights: Floats) -> Floats:
        sums = np.zeros((len(weights), count))
        sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
        return score(sums)

    return weighted
