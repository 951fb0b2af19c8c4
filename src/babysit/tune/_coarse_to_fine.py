"""The search itself: coarse, then fine, each with rungs. Pure: it asks for scores and is told them.

    coarse     many points, spread evenly, in waves that grow; rungs by successive halving
    fine       the box is refitted around the survivors; in each of some generations new points are drawn in it, go
               through the higher rungs, and compete with all that ever stood there

It is a generator: it yields what should stand at which rung and is sent the scores. So the same code searches on this
machine, on a cluster, on recorded curves; and a search that was killed goes on by being told what was already found.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor

from babysit.record import InputError, TrialScore
from babysit.tune._box import Box
from babysit.tune._encoding import counts, snapped
from babysit.tune._parameter import Value
from babysit.tune._points import PointKind, Units, points_of
from babysit.tune._proposals import Seen, propose
from babysit.tune._rungs import FACTOR, affordable, going_on, ladder, left_after, may_go_on, rank_key, ranked
from babysit.tune._space import Space

Stage = Literal["coarse", "fine"]
SURVIVORS = 10  # trials that the box is refitted around
COARSE_LEAST = 1.5  # full trials that the coarse stage has, however small its share
LEFT_BEHIND = 24  # trials kept at each rung, should they turn out to be among the best there after all
SMALLEST_WAVE = 9  # points, few enough to be quick and enough to train side by side
_FINE = 3  # stream of the seed


@dataclass(frozen=True)
class Plan:
    """How much is searched, and how.

    Attributes:
        full: Steps of a full trial.
        budget: Steps over all trials.
        lowest: Steps of the lowest rung, below which nothing can be told.
        factor: Between rungs, and of those that stand at one the share that goes on.
        coarse: Share of the budget that is spent coarsely.
        generations: Of the fine stage; 0 is successive halving alone.
        together: Trials that an engine trains at no more cost than few: a generation has at least so many.
        points: Kind of the coarse points.
        chance_from: Steps from which a trial at chance is stuck there.
        seed: Makes every draw of the search.
        first: Unit coordinates of points that are tried before all others, such as the settings so far.
    """

    full: int
    budget: float
    lowest: int
    factor: float = FACTOR
    coarse: float = 0.4
    generations: int = 5
    together: int = 1
    points: PointKind = "sobol"
    chance_from: int = 100
    seed: int = 0
    first: tuple[tuple[float, ...], ...] = ()

    @property
    def rungs(self) -> tuple[int, ...]:
        """Steps at which the coarse stage judges."""
        return ladder(self.full, lowest=self.lowest, factor=self.factor)

    @property
    def coarse_budget(self) -> float:
        """Steps of the coarse stage: its share, and enough for a few trials and one of them in full."""
        if not self.generations:
            return self.budget
        return max(self.coarse * self.budget, min(self.budget, COARSE_LEAST * self.full))

    @property
    def fine_rungs(self) -> tuple[int, ...]:
        """Steps at which the fine stage judges: all but the lowest, which cannot tell the good from the best."""
        return self.rungs[1:] or self.rungs


class Rung(NamedTuple):
    """What is asked for: points that should stand at a step."""

    stage: Stage
    generation: int  # 0 is the coarse stage
    step: int
    points: dict[int, Mapping[str, Value]]  # by number, in the order of their numbers; those of earlier rungs go on
    dropped: tuple[int, ...]  # numbers that nobody will ask for again
    box: Box


Scores = Mapping[int, TrialScore]
Search = Generator[Rung, Scores, None]


@dataclass
class _State:
    """What the search has seen."""

    space: Space
    units: dict[int, Units] = field(default_factory=dict)
    latest: dict[int, TrialScore] = field(default_factory=dict)
    rung_of: dict[int, int] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    spent: float = 0.0
    start: Tensor | None = None

    def add(self, units: Units) -> list[int]:
        """New points get numbers."""
        first = len(self.units)
        numbers = list(range(first, first + len(units)))
        self.units |= dict(zip(numbers, units, strict=True))
        return numbers

    def told(self, scores: Scores, step: int) -> None:
        """Scores came."""
        for number, score in scores.items():
            before = self.latest[number].step if number in self.latest else 0
            self.spent += max(0, score.step - before)
            self.latest[number], self.rung_of[number] = score, step

    def best_first(self) -> list[TrialScore]:
        """All trials that did not fail: those at the highest rung first, there the best first."""
        fit = [score for score in self.latest.values() if not score.failed and np.isfinite(score.score)]
        return sorted(fit, key=lambda score: (-self.rung_of[score.trial], rank_key(score)))


def coarse_to_fine(space: Space, plan: Plan) -> Search:
    """Ask for rungs until the budget is spent.

    Args:
        space: What is searched.
        plan: How much.

    Yields:
        A Rung; it wants to be sent the scores of its points, by number. A missing score counts as a failure.

    Raises:
        InputError: The budget does not bear one trial.
    """
    state = _State(space)
    box = Box.whole(space)
    count = affordable(plan.coarse_budget, plan.rungs, plan.factor)
    if not count:
        raise InputError(
            f"a budget of {plan.budget:g} steps does not bear one trial of {plan.full}",
            write="--trials 10, or a longer --time",
        )
    drawn = points_of(plan.points, space, count, plan.seed)
    if plan.first:
        known = np.array(plan.first, dtype=np.float64).reshape(-1, len(space))
        drawn = np.concatenate([known, drawn])[: max(count, 1)]
    units = snapped(space, box.stretch(drawn))
    for wave in np.split(units, waves(len(units), len(plan.rungs), plan.factor)):
        yield from _halved(state, plan, box, "coarse", 0, state.add(wave), plan.rungs)
    for generation in range(1, plan.generations + 1):
        rungs = plan.fine_rungs
        rest = (plan.budget - state.spent) / (plan.generations + 1 - generation)
        count = affordable(rest, rungs, plan.factor)
        if count < plan.together:
            count = min(plan.together, affordable(plan.budget - state.spent, rungs, plan.factor))
        if not count:
            break
        seen, counted = _seen(state, plan)
        if not len(seen.units):
            box = Box.whole(space)
        else:
            box = box.refitted(seen.units[:SURVIVORS], counted[:SURVIVORS])
        rng = np.random.default_rng([plan.seed, _FINE, generation])
        units, state.start = propose(box, seen, count, rng, start=state.start)
        yield from _halved(state, plan, box, "fine", generation, state.add(units), rungs)


def waves(count: int, rungs: int, factor: float = FACTOR) -> list[int]:
    """Where points are cut into waves: the first is as small as can send one point to full length, then they grow.

    All points in one wave would reach full length in the last moment of the stage: of a search of a minute nobody would
    know anything good for its first third. Whoever is left behind by one wave competes with the next.

    Example:
        >>> waves(150, rungs=3)  # 9, 27 and 114 points
        [9, 36]
        >>> waves(20, rungs=3)
        []
    """
    cuts: list[int] = []
    size = max(SMALLEST_WAVE, round(factor ** (rungs - 1)))
    while count - (cuts[-1] if cuts else 0) >= (1 + factor) * size:
        cuts.append((cuts[-1] if cuts else 0) + size)
        size = round(size * factor)
    return cuts


def _halved(
    state: _State, plan: Plan, box: Box, stage: Stage, generation: int, new: list[int], rungs: tuple[int, ...]
) -> Search:
    """New trials through rungs; whoever was left at a rung before competes with them for the next."""
    standing = new
    sizes = left_after(len(new), len(rungs), plan.factor)
    for place, step in enumerate(rungs):
        if place:
            here = {number: state.latest[number] for number in standing if number in state.latest}
            left = [
                score
                for number, score in state.latest.items()
                if state.rung_of[number] == rungs[place - 1] and number not in state.dropped and number not in here
            ]
            standing = going_on(here, sizes[place], chance_from=plan.chance_from, also=left)
        if not standing:
            return
        dropped = _to_drop(state, plan, set(standing))
        state.dropped |= set(dropped)
        points: dict[int, Mapping[str, Value]] = {
            number: state.space.point(state.units[number].tolist()) for number in sorted(standing)
        }
        scores = yield Rung(stage, generation, step, points, dropped, box)
        state.told(scores, step)
        standing = [number for number in standing if number in scores]


def _to_drop(state: _State, plan: Plan, standing: set[int]) -> tuple[int, ...]:
    """Trials that nobody will ask for again: failed, at full length, or too far behind at their rung."""
    dropped = []
    for step in {*state.rung_of.values()}:
        here = ranked(
            score
            for number, score in state.latest.items()
            if state.rung_of[number] == step and number not in state.dropped and number not in standing
        )
        fit = [score for score in here if may_go_on(score, plan.chance_from)]
        kept = {score.trial for score in fit[:LEFT_BEHIND]}
        dropped += [score.trial for score in here if score.trial not in kept]
    return tuple(sorted(dropped))


def _seen(state: _State, plan: Plan) -> tuple[Seen, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    best = state.best_first()
    units = np.array([state.units[score.trial] for score in best]).reshape(len(best), len(state.space))
    scores = np.array([score.score for score in best], dtype=np.float64)
    lengths = np.array([min(1.0, score.step / plan.full) for score in best], dtype=np.float64)
    return Seen(units, scores, lengths, plan.rungs[0] / plan.full), counts(state.space, units)
