"""The short measurement against an engine whose costs are known."""

import math
import types
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from babysit.record import Recipe, Trial, TrialScore, Until, steps_for
from babysit.search import Plan, Speed, _sizing, measure_runs, measure_speed, predicted_seconds, sized
from babysit.search._sizing import PILOT_NUMBER, JudgedShare, on_all
from tests.search.engines import FormulaEngine


class Clocked(FormulaEngine):
    """Its steps, its validations and its first call for so many trials take known seconds of a clock.

    Args:
        speed: Of a step and a rung.
        first: Seconds that the first call for so many trials takes more, and the first of so much work.
        full: Steps after which a trial's own budget ends it.
        share: Of the rows, that it judges on.
    """

    def __init__(self, speed: Speed, first: float = 0.0, full: int = 100_000, share: JudgedShare = on_all) -> None:
        super().__init__(full=full)
        self._speed, self._first, self.share = speed, first, share
        self.now = 0.0
        self.asked: list[int] = []
        self._failed: set[int] = set()
        self._much = 0

    def train(self, trials: Sequence[Trial], until_step: Until, **options: Any) -> dict[int, TrialScore]:
        until = min(*steps_for(trials, until_step).values(), self.full)
        assert not self._failed & {trial.number for trial in trials}, "it takes no more steps"
        if due := until - self.at.get(trials[0].number, 0):  # else nothing is done, nor judged again
            self.now += self._speed.seconds(len(trials), due, self.share(until))
        self.now += self._first * (len(trials) not in self.asked)
        if due * len(trials) > 1.5 * self._much:  # as layouts are compared where that is worth it
            self.now += self._first
            self._much = due * len(trials)
        self.asked.append(len(trials))
        scores = super().train(trials, until, **options)
        self._failed |= {number for number, score in scores.items() if score.failed}
        return scores


def measured(engine: Clocked, seconds: float, monkeypatch: pytest.MonkeyPatch, failing: int = 0) -> Speed:
    """With every so many-th trial failing in its first rung."""
    monkeypatch.setattr(_sizing, "time", types.SimpleNamespace(monotonic=lambda: engine.now))
    recipe = Recipe()

    def make(first: int, count: int) -> list[Trial]:
        rates = {n: 10.0 if failing and n % failing == 0 else 0.01 for n in range(first, first + count)}
        return [Trial(number, recipe, {"optimizer.lr": rate}) for number, rate in rates.items()]

    found = measure_speed(engine, make, seconds, engine.share)
    assert engine.at.keys() == engine.dropped, "all are dropped"
    return found


