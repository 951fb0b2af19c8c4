"""What a live view draws of one training, check, healing or search."""

from __future__ import annotations

import abc
import math
import sys
import time
from typing import ClassVar

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from babysit.record import ProgressEvent

LOADING = 2.0  # seconds: modules are listed as loaded before they are


class LivePart(abc.ABC):
    """Takes events in, and draws where things stand.

    Args:
        console: Where it will be drawn.
    """

    lines_elsewhere: ClassVar[bool] = True  # whether lines are printed where there is no terminal, without plain

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()
        self._spinner = Spinner("dots")

    @abc.abstractmethod
    def take(self, event: ProgressEvent) -> list[Text]:
        """Take in an event. Returns the lines that tell it where lines are printed instead of a panel."""

    @abc.abstractmethod
    def draw(self) -> RenderableType:
        """The panel as it stands now."""

    def left_behind(self) -> list[Text]:
        """Lines that stay on the terminal when the panel is taken away."""
        return []

    @property
    def passed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._start

    def bar(self, share: float, *words: str | Text) -> Table:
        """A spinner, a bar and words in a line. What matters least stands last: a narrow terminal cuts it off."""
        line = Table.grid(padding=(0, 1))
        line.add_row(self._spinner, ProgressBar(total=1.0, completed=min(1.0, share), width=16), *words)
        return line


class BeginningPart(LivePart):
    """What is shown until the first event: that something goes on, and for how long."""

    def take(self, event: ProgressEvent) -> list[Text]:
        return []

    def draw(self) -> RenderableType:
        doing = "beginning" if "torch" in sys.modules and self.passed > LOADING else "loading PyTorch"
        line = Table.grid(padding=(0, 1))
        line.add_row(self._spinner, f"{doing}, {self.passed:.0f} s")
        return line


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
