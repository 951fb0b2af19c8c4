"""Rungs that are trained at the same time: who begins when, what it costs, and that a search so carried out resumes."""

import dataclasses
import importlib
import itertools
import json
import math
import pathlib
import types
from collections.abc import Callable
from typing import Any

import pytest

from babysit.record import FinishedRung, Recipe, RunFolderError, Study, StudyRung, TrialScore
from babysit.search import (
    Members,
    Plan,
    Round,
    Searching,
    Space,
    Speed,
    coarse_to_fine,
    predicted_seconds,
    recipe_builder,
)
from babysit.search._plan import Underway, brackets, rounds
from babysit.search._rungs import cost
from tests.search.engines import FormulaEngine
from tests.search.test_coarse_to_fine import FULL, SPACE, hill, run_rounds, score, spent

_search = importlib.import_module("babysit.search._search")  # `babysit.tune` is a function, too


def asked_for(plan: Plan) -> list[list[Underway]]:
    """What stands where in each round, were no trial to fail."""
    asked, found, steps = rounds(plan), [], 0.0
    underway = next(asked)
    while True:
        found.append([dataclasses.replace(one) for one in underway])
        steps += sum(one.standing * (one.step - one.before) for one in underway)
        try:
            underway = asked.send(steps)
        except StopIteration:
            return found


def test_one_worker_is_given_one_rung_after_the_other() -> None:
    plan = Plan(FULL, 40 * FULL, lowest=10)
    found = asked_for(plan)
    assert all(len(underway) == 1 for underway in found)
    asked, steps = brackets(plan), 0
    bracket = next(asked)
    for _, group in itertools.groupby((one for (one,) in found), key=lambda one: one.number):
        assert [(one.bracket, one.step) for one in group] == [(bracket, step) for step in bracket.rungs]
        steps += cost(bracket.points, bracket.rungs)
        try:
            bracket = asked.send(steps)
        except StopIteration:
            break


@pytest.mark.parametrize("workers", [2, 8, 100])
@pytest.mark.parametrize("budget", [3, 10, 60])
def test_while_workers_would_wait_the_next_bracket_begins(workers: int, budget: int) -> None:
    found = asked_for(Plan(FULL, budget * FULL, lowest=10, workers=workers))
    busy = min(workers, 10)  # beyond, too little is known where points are drawn
    last, newest = max(one.number for underway in found for one in underway), -1
    for underway in found:
        newest = max(newest, *(one.number for one in underway))
        numbers = [one.number for one in underway]
        assert numbers == sorted(numbers), "those that began first are at the front"
        standing = [one.standing for one in underway]
        if newest < last:
            assert sum(standing) >= busy
        begun = [one for one in underway if not one.place]
        assert all(sum(standing[: numbers.index(one.number)]) < busy for one in begun), "no sooner than it must"
    for number in range(last + 1):
        course = [(place, one) for place, underway in enumerate(found) for one in underway if one.number == number]
        assert [one.step for _, one in course] == list(course[0][1].bracket.rungs), "each of its rungs once"
        assert [place for place, _ in course] == list(range(course[0][0], course[0][0] + len(course))), "without a gap"


@pytest.mark.parametrize("workers", [1, 2, 8, 100])
@pytest.mark.parametrize("budget", [3, 10, 40])
def test_the_budget_is_kept(workers: int, budget: int) -> None:
    plan = Plan(FULL, budget * FULL, lowest=10, workers=workers)
    _, courses = run_rounds(plan)
    assert 0.7 * plan.budget < spent(courses) <= plan.budget


@pytest.mark.parametrize("workers", [2, 8])
def test_the_best_go_on_whatever_their_bracket(workers: int) -> None:
    """Of all that stand at the rung before, and that no other bracket has taken: by hand, from the scores alone."""
    plan = Plan(FULL, 30 * FULL, lowest=10, workers=workers)
    asked = coarse_to_fine(SPACE, plan)
    at: dict[int, int] = {}
    told: dict[int, TrialScore] = {}
    together: Round | None = next(asked)
    gone: set[int] = set()
    while together is not None:
        gone |= set(together.dropped)
        taken: set[int] = set()
        for rung in together.rungs:
            going = [number for number in rung.points if number in at]
            if going:
                (before,) = {at[number] for number in going}
                left = [n for n in at if at[n] == before and n not in gone and n not in taken and not told[n].failed]
                assert max(plan.rungs[:-1]) >= before
                best = sorted(left, key=lambda n: (-told[n].score, told[n].loss, n))[: len(going)]
                assert sorted(best) == sorted(going)
            taken |= set(rung.points)
        scores = {n: score(n, s, hill(together.points[n], s / FULL)) for n, s in together.steps.items()}
        at |= together.steps
        told |= scores
        try:
            together = asked.send(scores)
        except StopIteration:
            together = None


