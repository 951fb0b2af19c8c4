"""Where the next trials of a finer search should be: near survivors, where a model of the scores hopes for most.

Candidates are drawn in the refitted box, near its best trials, and a few anywhere. A Gaussian process over settings and
length of training says what each would score at full length, and how surely; each new trial weighs hope against
doubt by a draw of its own, so that a batch of them is as varied as one after the other (De Ath et al. 2021 compare
such batches), and none comes too near another.
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

CANDIDATES = 1500
IN_BOX, NEAR_ELITE, ANYWHERE = 0.3, 0.5, 0.2  # shares of them
ELITE = 10  # survivors that candidates are drawn near
REFINED = 100  # of the best candidates, varied in three rounds
ROUNDS = 3
APART = 0.15  # lengths of the model: two trials nearer than this tell the same
LEAST_SCORES = 8  # a model of fewer tells nothing
MOST_SCORES = 300  # conditioned on; beyond, the worst are left out; with 600 no search found more


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
    """New points [count, P], and the model's parameters to begin the next time from."""
    space = box.space
    candidates = _candidates(box, seen, rng)
    if len(seen.scores) < LEAST_SCORES or float(np.ptp(seen.scores)) == 0:
        return candidates[rng.permutation(len(candidates))[:count]], start
    model = _fit(space, seen, start)
    candidates, mean, spread = _refined(box, candidates, model, rng)
    where = places(space, candidates) / model.lengths[:-1]
    free = np.ones(len(candidates), dtype=bool)
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
    return candidates[chosen], model.parameters


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


def _candidates(box: Box, seen: Seen, rng: np.random.Generator) -> Units:
    space = box.space
    count = len(space)
    drawn = [
        box.stretch(rng.random((round(IN_BOX * CANDIDATES), count))),
        Box.whole(space).stretch(rng.random((round(ANYWHERE * CANDIDATES), count))),
    ]
    if len(seen.units):
        elite = seen.units[:ELITE]
        spread = np.maximum(elite.std(0), 0.05)
        for share, width, near in ((0.67, 1.0, elite), (0.33, 0.4, elite[:3])):
            drawn.append(_varied(space, near, round(NEAR_ELITE * share * CANDIDATES), width * spread, rng))
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
    box: Box, candidates: Units, model: GaussianProcess, rng: np.random.Generator
) -> tuple[Units, Numbers, Numbers]:
    """The candidates, and variants of those that the model hopes most of, with its mean and doubt at full length."""
    mean, spread = _at_full_length(box.space, candidates, model)
    for narrower in range(ROUNDS):
        top = candidates[np.argsort(-(mean + spread), kind="stable")[:REFINED]]
        more = snapped(box.space, _varied(box.space, top, 6 * REFINED, 0.15 * 0.6**narrower, rng))
        more_mean, more_spread = _at_full_length(box.space, more, model)
        candidates = np.concatenate([candidates, more])
        mean, spread = np.concatenate([mean, more_mean]), np.concatenate([spread, more_spread])
    return candidates, mean, spread


def _at_full_length(space: Space, candidates: Units, model: GaussianProcess) -> tuple[Numbers, Numbers]:
    where = places(space, candidates)
    return model.at(np.concatenate([where, np.ones((len(where), 1))], axis=1))
