"""The search itself: coarse, then fine, each with rungs. Pure: it asks for scores and receives them.

    coarse     many points, spread evenly, in waves that grow; rungs by successive halving
    fine       after each wave, the box is refitted around the survivors; in each of some generations new points are
               drawn in it, go through the higher rungs, and compete with all that ever stood there

Where an engine trains several trials side by side, the next of them begin beside the few at the upper rungs.

It is a generator: it yields what should stand at which rung and is sent the scores. So the same code searches on this
machine, on a cluster, on recorded curves; and a search that was killed goes on by receiving what was already found.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import Tensor

from babysit.record import InputError, TrialScore
from babysit.search._box import Box
from babysit.search._parameter import Value
from babysit.search._plan import Plan, Stage, Underway, rounds
from babysit.search._points import Units, counts, points_of, snapped
from babysit.search._proposals import Seen, propose
from babysit.search._rungs import going_on, is_ended, may_go_on, rank_key, ranked
from babysit.search._space import Space
from babysit.training import computing_with

SURVIVORS, FEWEST_SURVIVORS = 10, 3  # trials that the box is refitted around: the better half of few
LEFT_BEHIND = 24  # trials kept at each rung, should they turn out to be among the best there after all
_FINE = 3  # stream of the seed


class Rung(NamedTuple):
    """Points that should stand at a step."""

    stage: Stage
    generation: int  # from 1, over the whole search; 0 is the coarse stage
    step: int
    points: dict[int, Mapping[str, Value]]  # by number, in the order of their numbers; those of earlier rungs go on
    box: Box


class Round(NamedTuple):
    """What is asked for: rungs of different points, to be trained at the same time."""

    rungs: tuple[Rung, ...]
    dropped: tuple[int, ...] = ()  # numbers that will not be asked for again

    @property
    def points(self) -> dict[int, Mapping[str, Value]]:
        """Of all rungs, by number."""
        return {number: point for rung in self.rungs for number, point in rung.points.items()}

    @property
    def steps(self) -> dict[int, int]:
        """Where each should stand, by number."""
        return {number: rung.step for rung in self.rungs for number in rung.points}


Scores = Mapping[int, TrialScore]
Search = Generator[Round, Scores, None]


@dataclass
class _State:
    """What the search has seen."""

    space: Space
    box: Box  # of the newest generation
    full: int  # steps of a full trial
    waiting: Units  # coarse points that have not been tried yet
    generation: int = 0
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

    def told(self, scores: Scores, steps: Mapping[int, int]) -> None:
        """Scores came, of trials that should stand at so many steps."""
        for number, score in scores.items():
            before = self.latest[number].step if number in self.latest else 0
            self.spent += max(0, score.step - before)
            # A trial whose patience is spent has come as far as it can: it stands where full ones do.
            self.latest[number] = score
            self.rung_of[number] = self.full if is_ended(score) else steps[number]

    def best_first(self) -> list[TrialScore]:
        """All trials that did not fail: those at the highest rung first, there the best first."""
        fit = [score for score in self.latest.values() if not score.failed and np.isfinite(score.score)]
        return sorted(fit, key=lambda score: (-self.rung_of[score.trial], rank_key(score)))


def coarse_to_fine(space: Space, plan: Plan) -> Search:
    """Ask for rounds of rungs until the budget is spent.

    Args:
        space: What is searched.
        plan: How much.

    Yields:
        A Round; it wants to be sent the scores of its points, by number. A missing score counts as a failure.

    Raises:
        InputError: The budget does not bear one trial.
    """
    count = plan.coarse_points
    if not count:
        raise InputError(
            f"a budget of {plan.budget:g} steps does not bear one trial of {plan.full}",
            write="--trials 10, or more --seconds",
        )
    drawn = points_of(plan.points, space, count, plan.seed)
    if plan.first:
        known = np.array(plan.first, dtype=np.float64).reshape(-1, len(space))
        drawn = np.concatenate([known, drawn])[: max(count, 1)]
    box = Box.whole(space)
    state = _State(space, box, plan.full, waiting=snapped(space, box.stretch(drawn)))
    asked, begun = rounds(plan), dict[int, tuple[int, Box]]()
    underway = next(asked)
    while True:
        rungs: list[Rung] = []
        standing: set[int] = set()
        for one in underway:
            if one.place:
                numbers = _going_on(state, plan, one, standing)
            else:
                numbers = _new(state, plan, one)
                begun[one.number] = (state.generation, state.box) if one.bracket.stage == "fine" else (0, box)
            standing |= set(numbers)
            if numbers:
                generation, around = begun[one.number]
                points: dict[int, Mapping[str, Value]] = {
                    number: space.point(state.units[number].tolist()) for number in sorted(numbers)
                }
                rungs.append(Rung(one.bracket.stage, generation, one.step, points, around))
        if rungs:
            dropped = _to_drop(state, plan, standing)
            state.dropped |= set(dropped)
            together = Round(tuple(rungs), dropped)
            state.told((yield together), together.steps)
        try:
            underway = asked.send(state.spent)
        except StopIteration:
            return


def _new(state: _State, plan: Plan, one: Underway) -> list[int]:
    """New points for a bracket that begins."""
    if one.bracket.stage == "coarse":
        units, state.waiting = state.waiting[: one.standing], state.waiting[one.standing :]
        return state.add(units)
    state.generation += 1
    state.box = _refitted(state, plan, Box.whole(state.space) if one.bracket.afresh else state.box)
    rng = np.random.default_rng([plan.seed, _FINE, state.generation])
    # The process is so small that a second thread gains a fifth, and loses all where helpers take the other core.
    with computing_with(1):
        units, state.start = propose(state.box, _seen(state, plan), one.standing, rng, start=state.start)
    return state.add(units)


def _refitted(state: _State, plan: Plan, box: Box) -> Box:
    """The box around the best so far."""
    units = _seen(state, plan).units
    if not len(units):
        return Box.whole(state.space)
    best = units[: min(SURVIVORS, max(FEWEST_SURVIVORS, len(units) // 2))]
    return box.refitted(best, counts(state.space, best))


def _going_on(state: _State, plan: Plan, one: Underway, taken: set[int]) -> list[int]:
    """Who goes on to a bracket's next rung: the best of all that stand at the rung before, whatever their bracket.

    Trials whose patience was spent by then have a place among the best, which costs no step: nobody else takes it.
    """
    here = {
        number: score
        for number, score in state.latest.items()
        if state.rung_of[number] == one.before and number not in state.dropped and number not in taken
    }
    ended = [score for score in state.latest.values() if is_ended(score) and score.step <= one.before]
    best = {score.trial for score in ranked([*here.values(), *ended])[: one.standing]}
    return [number for number in going_on(here, one.standing, chance_from=plan.chance_from) if number in best]


def _to_drop(state: _State, plan: Plan, standing: set[int]) -> tuple[int, ...]:
    """Trials that will not be asked for again: failed, at full length, or too far behind at their rung."""
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
    lengths = np.array(
        [1.0 if is_ended(score) else min(1.0, score.step / plan.full) for score in best], dtype=np.float64
    )
    return Seen(units, scores, lengths, plan.rungs[0] / plan.full)
