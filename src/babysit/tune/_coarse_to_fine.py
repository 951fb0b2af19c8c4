"""The search itself: coarse, then fine, each with rungs. Pure: it asks for scores and is told them.

    coarse     many points, spread evenly, in waves that grow; rungs by successive halving
    fine       after each wave, the box is refitted around the survivors; in each of some generations new points are
               drawn in it, go through the higher rungs, and compete with all that ever stood there

It is a generator: it yields what should stand at which rung and is sent the scores. So the same code searches on this
machine, on a cluster, on recorded curves; and a search that was killed goes on by being told what was already found.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import Tensor

from babysit.record import InputError, TrialScore
from babysit.tune._box import Box
from babysit.tune._encoding import counts, snapped
from babysit.tune._parameter import Value
from babysit.tune._plan import Bracket, Plan, Stage, brackets
from babysit.tune._points import Units, points_of
from babysit.tune._proposals import Seen, propose
from babysit.tune._rungs import going_on, left_after, may_go_on, rank_key, ranked
from babysit.tune._space import Space

SURVIVORS, FEWEST_SURVIVORS = 10, 3  # trials that the box is refitted around: the better half of few
LEFT_BEHIND = 24  # trials kept at each rung, should they turn out to be among the best there after all
_FINE = 3  # stream of the seed


class Rung(NamedTuple):
    """What is asked for: points that should stand at a step."""

    stage: Stage
    generation: int  # from 1, over the whole search; 0 is the coarse stage
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
    count = plan.coarse_points
    if not count:
        raise InputError(
            f"a budget of {plan.budget:g} steps does not bear one trial of {plan.full}",
            write="--trials 10, or a longer --time",
        )
    drawn = points_of(plan.points, space, count, plan.seed)
    if plan.first:
        known = np.array(plan.first, dtype=np.float64).reshape(-1, len(space))
        drawn = np.concatenate([known, drawn])[: max(count, 1)]
    waiting = snapped(space, box.stretch(drawn))
    asked, generation = brackets(plan), 0
    bracket: Bracket | None = next(asked)
    while bracket is not None:
        if bracket.stage == "coarse":
            units, waiting = waiting[: bracket.points], waiting[bracket.points :]
            yield from _halved(state, plan, Box.whole(space), bracket, 0, state.add(units))
        else:
            generation += 1
            box = _refitted(state, plan, Box.whole(space) if bracket.afresh else box)
            rng = np.random.default_rng([plan.seed, _FINE, generation])
            units, state.start = propose(box, _seen(state, plan), bracket.points, rng, start=state.start)
            yield from _halved(state, plan, box, bracket, generation, state.add(units))
        try:
            bracket = asked.send(state.spent)
        except StopIteration:
            return


def _refitted(state: _State, plan: Plan, box: Box) -> Box:
    """The box around the best so far."""
    units = _seen(state, plan).units
    if not len(units):
        return Box.whole(state.space)
    best = units[: min(SURVIVORS, max(FEWEST_SURVIVORS, len(units) // 2))]
    return box.refitted(best, counts(state.space, best))


def _halved(state: _State, plan: Plan, box: Box, bracket: Bracket, generation: int, new: list[int]) -> Search:
    """New trials through rungs; whoever was left at a rung before competes with them for the next."""
    standing, rungs = new, bracket.rungs
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
        scores = yield Rung(bracket.stage, generation, step, points, dropped, box)
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


def _seen(state: _State, plan: Plan) -> Seen:
    best = state.best_first()
    units = np.array([state.units[score.trial] for score in best]).reshape(len(best), len(state.space))
    scores = np.array([score.score for score in best], dtype=np.float64)
    lengths = np.array([min(1.0, score.step / plan.full) for score in best], dtype=np.float64)
    return Seen(units, scores, lengths, plan.rungs[0] / plan.full)
