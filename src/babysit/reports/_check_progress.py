"""A check while it runs: the steps done, and a bar over all of them with the time that is left at most."""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from babysit.record import PRE_FLIGHT_STEPS, PreFlightStep
from babysit.reports._check_text import step_line


class CheckProgress:
    """Shows a check on a terminal while it runs, and leaves nothing there; elsewhere it is silent.

    Args:
        console: Where to; None takes the standard error stream, so that the report's stream stays clean.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._done: list[PreFlightStep] = []
        self._now = ""
        self._count = 0
        self._began = time.monotonic()
        self._seconds = 0.0
        self._spinner = Spinner("dots")

    def began(self, steps: tuple[str, ...], seconds: float) -> None:
        """The bar appears."""
        self._began, self._seconds, self._count = time.monotonic(), seconds, len(steps)
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._picture, transient=True)
            self._live.start()

    def step_began(self, name: str) -> None:
        """Its name and what it looks at stand beside the bar."""
        self._now = name

    def step_ended(self, step: PreFlightStep) -> None:
        """Its line stays until all is over."""
        self._done.append(step)

    def ended(self) -> None:
        """All of it goes; the report comes after it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> RenderableType:
        left = max(0.0, self._seconds - (time.monotonic() - self._began))
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, self._count), completed=len(self._done), width=16)
        # What tells least stands last: a narrow terminal cuts it off.
        doing = Text(f"{self._now}: {PRE_FLIGHT_STEPS.get(self._now, '')}", no_wrap=True, overflow="ellipsis")
        line.add_row(self._spinner, bar, Text(f"at most {left:.0f} s left", no_wrap=True), doing)
        return Group(*map(step_line, self._done), line)