def by_hand(plan: Plan, speed: Speed) -> float:
    """Each round as jobs on cores, the longest first."""
    total = 0.0
    for underway in asked_for(plan):
        cores = [0.0] * speed.side_by_side
        jobs: list[float] = []
        for one in underway:
            count = min(one.standing, speed.side_by_side)
            members = math.ceil(one.standing / count)
            jobs += [(one.step - one.before) * (speed.once + speed.each * speed.side_by_side * members)] * count
        for job in sorted(jobs, reverse=True):
            cores[cores.index(min(cores))] += job
        total += max(cores)
    return total


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("speed", [Speed(0.0, 1.0), Speed(2.0, 0.3)])
def test_the_time_of_rounds_is_that_of_jobs_on_cores(workers: int, speed: Speed) -> None:
    speed = dataclasses.replace(speed, side_by_side=workers)
    plan = Plan(FULL, 30 * FULL, lowest=10, workers=workers)
    found, exact = predicted_seconds(plan, speed), by_hand(plan, speed)
    assert found <= exact * 1.0001, "as if jobs could be cut anywhere"
    assert found > 0.85 * exact
    alone = predicted_seconds(dataclasses.replace(plan, workers=1), speed)
    assert found <= alone if workers == 1 else found < alone


class DeathError(Exception):
    """In place of a kill."""


class Mortal(FormulaEngine):
    """Dies in one of its calls, some of its trials trained."""

    def __init__(self, dies_at: int | None) -> None:
        super().__init__(full=FULL)
        self._dies_at = dies_at
        self.side_by_side = 2

    def train(self, trials: Any, until_step: Any, **options: Any) -> dict[int, TrialScore]:
        scores = super().train(trials, until_step, **options)
        if self._dies_at == len(self.calls):
            raise DeathError
        return scores


def searched(path: pathlib.Path, dies_at: int | None, plan: Plan) -> tuple[Searching, Mortal]:
    space = Space(["lr=1e-6:10:log", "dropout=0:0.5"])
    if not path.exists():
        info = {
            "kind": "script", "subject": "", "space": (), "given": (), "plan": {}, "options": {}, "fingerprint": "",
        }  # fmt: skip
        Study.create(path, info, None)
    build = recipe_builder(space, Recipe(), lambda recipe: recipe)
    engine = Mortal(dies_at)
    searching = Searching(Members(space, build), engine, folder=Study(path))
    searching.search(coarse_to_fine(space, plan))
    return searching, engine


def kept(path: pathlib.Path) -> str:
    study = Study(path)
    rungs = [rung._replace(seconds=0) for rung in study.rungs()]
    return json.dumps([rungs, [trial.number for trial in study.trials()], repr(study.scores())])


def test_a_search_killed_in_any_round_ends_as_if_it_had_not_been(tmp_path: pathlib.Path) -> None:
    plan = Plan(FULL, 10 * FULL, lowest=10, workers=2, generations=3)
    whole, engine = searched(tmp_path / "whole", None, plan)
    expected, calls = kept(tmp_path / "whole"), len(engine.calls)
    assert len(whole.rungs) > calls, "some rungs were trained at the same time"
    for dies_at in range(1, calls + 1):
        path = tmp_path / str(dies_at)
        with pytest.raises(DeathError):
            searched(path, dies_at, plan)
        finished = Study(path).rungs()
        _, again = searched(path, None, plan)
        assert kept(path) == expected
        assert len(again.calls) == calls - dies_at + 1, "no finished round is trained again"
        assert [rung.trials for rung in Study(path).rungs()[: len(finished)]] == [one.trials for one in finished]


def test_time_is_shared_among_rungs_by_their_steps(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count(0.0, 10.0)
    monkeypatch.setattr(_search, "time", types.SimpleNamespace(monotonic=lambda: next(now)))
    searching, engine = searched(tmp_path / "study", None, Plan(FULL, 10 * FULL, lowest=10, workers=2, generations=3))
    assert sum(rung.seconds for rung in searching.rungs) == pytest.approx(10.0 * len(engine.calls))
    place, at, shared = 0, dict[int, int](), 0
    for call in engine.calls:
        here: list[StudyRung] = []
        while sum(len(rung.trials) for rung in here) < len(call):
            here.append(searching.rungs[place])
            place += 1
        steps = [sum(rung.step - at.get(number, 0) for number in rung.trials) for rung in here]
        at |= {number: rung.step for rung in here for number in rung.trials}
        assert [rung.seconds for rung in here] == pytest.approx([10.0 * one / sum(steps) for one in steps])
        shared += len(here) > 1
    assert shared


@pytest.fixture
def study(tmp_path: pathlib.Path) -> Study:
    info = {"kind": "script", "subject": "", "space": (), "given": (), "plan": {}, "options": {}, "fingerprint": ""}
    return Study.create(tmp_path / "study", info, None)


def finished(number: int, trials: tuple[int, ...], scored: Callable[[int], float]) -> FinishedRung:
    rung = StudyRung(number, "coarse", 0, 10, trials, (), (), 1.0)
    return FinishedRung(rung, (), {trial: score(trial, 10, scored(trial)) for trial in trials})


def test_rungs_are_kept_together_or_not_at_all(study: Study) -> None:
    first, second = finished(0, (0, 1), lambda trial: 0.5), finished(1, (2,), lambda trial: 0.7)
    study.keep_rungs([first, second], b"state")
    assert [rung.trials for rung in study.rungs()] == [(0, 1), (2,)]
    assert study.scores() == {0: first.scores, 1: second.scores}
    assert study.state() == b"state"
    third, taken = finished(2, (0,), lambda trial: 0.6), finished(1, (2,), lambda trial: 0.7)
    with pytest.raises(RunFolderError):
        study.keep_rungs([third, taken], None)
    assert [rung.trials for rung in study.rungs()] == [(0, 1), (2,)]
    assert study.state() == b"state"
