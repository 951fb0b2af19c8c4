"""Random points against a grid, on one's own results.

A grid tries each hyper-parameter at few values; random points try as many values as there are points, which pays when
few hyper-parameters matter (Bergstra and Bengio 2012). How much it pays here is asked of the forest that learned the
trials' ranks: the best of n random points and the best of a grid of n, both placed anew many times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from babysit.search._importance import Model
from babysit.search._points import grid_points
from babysit.search._space import Space

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
