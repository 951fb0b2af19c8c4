"""Engines that train nothing: a score is a formula of the settings and the steps, so that every answer is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import numpy as np

from babysit.record import (
    Decision,
    InputError,
    Trial,
    TrialProgress,
    TrialScore,
    Until,
    never_stop,
    silent,
    steps_for,
)
from babysit.record import Setting as Value

Formula = Callable[[dict[str, Value], float], float]  # settings and share of a full trial to a score; NaN fails


def peak(settings: dict[str, Value], share: float) -> float:
    """Highest at a rate of 1e-2 and no dropout; rates above 1 diverge; the more steps, the nearer."""
    rate = float(settings["optimizer.lr"])
    if rate > 1:
        return math.nan
    width = math.log10(rate) + 2
    dropout = float(settings.get("model.dropout", 0.0))
    return (1 - 0.3 * math.exp(-5 * share)) * math.exp(-(width**2) / 4) * (1 - 0.2 * dropout)


class FormulaEngine:
    """Scores by a formula; counts the steps it was asked for, and remembers who was dropped."""

    def __init__(self, formula: Formula = peak, full: int = 270) -> None:
        self.formula, self.full = formula, full
        self.at: dict[int, int] = {}
        self.trained = 0
        self.calls: list[tuple[int, ...]] = []
        self.dropped: set[int] = set()
        self.side_by_side = 1

    def train(
        self,
        trials: Sequence[Trial],
        until_step: Until,
        *,
        stop: Callable[[], bool] = never_stop,
        progress: Callable[[TrialProgress], object] = silent,
    ) -> dict[int, TrialScore]:
        self.calls.append(tuple(trial.number for trial in trials))
        found, until = {}, steps_for(trials, until_step)
        for trial in trials:
            step = until[trial.number]
            assert trial.number not in self.dropped, "dropped, and asked for again"
            if stop():
                break
            self.trained += max(0, step - self.at.get(trial.number, 0))
            self.at[trial.number] = step
            score = self.formula(dict(trial.settings), step / self.full)
            score += 1e-3 * math.sin(trial.recipe.seed) + 1e-3 * (trial.fold or 0)
            failed = math.isnan(score)
            found[trial.number] = TrialScore(
                trial.number, step, 1 - score, score, "accuracy", 2.3, 1.0, "diverged" if failed else "alive", 0.0
            )
            progress(TrialProgress(len(found), len(trials), len(found), 1.0))
        return found

    def drop(self, numbers: Collection[int]) -> None:
        self.dropped |= set(numbers)

    def state(self, numbers: Collection[int] | None = None) -> bytes:
        return json.dumps(self.at).encode()

    def restore(self, state: bytes) -> None:
        self.at |= {int(number): step for number, step in json.loads(state).items()}

    def predict(
        self, numbers: Collection[int], phase: Literal["train", "validation", "test"]
    ) -> dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        raise InputError("a formula answers nothing")

    def weights(self, number: int) -> bytes:
        raise InputError("a formula has no weights")

    def decisions(self) -> tuple[Decision, ...]:
        return ()

    def close(self) -> None:
        pass
