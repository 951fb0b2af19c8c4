"""The short measurement against an engine whose costs are known."""

import types
from collections.abc import Sequence
from typing import Any

import pytest

from babysit.record import Recipe, Trial, TrialScore
from babysit.tune import Speed, _sizing, measure_speed
from babysit.tune._sizing import PILOT_NUMBER
from tests.tune.engines import FormulaEngine


class Clocked(FormulaEngine):
    """Its steps, its validations and its first call for so many trials take known seconds of a clock.

    Args:
        speed: Of a step and a rung.
        first: Seconds that the first call for so many trials takes more.
        full: Steps after which a trial's own budget ends it.
    """

    def __init__(self, speed: Speed, first: float = 0.0, full: int = 100_000) -> None:
        super().__init__(full=full)
        self._speed, self._first = speed, first
        self.now = 0.0
        self.asked: list[int] = []
        self._failed: set[int] = set()

    def train(self, trials: Sequence[Trial], until_step: int, **options: Any) -> dict[int, TrialScore]:
        until = min(until_step, self.full)
        assert not self._failed & {trial.number for trial in trials}, "it takes no more steps"
        if due := until - self.at.get(trials[0].number, 0):  # else nothing is done, nor judged again
            self.now += self._speed.seconds(len(trials), due)
        self.now += self._first * (len(trials) not in self.asked)
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

    found = measure_speed(engine, make, seconds)
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
