"""The training as it runs: one progress bar on a terminal, plain lines elsewhere. On the standard error."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from babysit.record import EpochNumbers, Finding, StepNumbers, Trace
from babysit.reports._findings import finding_line

LINE_EVERY = 2.0  # seconds between plain lines; the last epoch always has one


class TimeLeft(ProgressColumn):
    """Time left at the pace so far."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished or task.time_remaining is None:
            return Text("")
        return Text(f"{clock(task.time_remaining)} left", style="cyan")


class TerminalProgress:
    """Shows a training: a Listener for `fit`, used as a context so that the terminal is always given back.

    Args:
        plain: Lines instead of a bar, as they are where there is no terminal.
        console: Where to write; None takes the standard error.

    Example:
        >>> import io
        >>> with TerminalProgress(console=Console(file=io.StringIO())) as progress:
        ...     progress.began(epochs=2, steps_per_epoch=10, step=0)
    """

    def __init__(self, *, plain: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._live = self._console.is_terminal and not plain
        self._epochs = 0
        self._line = ""
        self._told: set[tuple[str, str]] = set()
        self._last_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def began(self, *, epochs: int, steps_per_epoch: int, step: int) -> None:
        """Show the bar, or say that the training begins."""
        self._epochs = epochs
        total = epochs * steps_per_epoch
        if not self._live:
            again = f", from step {step:,}" if step else ""
            self._console.print(f"training: {epochs} epochs of {steps_per_epoch:,} steps{again}", soft_wrap=True)
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TimeLeft(),
            TextColumn("{task.fields[numbers]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(self._epoch_text(1), total=total, completed=step, numbers="")
        self._bar.start()

    def stepped(self, numbers: StepNumbers) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            text = self._line or f"loss {number(numbers.loss)}"
            self._bar.update(
                self._task, completed=numbers.step, description=self._epoch_text(numbers.epoch), numbers=text
            )

    def epoch_ended(self, numbers: EpochNumbers) -> None:
        """Show the epoch's numbers."""
        self._line = epoch_line(numbers)
        if self._live:
            return
        now = time.monotonic()
        if now - self._last_line >= LINE_EVERY or numbers.epoch == self._epochs:
            self._last_line = now
            text = f"{self._epoch_text(numbers.epoch)}  {self._line}  lr {numbers.lr:.2g}  {clock(numbers.seconds)}"
            self._console.print(text, soft_wrap=True, highlight=False)

    def measured(self, trace: Trace) -> None:
        """Show nothing: the bar has the loss already."""

    def found(self, findings: Sequence[Finding]) -> None:
        """A line for each finding that is new or has become worse; notes wait for the report."""
        for finding in findings:
            key = (finding.name, finding.severity)
            if finding.severity != "note" and key not in self._told:
                self._told.add(key)
                self._console.print(finding_line(finding), soft_wrap=True)

    def ended(self, reason: str) -> None:
        """Take the bar away and say why the training ended."""
        self._close()
        self._console.print(f"training ended: {reason}", soft_wrap=True, highlight=False)

    def _epoch_text(self, epoch: int) -> str:
        return f"epoch {epoch:>{len(str(self._epochs))}}/{self._epochs}"

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def epoch_line(numbers: EpochNumbers) -> str:
    """An epoch in a line: loss and score on training rows, and on validation rows where there are any.

    Example:
        >>> epoch_line(EpochNumbers(1, 10, 0.1, 0.5, 0.75, "accuracy", 0.9, 0.8, 1.0, True))
        'loss 0.5 | 0.75  accuracy 0.900 | 0.800 *'
    """
    loss, score = number(numbers.train_loss), f"{numbers.train_score:.3f}"
    if numbers.validation_loss is not None and numbers.validation_score is not None:
        loss += f" | {number(numbers.validation_loss)}"
        score += f" | {numbers.validation_score:.3f}"
    return f"loss {loss}  {numbers.score_name} {score}{' *' if numbers.best else ''}"


def number(value: float) -> str:
    """A loss in four digits; NaN and infinity as they are."""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def clock(seconds: float) -> str:
    """A stretch of time for people.

    Example:
        >>> clock(5.2), clock(65), clock(3700)
        ('5 s', '1 min 05 s', '1 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
