"""A search carried out: rungs go to an engine, scores go into the Study, and all of it can be killed and taken up.

What was kept is replayed: the pure search receives the scores that it received before, asks for the same rungs, and
arrives where it stood; the engine is given back the trials' state. So the end is the same as if nothing had happened.

At its end the best points are trained in full. The rate that scores best in a search is often close to one that
explodes, and another seed may then be one too many: the next best are trained in place of points that fail.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from babysit.record import (
    Engine,
    FinishedRung,
    InputError,
    Progress,
    Recipe,
    RunFolderError,
    RungBegan,
    RungEnded,
    Setting,
    Standing,
    Study,
    StudyRung,
    StudyStage,
    StudyTrial,
    Trial,
    TrialScore,
    never_stop,
    over_folds,
    silent,
    standings,
)
from babysit.search._coarse_to_fine import Round, Rung, Search
from babysit.search._parameter import Value, text_of
from babysit.search._space import Space

Build = Callable[[Mapping[str, Value], int], Recipe]  # a point and a repeat to a recipe, every decision filled in
OUT_OF_TIME = 1.1  # times the seconds that were asked for: a search that was sized wrongly ends here


class Interrupted(Exception):  # noqa: N818  no error: what is kept goes on later
    """The search was stopped; all that was finished is kept."""


@dataclass(frozen=True)
class Members:
    """How a point becomes trials: one for each fold.

    Attributes:
        space: What is searched.
        build: Makes a recipe.
        folds: Of the data; 0 takes its own split.
    """

    space: Space
    build: Build
    folds: int = 0

    @property
    def each(self) -> int:
        """Trials a point."""
        return max(1, self.folds)

    def trials(self, first: int, point: Mapping[str, Value], repeat: int = 0) -> list[Trial]:
        """The trials of a point, numbered from `first`."""
        recipe = self.build(point, repeat)
        settings: dict[str, Setting] = {
            path: value if isinstance(value, float | int | str | bool) else text_of(value)
            for path, value in point.items()
        }
        folds: Sequence[int | None] = range(self.folds) if self.folds else (None,)
        return [Trial(first + place, recipe, settings, fold) for place, fold in enumerate(folds)]


class _Asked(NamedTuple):
    """A rung that trials are asked to stand at."""

    stage: StudyStage
    generation: int
    step: int
    trials: Sequence[Trial]
    new: Sequence[StudyTrial]  # of them, those that begin
    box: tuple[str, ...]
    widened: tuple[str, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the trials."""
        return tuple(trial.number for trial in self.trials)


