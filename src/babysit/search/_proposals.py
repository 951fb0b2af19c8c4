"""Where the next trials of a finer search are: among the best so far, where a model expects high scores.

Points are drawn within the box of the survivors, near the best trials, and a few anywhere. A Gaussian process over the
settings and the length of training predicts what each would score at full length, with a standard deviation. Each new
trial is the point with the best draw from these predictions. So the trials of one generation differ from each other as
trials that are chosen one after the other do (De Ath et al. 2021 compare such batches). No two of them are too close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from babysit.search._box import Box
from babysit.search._gaussian_process import GaussianProcess, Numbers
from babysit.search._parameter import Choice
from babysit.search._points import Units, places, snapped
from babysit.search._space import Space

POINTS = 1500
IN_BOX, NEAR_ELITE, ANYWHERE = 0.3, 0.5, 0.2  # shares of them
ELITE = 10  # survivors that points are drawn near
REFINED = 100  # of the best points, varied in three rounds
ROUNDS = 3
APART = 0.15  # length scales of the model: two trials closer than this tell the same
LEAST_SCORES = 8  # a model of fewer scores predicts nothing
MOST_SCORES = 300  # that the model is fitted to; beyond, the worst are left out; with 600 no search found more


@dataclass(frozen=True)
class Seen:
    """What is known of the trials so far.

    Attributes:
        units: Unit coordinates [N, P], the best survivor first.
        scores: [N], higher is better, finite.
        lengths: Share of a full trial that each was trained for, above 0, at most 1 [N].
        floor: Share of a full trial at the lowest rung.
    """

    units: Units
    scores: Numbers
    lengths: Numbers
    floor: float


def propose(
    box: Box, seen: Seen, count: int, rng: np.random.Generator, *, start: Tensor | None = None
) -> tuple[Units, Tensor | None]:
    """New points [count, P], and the parameters of the model, from which the next fit starts."""
    space = box.space
    points = _drawn(box, seen, rng)
    if len(seen.scores) < LEAST_SCORES or float(np.ptp(seen.scores)) == 0:
        return points[rng.permutation(len(points))[:count]], start
    model = _fit(space, seen, start)
    points, mean, spread = _refined(box, points, model, rng)
    where = places(space, points) / model.lengths[:-1]
    free = np.ones(len(points), dtype=bool)
    chosen: list[int] = []
    for doubt in rng.exponential(1.0, count):
        hope = np.where(free, mean + doubt * spread, -np.inf)
        best = int(hope.argmax())
        chosen.append(best)
        free &= ((where - where[best]) ** 2).sum(1) > APART**2
        if not free.any():
            free[:] = True
            free[chosen] = False
            if not free.any():
                break
    return points[chosen], model.parameters


def raised(scores: Numbers) -> Numbers:
    """Scores with the hopeless raised to a floor: by how much a failure failed says nothing of where the best is.

    Example:
        >>> raised(np.array([0.1, 0.5, 0.8, 0.9]))
        array([0.4, 0.5, 0.8, 0.9])
    """
    middle, top = float(np.median(scores)), float(scores.max())
    return np.maximum(scores, middle - (top - middle))


def _fit(space: Space, seen: Seen, start: Tensor | None) -> GaussianProcess:
    order = np.argsort(-seen.scores, kind="stable")[:MOST_SCORES]
    lengths = 1 - np.log(seen.lengths[order]) / np.log(min(seen.floor, 0.5))
    known = np.concatenate([places(space, seen.units[order]), lengths[:, None]], axis=1)
    return GaussianProcess(known, raised(seen.scores[order]), start=start)


def _drawn(box: Box, seen: Seen, rng: np.random.Generator) -> Units:
    space = box.space
    count = len(space)
    drawn = [
        box.stretch(rng.random((round(IN_BOX * POINTS), count))),
        Box.whole(space).stretch(rng.random((round(ANYWHERE * POINTS), count))),
    ]
    if len(seen.units):
        elite = seen.units[:ELITE]
        spread = np.maximum(elite.std(0), 0.05)
        for share, width, near in ((0.67, 1.0, elite), (0.33, 0.4, elite[:3])):
            drawn.append(_varied(space, near, round(NEAR_ELITE * share * POINTS), width * spread, rng))
    return snapped(space, np.concatenate(drawn))


def _varied(space: Space, near: Units, count: int, width: Units | float, rng: np.random.Generator) -> Units:
    """Points near others: about half of the coordinates moved, a choice now and then redrawn."""
    base: Units = near[rng.integers(0, len(near), count)]
    moved = rng.random(base.shape) < 0.5
    varied: Units = base + rng.normal(0, 1, base.shape) * width * moved
    redrawn = rng.random(base.shape)
    for column, parameter in enumerate(space):
        if isinstance(parameter, Choice):
            again = moved[:, column] & (rng.random(count) < 0.5)
            varied[:, column] = np.where(again, redrawn[:, column], base[:, column])
    return varied


def _refined(
    box: Box, points: Units, model: GaussianProcess, rng: np.random.Generator
) -> tuple[Units, Numbers, Numbers]:
    """The points, and variants of the most promising, with the predicted mean and deviation at full length."""
    mean, spread = _at_full_length(box.space, points, model)
    for narrower in range(ROUNDS):
        top = points[np.argsort(-(mean + spread), kind="stable")[:REFINED]]
        more = snapped(box.space, _varied(box.space, top, 6 * REFINED, 0.15 * 0.6**narrower, rng))
        more_mean, more_spread = _at_full_length(box.space, more, model)
        points = np.concatenate([points, more])
        mean, spread = np.concatenate([mean, more_mean]), np.concatenate([spread, more_spread])
    return points, mean, spread


def _at_full_length(space: Space, points: Units, model: GaussianProcess) -> tuple[Numbers, Numbers]:
    where = places(space, points)
    return model.at(np.concatenate([where, np.ones((len(where), 1))], axis=1))