@pytest.mark.parametrize(
    "speed",
    [
        Speed(once=0.001, each=0.0001, judged=0.0005),  # a small network, stacked
        Speed(once=0.0, each=0.0005, judged=0.03),  # validating takes longer than many steps
        Speed(once=0.0, each=0.015, judged=0.2),  # a convolutional one, of which few fit
    ],
)
@pytest.mark.parametrize("failing", [0, 2])
def test_what_a_step_and_a_rung_take_is_found(speed: Speed, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(Clocked(speed, first=2.0), 60.0, monkeypatch, failing)
    assert found.each == pytest.approx(speed.each, rel=0.15, abs=1e-6)
    assert found.judged == pytest.approx(speed.judged, rel=0.3)
    assert found.once == pytest.approx(speed.once, rel=0.3, abs=1e-5)


@pytest.mark.parametrize("full", [5, 20, 26, 40, 50, 58, 60, 100, 130])
def test_trials_that_end_early_are_never_thought_quick(full: int, monkeypatch: pytest.MonkeyPatch) -> None:
    speed = Speed(once=0.001, each=0.0005, judged=0.002)
    found = measured(Clocked(speed, full=full), 60.0, monkeypatch)
    assert found.seconds(20, full) >= 0.8 * speed.seconds(20, full)


def test_judging_on_a_part_of_the_rows_is_told_as_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = Speed(once=0.0, each=0.0005, judged=0.3)
    found = measured(Clocked(speed, share=lambda step: 0.1), 60.0, monkeypatch)
    assert found.judged == pytest.approx(0.3, rel=0.3)
    assert found.each == pytest.approx(0.0005, rel=0.15)
    growing = measured(Clocked(speed, share=lambda step: min(1.0, step / 1000)), 60.0, monkeypatch)
    assert growing.each + growing.judged / 1000 >= 0.0008, "never thought quicker than it is"


def test_judging_that_grows_is_not_taken_for_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows double now and then: what is compared is judged on equally many."""
    speed = Speed(once=0.0005, each=0.0005, judged=2.0)
    doubling = [n for n in range(10) for _ in range(2**n)]
    found = measured(Clocked(speed, share=lambda step: 2.0 ** (doubling[step // 16] - 10)), 60.0, monkeypatch)
    assert found.each == pytest.approx(speed.each, rel=0.1)
    assert found.once == pytest.approx(speed.once, rel=0.2)


def test_one_trial_takes_as_long_as_one_on_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = Speed(once=0.001, each=0.0002, side_by_side=4)
    engine = Clocked(speed)
    engine.side_by_side = 4
    found = measured(engine, 60.0, monkeypatch)
    assert found.side_by_side == 4
    assert found.each == pytest.approx(speed.each, rel=0.1)
    assert found.once == pytest.approx(speed.once, rel=0.1)
    assert speed.seconds(1, 100) == speed.seconds(4, 100) < speed.seconds(5, 100) == speed.seconds(8, 100)
    assert speed.seconds(0, 100) == 0.0


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_workers_that_share_cores_count_as_the_cores(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    speed = Speed(once=0.0, each=0.001 / cores, side_by_side=cores)
    engine = Clocked(speed)
    engine.side_by_side = 8
    found = measured(engine, 120.0, monkeypatch)
    for trials in (1, 8, 24):
        assert found.seconds(trials, 100) == pytest.approx(speed.seconds(trials, 100), rel=0.15)


def test_a_plan_leaves_a_reserve() -> None:
    speed = Speed(once=0.001, each=0.0005, side_by_side=2)
    plan = sized(Plan(full=900, budget=0, lowest=100, workers=2), speed, 60.0)
    assert 0.85 * 0.8 * 60.0 < predicted_seconds(plan, speed) <= 0.85 * 60.0


def test_a_plan_is_judged_on_the_rows_there_are() -> None:
    plan = Plan(full=900, budget=9000, lowest=100)
    judging = Speed(once=0.0, each=0.0, judged=1.0)
    on_every_row = predicted_seconds(plan, judging)
    assert predicted_seconds(plan, judging, share=lambda step: 0.5) == pytest.approx(on_every_row / 2)
    at_full_length = predicted_seconds(plan, judging, share=lambda step: float(step == 900))
    assert 1 < at_full_length < on_every_row / 3


@pytest.mark.parametrize(("share", "seconds"), [(0.11, 20.0), (0.11, 80.0), (1.0, 80.0)])
def test_slow_validation_is_not_measured_for_long(
    share: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A convolutional network on MNIST's rows: to measure eight trials of it took a third of a search's time."""
    engine = Clocked(Speed(once=0.0, each=0.015, judged=0.65), share=lambda step: share)
    measured(engine, seconds, monkeypatch)
    assert engine.now < max(3.0, 0.15 * seconds)


def test_where_all_fail_it_is_guessed_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(Clocked(Speed(once=0.0, each=0.001)), 30.0, monkeypatch, failing=1).each == pytest.approx(0.001)


def test_few_seconds_are_not_spent_on_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Clocked(Speed(once=0.0, each=0.015))
    measured(engine, 30.0, monkeypatch)
    assert engine.now < 0.15 * 30.0
    quick = Clocked(Speed(once=0.001, each=0.0001))
    measured(quick, 30.0, monkeypatch)
    assert max(quick.asked) > 8
    assert PILOT_NUMBER > 10**8, "far from the search's own numbers"


class Runs(FormulaEngine):
    """Runs each trial from its first step at each rung, as scripts are: so many seconds before it, and for each."""

    now, start, step = 0.0, 2.0, 0.05

    def train(self, trials: Sequence[Trial], until_step: Until, **options: Any) -> dict[int, TrialScore]:
        scores = super().train(trials, until_step, **options)
        times = [
            0.1 if scores[one.number].failed else self.start + self.step * scores[one.number].step for one in trials
        ]
        self.now += max(times) * math.ceil(len(trials) / self.side_by_side)
        return scores


@pytest.mark.parametrize("failing", [(), (0,), (0, 1, 2, 3)])
@pytest.mark.parametrize(("lowest", "full"), [(3, 27), (1, 1), (40, 360)])
def test_what_a_run_of_a_script_takes_is_found(
    lowest: int, full: int, failing: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Runs(full=full)
    engine.side_by_side = 2
    monkeypatch.setattr(_sizing, "time", types.SimpleNamespace(monotonic=lambda: engine.now))

    def make(first: int, count: int) -> list[Trial]:
        numbers = range(first, first + count)
        return [
            Trial(one, Recipe(), {"optimizer.lr": 10.0 if one - PILOT_NUMBER in failing else 0.01}) for one in numbers
        ]

    found = measure_runs(engine, make, 100.0, lowest, full)
    assert engine.dropped == engine.at.keys()
    for trials in (1, 2, 3, 8):
        in_full = math.ceil(trials / 2) * (engine.start + engine.step * full)
        assert found.seconds(trials, full) == pytest.approx(in_full, rel=0.05)
    plan = sized(Plan(full=full, budget=0, lowest=lowest, workers=2), found, 200.0)
    assert predicted_seconds(plan, found) > predicted_seconds(plan, replace(found, from_the_start=False)) or full == 1


def test_a_long_run_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Runs(full=900)
    monkeypatch.setattr(_sizing, "time", types.SimpleNamespace(monotonic=lambda: engine.now))
    found = measure_runs(engine, lambda first, count: [Trial(first, Recipe(), {"optimizer.lr": 0.01})], 20.0, 100, 900)
    assert len(engine.calls) == 1
    assert found.seconds(1, 100) == pytest.approx(7.0)
