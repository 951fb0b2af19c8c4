"""Counts the steps that trials take, asks whether to stop, and reports the progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from babysit.record import TrialProgress
from babysit.training._trial_member import Member


class CohortWatch:
    """Collects what trains, and reports it to the caller.

    Args:
        steps: Of trials, that will be taken.
        members: That are trained.
        stop: Asked whether to stop.
        progress: Receives where it stands.

    Attributes:
        asked: Whether the caller asked to stop.
        takes_note: While True, `look` only collects, and the thread that began calls `report`: the caller's functions
            are never called from another thread.
    """

    def __init__(
        self,
        steps: int,
        members: Sequence[Member],
        stop: Callable[[], bool],
        progress: Callable[[TrialProgress], object],
    ) -> None:
        self.asked = False
        self.takes_note = False
        self._steps, self._members, self._stop, self._progress = steps, members, stop, progress
        self._done = 0
        self._losses: dict[int, float] = {}
        self._failed: set[int] = set()
        self._lock = threading.Lock()

    def look(self, taken: list[tuple[int, int, float]], failed: Sequence[int] = ()) -> bool:
        """Told of each trial's steps and last loss since the last look; whether to stop.

        Args:
            taken: Trial, steps and loss.
            failed: Trials that another process has seen fail.
        """
        with self._lock:
            self._failed.update(failed)
            for trial, steps, loss in taken:
                self._done += steps
                self._losses[trial] = loss
        if not self.takes_note:
            self.report()
        return self.asked

    def report(self) -> None:
        """Tell where it stands, and ask."""
        with self._lock:
            alive = [member.trial.number for member in self._members if not member.failed]
            alive = [number for number in alive if number not in self._failed]
            heard = [self._losses[number] for number in alive if number in self._losses]
            standing = TrialProgress(self._done, self._steps, len(alive), min(heard, default=float("nan")))
        self._progress(standing)
        self.asked = self.asked or self._stop()
