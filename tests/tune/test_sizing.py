"""The short measurement against an engine whose costs are known."""

import types
from collections.abc import Callable, Collection, Sequence

import pytest

from babysit.record import Recipe, Trial, TrialProgress, TrialScore, never, untold
from babysit.tune import Speed, _sizing, measure_speed
from babysit.tune._sizing import PILOT_NUMBER


class Clocked:
    """An engine that trains nothing: its steps, validations and first call take known seconds of a clock.

    Args:
        speed: Of a step and a rung.
        first: Seconds that the first call for so many trials takes more.
        failing: Every so many-th trial fails in its first rung.
    """

    def __init__(self, speed: Speed, first: float = 0.0, failing: int = 0) -> None:
        self._speed, self._first, self._failing = speed, first, failing
        self.now = 0.0
        self.at: dict[int, int] = {}
        self.asked: list[tuple[int, int]] = []
        self._known: set[int] = set()

    def train(
        self,
        trials: Sequence[Trial],
        until_step: int,
        *,
        stop: Callable[[], bool] = never,
        tell: Callable[[TrialProgress], None] = untold,
    ) -> dict[int, TrialScore]:
        due = until_step - self.at.get(trials[0].number, 0)
        assert not any(self._fails(trial) and trial.number in self.at for trial in trials), "it takes no more steps"
        self.now += self._speed.seconds(len(trials), due)
        if len(trials) not in self._known:
            self.now += self._first
        self._known.add(len(trials))
        self.at |= {trial.number: until_step for trial in trials}
        self.asked.append((len(trials), due))
        return {
            trial.number: TrialScore(
                trial.number, until_step, 1.0, 0.5, "accuracy", 2.0, 1.0,
                "diverged" if self._fails(trial) else "alive", 0.0,
            )
            for trial in trials
        }  # fmt: skip

    def _fails(self, trial: Trial) -> bool:
        return bool(self._failing) and trial.number % self._failing == 0

    def drop(self, numbers: Collection[int]) -> None:
        for number in numbers:
            del self.at[number]


def measured(engine: Clocked, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Speed:
    monkeypatch.setattr(_sizing, "time", types.SimpleNamespace(monotonic=lambda: engine.now))
    recipe = Recipe()
    return measure_speed(engine, lambda first, count: [Trial(first + n, recipe) for n in range(count)], seconds)  # type: ignore[arg-type]


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
    engine = Clocked(speed, first=2.0, failing=failing)
    found = measured(engine, 60.0, monkeypatch)
    assert found.each == pytest.approx(speed.each, rel=0.15, abs=1e-6)
    assert found.judged == pytest.approx(speed.judged, rel=0.3)
    assert found.once == pytest.approx(speed.once, rel=0.3, abs=1e-5)
    assert not engine.at, "all are dropped"


def test_where_all_fail_it_is_guessed_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Clocked(Speed(once=0.0, each=0.001), failing=1)
    found = measured(engine, 30.0, monkeypatch)
    assert found.each == pytest.approx(0.001)
    assert not engine.at


def test_few_seconds_are_not_spent_on_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Clocked(Speed(once=0.0, each=0.015))
    measured(engine, 30.0, monkeypatch)
    assert engine.now < 0.15 * 30.0
    quick = Clocked(Speed(once=0.001, each=0.0001))
    measured(quick, 30.0, monkeypatch)
    assert max(count for count, _ in quick.asked) > 8
    assert PILOT_NUMBER > 10**8, "far from the search's own numbers"
