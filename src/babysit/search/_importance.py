"""Which hyper-parameters mattered: the share of the scores' variance that each explains alone.

A forest of trees learns the rank of a trial from its settings and the length it was trained for; asked over the whole
space at full length, the variance of its mean answer along one parameter, over the variance of all its answers, is that
parameter's share (Sobol's first-order index; functional ANOVA, Hutter et al. 2014). A forest, because it follows steps,
plateaus and interactions, and sees options of a choice as they are; ranks, because half of all random trials fail, and
by how much says nothing; the forest's score on trials it has not seen (out of bag) says how far to believe it.

Random points against a grid: a grid tries each hyper-parameter at few values; random points try as many values as there
are points, which pays when few hyper-parameters matter (Bergstra and Bengio 2012). How much it pays here is asked of
the same forest: the best of n random points and the best of a grid of n, both placed anew many times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from babysit.record import Standing
from babysit.search._points import Units, grid_points, places
from babysit.search._space import Space

LEAST_TRIALS = 20  # of fewer a forest tells nothing
TREES = 200
LEVELS, AROUND = 24, 200  # values of a parameter, and points that each is averaged over
MOST_TRIALS = 3000

Model = Callable[[Units], Units]  # unit coordinates [N, P] to ranks at full length [N]


@dataclass(frozen=True)
class Importance:
    """How much each parameter explains.

    Attributes:
        shares: Of the variance, by path.
        together: What they explain together and none alone.
        explained: Of the variance among trials that the forest had not seen; below 0.1 the shares say little.
        model: Predicted score at unit coordinates, between 0 (worst rank) and 1.
    """

    shares: Mapping[str, float]
    together: float
    explained: float
    model: Model


def importance(space: Space, standings: Sequence[Standing], seed: int = 0) -> Importance | None:
    """How much each parameter explains; None where there are too few trials, or all score alike.

    Args:
        space: What was searched.
        standings: All points.
        seed: Of the forest and the points it is asked at.
    """
    from sklearn.ensemble import RandomForestRegressor

    chosen = [standing for standing in standings if standing.course][:MOST_TRIALS]
    scores = np.array([standing.score if not standing.failed else -np.inf for standing in chosen])
    if len(chosen) < LEAST_TRIALS or len(np.unique(scores)) < 3:
        return None
    units = np.array([[standing.units.get(one.path, 0.5) for one in space] for standing in chosen])
    furthest = max((standing.step for standing in chosen), default=1)
    lengths = np.log([max(1, standing.reached(furthest)) for standing in chosen])[:, None]
    ranks = _ranks(scores)
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=2, max_features=0.5, oob_score=True, random_state=seed, n_jobs=1
    )
    forest.fit(np.concatenate([places(space, units), lengths], axis=1), ranks)
    longest = float(lengths.max())

    def model(asked: Units) -> Units:
        where = np.concatenate([places(space, asked), np.full((len(asked), 1), longest)], axis=1)
        answers: Units = forest.predict(where)
        return answers

    random = np.random.default_rng(seed)
    around = random.random((AROUND, len(space)))
    shares: dict[str, float] = {}
    for column, parameter in enumerate(space):
        levels = (np.arange(LEVELS) + 0.5) / LEVELS
        asked = np.repeat(around[None], LEVELS, axis=0)
        asked[:, :, column] = levels[:, None]
        answers = model(asked.reshape(-1, len(space))).reshape(LEVELS, AROUND)
        # Both variances from the same answers: a share is never above one.
        variance = float(answers.var())
        shares[parameter.path] = float(answers.mean(1).var()) / variance if variance else 0.0
    excess = max(1.0, sum(shares.values()))  # above one by the chance of which points were asked
    shares = {path: share / excess for path, share in shares.items()}
    return Importance(shares, max(0.0, 1 - sum(shares.values())), max(0.0, float(forest.oob_score_)), model)


def _ranks(scores: Units) -> Units:
    """Ranks from 0 (worst) to 1, equal scores the same."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    ranks: Units = middle[place] / max(1, len(scores) - 1)
    return ranks


TIMES = 100
MOST = 200  # points a side; more of them find the same


def random_against_grid(space: Space, model: Model, count: int, seed: int = 0) -> dict[str, Any]:
    """Expected best of random points and of grids.

    Args:
        space: What was searched.
        model: Predicted rank at unit coordinates.
        count: Points of each.
        seed: Of the placements.

    Returns:
        `points`; `random` and `grid`, the mean predicted rank of their best, from 0 (worst trial) to 1; `grid_levels`,
        distinct values of each range; `random_wins`, the share of placements in which random points found the better.
    """
    grid = grid_points(space, min(count, MOST))
    count = len(grid)
    random = np.random.default_rng([seed, 5])
    drawn = model(random.random((TIMES * count, len(space)))).reshape(TIMES, count).max(1)
    # A grid may stand anywhere: each time it is moved by a part of the distance between its levels.
    levels = np.array([len(np.unique(grid[:, column])) for column in range(len(space))])
    moved = grid[None] + (random.random((TIMES, 1, len(space))) - 0.5) / levels
    on_grid = model(np.clip(moved, 0, 1).reshape(-1, len(space))).reshape(TIMES, count).max(1)
    return {
        "points": count,
        "random": float(drawn.mean()),
        "grid": float(on_grid.mean()),
        "random_wins": float((drawn > on_grid).mean() + 0.5 * (drawn == on_grid).mean()),
        "grid_levels": {parameter.path: int(level) for parameter, level in zip(space, levels, strict=True)},
    }
