"""Schedules: the rate at each step, a pure function of how far the training is; only the plateau has a memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from babysit.record import ScheduleSection


@dataclass
class Plateau:
    """Remembers how long the validation loss has not improved.

    Attributes:
        best: Lowest loss so far.
        waited: Epochs since.
        scale: What the rate is multiplied by now.
    """

    best: float = math.inf
    waited: int = 0
    scale: float = 1.0

    def epoch_ended(self, loss: float, section: ScheduleSection) -> None:
        """Lower the rate after `patience` epochs without progress."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= section.patience:
            self.waited, self.scale = 0, self.scale * section.factor


def rate_at(section: ScheduleSection, lr: float, step: int, steps: int, plateau: Plateau | None = None) -> float:
    """The rate of step `step` (from 0) out of `steps`.

    After a linear warm-up over the first share `warm_up`, with t the share of the rest that is done: constant 1; step
    factor^floor(t / every); cosine (1 + cos(pi t)) / 2 (Loshchilov and Hutter 2017); inverse-time 1 / (1 + t /
    half_life); plateau what the validation loss made it.

    Example:
        >>> rate_at(ScheduleSection(name="cosine", warm_up=0.0), 0.1, 50, 100)
        0.05
    """
    warm_up = round(section.warm_up * steps)
    if step < warm_up:
        return lr * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    if section.name == "step":
        # A hair is added so that 3 * 0.1 counts as having reached 0.3.
        return lr * float(section.factor ** math.floor(done / section.every + 1e-9))
    if section.name == "cosine":
        return lr * (1 + math.cos(math.pi * min(1.0, done))) / 2
    if section.name == "inverse-time":
        return lr / (1 + done / section.half_life)
    if section.name == "plateau" and plateau is not None:
        return lr * plateau.scale
    return lr
