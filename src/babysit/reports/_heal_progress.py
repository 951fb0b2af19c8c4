"""Healing while it runs: what was tried, and a bar over the time."""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from babysit.record import Finding, Tried
from babysit.reports._findings import finding_line
from babysit.reports._healing_text import tried_line

LINES = 10  # of the best tried so far


class HealProgress:
    """Shows a healing on a terminal while it runs, and leaves nothing there; elsewhere it is silent.

    Args:
        console: Where to; None takes the standard error stream, so that the report's stream stays clean.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._findings: tuple[Finding, ...] = ()
        self._tried: list[Tried] = []
        self._stage = "watching it as it is"
        self._began = time.monotonic()
        self._seconds = 0.0
        self._spinner = Spinner("dots")

    def began(self, seconds: float) -> None:
        """The bar appears."""
        self._began, self._seconds = time.monotonic(), seconds
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._picture, transient=True)
            self._live.start()

    def watched(self, findings: tuple[Finding, ...]) -> None:
        """What is wrong stands above the bar."""
        self._findings = findings

    def trying(self, stage: str, runs: int) -> None:
        """What is tried stands beside the bar."""
        self._stage = f"{stage}: {runs} rehearsals"

    def tried(self, one: Tried) -> None:
        """The best so far stay."""
        self._tried = sorted([*self._tried, one], key=lambda tried: -tried.gain)[:LINES]

    def ended(self) -> None:
        """All of it goes; the report comes after it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> RenderableType:
        passed = min(self._seconds, time.monotonic() - self._began)
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1e-9, self._seconds), completed=passed, width=24)
        line.add_row(self._spinner, bar, f"{self._stage}, at most {self._seconds - passed:.0f} s left")
        first = [finding_line(one) for one in self._findings if one.severity != "note"][:3]
        return Group(*first, *map(tried_line, self._tried), line)
