"""Schedules of the learning rate, stepped as often as they count: once an epoch, or once a step of the optimizer."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from babysit.remedies._application import Application
from babysit.remedies._replacements import Replacements


class AtSchedules:
    """Steps a script's schedules in its place.

    One that the script never steps is stepped at the end of each pass through a loader in which the optimizer was. One
    that is made for batches, and one that the script does step, though too rarely, is stepped after each of its
    optimizer's steps; the script's own calls then do nothing.
    """

    def __init__(self) -> None:
        self._asked: Application | None = None
        self._known: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()  # whether by batch
        self._making = self._ours = False
        self._taken = 0  # steps of optimizers since the last pass began

    def step(self, application: Application) -> None:
        """Step them."""
        self._asked = application

    def install(self, replaced: Replacements) -> None:
        """Before the script's first line."""
        if self._asked is None:
            return
        for kind in {one for one in vars(lr_scheduler).values() if _is_schedule(one)}:
            for name, wrap in (("__init__", self._constructing), ("step", self._stepping)):
                if name in vars(kind):
                    replaced.put(kind, name, wrap)

    def before_epoch(self) -> None:
        """A loader is about to be gone through."""
        if self._taken:
            self._step_all(by_batch=False)
        self._taken = 0

    def after_step(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""
        self._taken += 1
        self._step_all(by_batch=True, optimizer=optimizer)

    def _step_all(self, *, by_batch: bool, optimizer: Optimizer | None = None) -> None:
        for schedule, counts_batches in list(self._known.items()):
            whose = optimizer is None or schedule.optimizer is optimizer
            if self._asked is None or counts_batches != by_batch or not whose:
                continue
            ends = getattr(schedule, "total_steps", None)
            if isinstance(ends, int) and schedule.last_epoch + 1 >= ends:
                continue  # one more is an error
            self._ours = True
            try:
                schedule.step()
            finally:
                self._ours = False
            self._asked.took_hold()

    def _constructing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def construct(schedule: Any, *arguments: Any, **options: Any) -> None:
            outermost, self._making = not self._making, True
            try:
                original(schedule, *arguments, **options)
            finally:
                self._making = not outermost
            if not outermost or self._asked is None:
                return
            for part in getattr(schedule, "_schedulers", ()):
                self._known.pop(part, None)
            if isinstance(schedule, ReduceLROnPlateau):
                self._asked.reason = "ReduceLROnPlateau has to be told what the validation rows are worth"
            else:
                self._known[schedule] = isinstance(schedule, OneCycleLR | CyclicLR)

        return construct

    def _stepping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(schedule: Any, *arguments: Any, **options: Any) -> Any:
            if self._making or self._ours or schedule not in self._known:
                return original(schedule, *arguments, **options)
            self._known[schedule] = True
            return None

        return step


def _is_schedule(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, LRScheduler)
