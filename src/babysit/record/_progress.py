"""What a training tells while it runs, to whoever shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from babysit.record._finding import Finding
from babysit.record._trace import Trace


class StepNumbers(NamedTuple):
    """Where the training stands within an epoch; told about ten times a second, not at each step."""

    step: int  # steps done since the training began
    epoch: int  # epoch under way, counted from 1
    loss: float  # of the last batch, as it was: NaN and infinity included
    lr: float


class EpochNumbers(NamedTuple):
    """An epoch that ended."""

    epoch: int  # counted from 1
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None
    score_name: str  # accuracy or r2
    train_score: float
    validation_score: float | None
    seconds: float  # since the training began or was resumed
    best: bool  # the best validation loss so far


class Listener(Protocol):
    """Shows a training. Every method returns at once and raises nothing."""

    def began(self, *, epochs: int, steps_per_epoch: int, step: int) -> None:
        """The training starts, or goes on, after `step` steps of `epochs * steps_per_epoch`."""

    def stepped(self, numbers: StepNumbers) -> None:
        """Steps were taken."""

    def epoch_ended(self, numbers: EpochNumbers) -> None:
        """An epoch ended."""

    def measured(self, trace: Trace) -> None:
        """What was measured so far; told every second or so."""

    def found(self, findings: Sequence[Finding]) -> None:
        """What is wrong by now, causes first; told when it changes."""

    def ended(self, reason: str) -> None:
        """The training stopped; `reason` is a sentence for people."""


class Silence:
    """A Listener that shows nothing."""

    def began(self, *, epochs: int, steps_per_epoch: int, step: int) -> None:
        """Show nothing."""

    def stepped(self, numbers: StepNumbers) -> None:
        """Show nothing."""

    def epoch_ended(self, numbers: EpochNumbers) -> None:
        """Show nothing."""

    def measured(self, trace: Trace) -> None:
        """Show nothing."""

    def found(self, findings: Sequence[Finding]) -> None:
        """Show nothing."""

    def ended(self, reason: str) -> None:
        """Show nothing."""