class Searching:
    """One search on one engine, with its Study.

    Args:
        members: How points become trials.
        engine: That trains them.
        folder: Where to keep it; None keeps nothing.
        progress: Receives progress events.
        stop: Asked now and then; True interrupts.
        seconds: After which the search is cut short; None never is.
    """

    def __init__(
        self,
        members: Members,
        engine: Engine,
        *,
        folder: Study | None = None,
        progress: Progress = silent,
        stop: Callable[[], bool] = never_stop,
        seconds: float | None = None,
    ) -> None:
        self._members, self._engine, self._folder, self._stop = members, engine, folder, stop
        self._progress = progress
        self._seconds = seconds
        self.rungs: list[StudyRung] = []
        self.trials: dict[int, StudyTrial] = {}
        self.scores: dict[int, dict[int, TrialScore]] = {}
        self._kept = folder.rungs() if folder is not None else []
        self._kept_scores = folder.scores() if folder is not None else {}
        self._restored = not self._kept and folder is None
        self._dropped: set[int] = set()
        self._at: dict[int, int] = {}  # steps of each trial
        self._best: Standing | None = None

    def search(self, search: Search) -> None:
        """Carry out a search to its end, or until it is out of time.

        Raises:
            Interrupted: It was stopped.
            RunFolderError: The Study holds another search.
        """
        request = next(search, None)
        while request is not None:
            scores = self._carry_out(request)
            if self.out_of_time:
                search.close()
                return
            try:
                request = search.send(scores)
            except StopIteration:
                return

    @property
    def out_of_time(self) -> bool:
        """Whether the rungs so far took well more than was asked for."""
        return self._seconds is not None and sum(rung.seconds for rung in self.rungs) > OUT_OF_TIME * self._seconds

    def standings(self) -> list[Standing]:
        """Each point and how it stands, the best first."""
        return standings([*self.trials.values()], self.rungs, self.scores)

    def in_full(self, points: Sequence[int], repeats: int, step: int) -> dict[int, list[TrialScore]]:
        """Train the best points again from the beginning, with seeds of their own, to the end.

        Args:
            points: Numbers of the points.
            repeats: Seeds.
            step: Full length.

        Returns:
            Scores of each point.

        Raises:
            Interrupted: It was stopped.
        """
        each = self._members.each
        first = max(self.trials) + 1
        trials, kept = [], []
        by_point = {trial.point: trial for trial in self.trials.values()}
        for point in points:
            known = by_point[point]
            values = self._members.space.point([known.units.get(one.path, 0.5) for one in self._members.space])
            for repeat in range(1, repeats + 1):
                made = self._members.trials(first, values, repeat)
                first += each
                trials += made
                kept += [
                    StudyTrial(trial.number, point, "full", 0, trial.settings, known.units, trial.fold, repeat)
                    for trial in made
                ]
        # Of the search's own trials scores are all that is asked for from here on.
        self._dropped |= {trial.number for trial in self.trials.values() if not trial.repeat}
        scores = self._rungs([_Asked("full", 0, step, trials, kept, (), ())])
        self._restore()
        found: dict[int, list[TrialScore]] = {}
        for trial in kept:
            if trial.number in scores:
                found.setdefault(trial.point, []).append(scores[trial.number])
        return found

    def _carry_out(self, together: Round) -> dict[int, TrialScore]:
        each = self._members.each
        dropped = [number * each + fold for number in together.dropped for fold in range(each)]
        self._dropped |= set(dropped)
        scores = self._rungs([self._asked(rung) for rung in together.rungs])
        by_point: dict[int, list[TrialScore]] = {}
        for number, score in scores.items():
            by_point.setdefault(number // each, []).append(score)
        return {point: over_folds(point, group) for point, group in by_point.items() if len(group) == each}

    def _asked(self, rung: Rung) -> _Asked:
        """A rung of points as one of trials."""
        trials, new = [], []
        for number, point in rung.points.items():
            made = self._members.trials(number * self._members.each, point)
            trials += made
            units = dict(zip((one.path for one in self._members.space), self._members.space.units(point), strict=True))
            shown = {path: unit for path, unit in units.items() if path in point}
            new += [
                StudyTrial(trial.number, number, rung.stage, rung.generation, trial.settings, shown, trial.fold)
                for trial in made
                if trial.number not in self.trials
            ]
        widened = tuple(path for path, _ in rung.box.widened)
        return _Asked(rung.stage, rung.generation, rung.step, trials, new, tuple(rung.box.text()), widened)

    def _rungs(self, asked: Sequence[_Asked]) -> dict[int, TrialScore]:
        """Rungs that are trained at the same time; those that the Study holds are taken from there."""
        first = len(self.rungs)
        held = {place: self._held(place, one) for place, one in enumerate(asked, first) if place < len(self._kept)}
        for place, one in enumerate(asked, first):
            self._progress(RungBegan(one.stage, one.generation, one.step, len(one.trials), place in held))
            self.trials |= {trial.number: trial for trial in one.new}
        finished = [*held.values()]
        if fresh := {place: one for place, one in enumerate(asked, first) if place not in held}:
            made = self._finished(fresh)
            if self._folder is not None:
                self._folder.keep_rungs(made, self._engine.state())
            finished += made
        found: dict[int, TrialScore] = {}
        for rung, _, scores in finished:
            self.rungs.append(rung)
            self.scores[rung.number] = scores
            self._at |= {number: score.step for number, score in scores.items()}
            self._progress(RungEnded(rung, scores, self._best_after(rung.trials)))
            found |= scores
        return found

    def _held(self, place: int, asked: _Asked) -> FinishedRung:
        """A rung out of the Study.

        Raises:
            RunFolderError: The Study holds another there.
        """
        rung = self._kept[place]
        if (rung.stage, rung.step, rung.trials) != (asked.stage, asked.step, asked.numbers):
            raise RunFolderError(
                "the Study holds another search than the one that is to go on",
                cause="it was made by another version, or its files were changed",
                write="tune again, into another --out",
            )
        return FinishedRung(rung, tuple(asked.new), self._kept_scores.get(place, {}))

    def _finished(self, fresh: Mapping[int, _Asked]) -> list[FinishedRung]:
        """Train rungs, by their numbers; the time that it took is shared among them by the steps that they took."""
        trials = [trial for one in fresh.values() for trial in one.trials]
        began = time.monotonic()
        scores = self._train(trials, {trial.number: one.step for one in fresh.values() for trial in one.trials})
        took = time.monotonic() - began
        steps = {
            place: sum(scores[number].step - self._at.get(number, 0) for number in one.numbers if number in scores)
            for place, one in fresh.items()
        }
        whole = sum(steps.values())
        return [
            FinishedRung(
                StudyRung(
                    place,
                    one.stage,
                    one.generation,
                    one.step,
                    one.numbers,
                    one.box,
                    one.widened,
                    took * steps[place] / whole if whole else took / len(fresh),
                ),
                tuple(one.new),
                {number: scores[number] for number in one.numbers if number in scores},
            )
            for place, one in fresh.items()
        ]

    def _train(self, trials: Sequence[Trial], steps: Mapping[int, int]) -> dict[int, TrialScore]:
        self._restore()
        self._engine.drop(self._dropped)
        self._dropped.clear()
        scores = self._engine.train(trials, steps, stop=self._stop, progress=self._progress)
        if self._stop() and len(scores) < len(trials):
            if self._folder is not None:
                self._folder.keep_state(self._engine.state())
            raise Interrupted
        return scores

    def _best_after(self, numbers: Sequence[int]) -> Standing | None:
        """The best of the search so far; only trials of the newest rung can have become it."""
        here = [self.trials[number] for number in numbers]
        for standing in standings(here, self.rungs, self.scores)[:1]:
            if not standing.failed and (self._best is None or _better(standing, self._best)):
                self._best = standing
        return self._best

    def _restore(self) -> None:
        """Give the engine what the Study holds, once."""
        if self._restored:
            return
        self._restored = True
        state = self._folder.state() if self._folder is not None else None
        if state is not None:
            self._engine.restore(state)


def _better(one: Standing, other: Standing) -> bool:
    longest = max(one.step, other.step)
    ours, theirs = (one.reached(longest), one.score), (other.reached(longest), other.score)
    return ours > theirs or one.point == other.point


def recipe_builder(space: Space, recipe: Recipe, fill: Callable[[Recipe], Recipe]) -> Build:
    """Points to recipes: settings applied, then every decision that is left filled in.

    Args:
        space: What is searched.
        recipe: That is varied, as its user wrote it.
        fill: Fills decisions in.
    """

    def build(point: Mapping[str, Value], repeat: int) -> Recipe:
        try:
            filled = fill(space.apply(recipe, point))
        except InputError as error:
            chosen = ", ".join(f"{path}={text_of(value)}" for path, value in point.items())
            raise InputError(
                f"a point of the space is not a legal recipe: {chosen}",
                cause=error.given,
                write="a condition: NAME=LOW:HIGH if OTHER=VALUE",
            ) from error
        return filled if not repeat else replace_seed(filled, recipe.seed + repeat)

    return build


def replace_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another seed."""
    return recipe.model_copy(update={"seed": seed % 2**63})


MOST_ROUNDS = 4  # of so many points in full; by then it is the space, not the point


def best_points(standings: Sequence[Standing]) -> list[int]:
    """Points to train in full, the best first: those that came furthest.

    Args:
        standings: Of all points.
    """
    fit = [standing for standing in standings if not standing.failed]
    longest = max((standing.step for standing in fit), default=0)
    there = [standing for standing in fit if standing.reached(longest) == longest]
    there = sorted(there, key=lambda standing: (-standing.score, standing.loss, standing.point))
    found: dict[str, int] = {}
    for standing in there or fit:
        # Points at the end of a range may be the same: the first stands for all.
        found.setdefault(repr(sorted(standing.settings.items())), standing.point)
    return [*found.values()]


def sound(score: TrialScore) -> bool:
    """Whether a training ended with a number."""
    return not score.failed and math.isfinite(score.score)


def train_in_full(searching: Searching, count: int, repeats: int, step: int) -> dict[int, list[TrialScore]]:
    """Train the best points again from the beginning; while each has a training that fails, the next best, too.

    Args:
        searching: The search, at its end.
        count: Points at a time.
        repeats: Seeds of each.
        step: Full length.

    Returns:
        Scores of each point, of those that failed, too.

    Raises:
        Interrupted: It was stopped.
    """
    points = best_points(searching.standings())
    found: dict[int, list[TrialScore]] = {}
    for first in range(0, min(len(points), MOST_ROUNDS * count), count):
        found |= searching.in_full(points[first : first + count], repeats, step)
        if any(all(map(sound, scores)) for scores in found.values()):
            break
    return found
