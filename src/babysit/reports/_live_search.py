"""A search while it runs: the stage and rung, trials alive, the best so far, and the time that is left."""

from __future__ import annotations

import math

from rich.console import Console, Group, RenderableType
from rich.text import Text

from babysit.record import ProgressEvent, RungBegan, RungEnded, SearchBegan, TrialProgress
from babysit.reports._live_part import LivePart, clock
from babysit.reports._study_figures import last_word, settings_text

MOST_RUNGS = 8  # that stay on the panel
NOTHING_YET = TrialProgress(0, 1, 0, math.nan)


class SearchPart(LivePart):
    """A line a rung, and a bar over the steps of all trials."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._lines: list[Text] = []
        self._rungs: list[RungBegan] = []  # that are trained now
        self._over = False  # whether one of them has ended
        self._now = NOTHING_YET
        self._done = 0.0  # steps of trials in finished rungs
        self._kept = 0.0  # of them, those that were done before
        self._steps = 1.0
        self._best = ""
        self._at: dict[int, int] = {}  # steps of each trial

    def take(self, event: ProgressEvent) -> list[Text]:
        match event:
            case SearchBegan():
                self._steps = max(1.0, event.steps)
                about = f", about {clock(event.seconds)}" if event.seconds is not None else ""
                return [Text(f"search: about {event.steps:,.0f} steps of trials{about}")]
            case RungBegan():
                self._rung_began(event)
            case TrialProgress():
                self._now = event
            case RungEnded():
                self._rung_ended(event)
                return self._lines[-1:]
            case _:
                pass
        return []

    def _rung_began(self, rung: RungBegan) -> None:
        if self._over:
            self._rungs, self._over = [], False
        self._rungs.append(rung)
        self._now = NOTHING_YET._replace(alive=sum(one.trials for one in self._rungs))

    def _rung_ended(self, ended: RungEnded) -> None:
        rung, scores = ended.rung, ended.scores
        taken = sum(max(0, score.step - self._at.get(number, 0)) for number, score in scores.items())
        self._at |= {number: score.step for number, score in scores.items()}
        self._done += taken
        self._over = True
        if any(one.kept for one in self._rungs):
            self._kept += taken
        self._now = NOTHING_YET
        failed = sum(score.failed for score in scores.values())
        stage = f"fine {rung.generation}" if rung.stage == "fine" else rung.stage
        line = Text(f"{stage:8} {rung.step:7,} steps  {len(rung.trials):5} trials")
        line.append(f"  {failed:4} failed" if failed else "             ", style="red" if failed else "")
        line.append(f"  {rung.seconds:6.1f} s", style="dim")
        if ended.best is not None:
            self._best = f"best {ended.best.score:.4f} at {settings_text(ended.best.settings)}"
            line.append(f"  best {ended.best.score:.4f}")
        if rung.widened:
            line.append(f"  wider: {', '.join(map(last_word, rung.widened))}")
        self._lines.append(line)

    def draw(self) -> RenderableType:
        done = self._done + self._now.done
        where = "beginning"
        if self._rungs:
            steps = " and ".join(f"{step:,}" for step in sorted({one.step for one in self._rungs}))
            stages = " and ".join(dict.fromkeys(one.stage for one in self._rungs))
            where = f"{stages}, {self._now.alive} trials alive, to step {steps}"
        bar = self.bar(done / self._steps, f"{where}{self._time_left(done)}")
        return Group(*self._lines[-MOST_RUNGS:], bar, Text(self._best, style="bold"))

    def _time_left(self, done: float) -> str:
        new = done - self._kept
        if new <= 0:
            return ""
        return f", {clock(self.passed / new * max(0.0, self._steps - done))} left"
