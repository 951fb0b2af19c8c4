"""A search while it runs: the stage and rung, trials alive, the best so far, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from babysit.record import (
    RungBegun,
    Standing,
    StudyParameter,
    StudyResult,
    StudyRung,
    TrialProgress,
    TrialScore,
)
from babysit.reports._progress import clock
from babysit.reports._study_figures import settings_text

LINES = 8  # rungs that stay on the panel


class StudyProgress:
    """Shows a search: a panel on a terminal that leaves nothing behind, a line a rung elsewhere.

    Args:
        plain: Lines on a terminal, too.
        console: Where to; None takes the standard error stream.

    Example:
        >>> import io
        >>> shown = io.StringIO()
        >>> progress = StudyProgress(console=Console(file=shown, width=100))
        >>> progress.began(parameters=(), steps=1000.0, seconds=30.0)
        >>> progress.rung_began(RungBegun("coarse", 0, 40, 25, False))
        >>> progress.ended(None)
        >>> shown.getvalue().strip()
        'search: about 1,000 steps of trials, about 30 s'
    """

    def __init__(self, *, plain: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._plain = plain or not self._console.is_terminal
        self._lines: list[Text] = []
        self._rungs: list[RungBegun] = []  # that are trained now
        self._over = False  # whether one of them has ended
        self._now = TrialProgress(0, 1, 0, float("nan"))
        self._done = 0.0  # steps of trials in finished rungs
        self._kept = 0.0  # of them, those that were done before
        self._steps = 1.0
        self._best = ""
        self._began = time.monotonic()
        self._at: dict[int, int] = {}
        self._spinner = Spinner("dots")

    def began(self, *, parameters: Sequence[StudyParameter], steps: float, seconds: float | None) -> None:
        """The panel appears."""
        self._began, self._steps = time.monotonic(), max(1.0, steps)
        about = f", about {clock(seconds)}" if seconds is not None else ""
        if self._plain:
            self._console.print(f"search: about {steps:,.0f} steps of trials{about}", highlight=False, soft_wrap=True)
            return
        self._live = Live(console=self._console, get_renderable=self._picture, transient=True, refresh_per_second=8)
        self._live.start()

    def rung_began(self, rung: RungBegun) -> None:
        """Its stage and step stand beside the bar, with those of others that are trained at the same time."""
        if self._over:
            self._rungs, self._over = [], False
        self._rungs.append(rung)
        self._now = TrialProgress(0, 1, sum(one.trials for one in self._rungs), float("nan"))

    def progress(self, progress: TrialProgress) -> None:
        """The bar moves."""
        self._now = progress

    def rung_ended(self, rung: StudyRung, scores: Mapping[int, TrialScore], best: Standing | None) -> None:
        """Its line stays."""
        taken = sum(max(0, score.step - self._at.get(number, 0)) for number, score in scores.items())
        self._at |= {number: score.step for number, score in scores.items()}
        self._done += taken
        self._over = True
        if any(one.kept for one in self._rungs):
            self._kept += taken
        self._now = TrialProgress(0, 1, 0, float("nan"))
        failed = sum(score.failed for score in scores.values())
        stage = f"fine {rung.generation}" if rung.stage == "fine" else rung.stage
        line = Text(f"{stage:8} {rung.step:7,} steps  {len(rung.trials):5} trials")
        line.append(f"  {failed:4} failed" if failed else "             ", style="red" if failed else "")
        line.append(f"  {rung.seconds:6.1f} s", style="dim")
        if best is not None:
            self._best = f"best {best.score:.4f} at {settings_text(best.settings)}"
            line.append(f"  best {best.score:.4f}")
        self._lines.append(line)
        if self._plain:
            self._console.print(line, highlight=False, soft_wrap=True)

    def ended(self, result: StudyResult | None) -> None:
        """All of it goes; what was found comes after it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> RenderableType:
        done = self._done + self._now.done
        share = min(1.0, done / self._steps)
        line = Table.grid(padding=(0, 1))
        where = "beginning"
        if self._rungs:
            steps = " and ".join(f"{step:,}" for step in sorted({one.step for one in self._rungs}))
            stages = " and ".join(dict.fromkeys(one.stage for one in self._rungs))
            where = f"{stages}, {self._now.alive} trials alive, to step {steps}"
        bar = ProgressBar(total=1.0, completed=share, width=24)
        line.add_row(self._spinner, bar, f"{where}{self._left(done)}")
        return Group(*self._lines[-LINES:], line, Text(self._best, style="bold"))

    def _left(self, done: float) -> str:
        new = done - self._kept
        if new <= 0:
            return ""
        left = (time.monotonic() - self._began) / new * max(0.0, self._steps - done)
        return f", {clock(left)} left"
