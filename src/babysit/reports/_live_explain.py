"""Pages of `explain` while they are computed: trainings run for their figures, which takes a while."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import ExplainBegan, PageBegan, ProgressEvent
from babysit.reports._live_part import LivePart, clock


class ExplainPart(LivePart):
    """A bar over the pages with the time that is left; of a single page, the time that passed."""

    lines_elsewhere = False

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._pages, self._begun, self._name = 1, 0, ""

    def take(self, event: ProgressEvent) -> list[Text]:
        if isinstance(event, ExplainBegan):
            self._pages = max(1, event.pages)
        elif isinstance(event, PageBegan):
            self._begun, self._name = self._begun + 1, event.name
            return [Text(f"page {self._begun} of {self._pages}: {self._name}")]
        return []

    def draw(self) -> RenderableType:
        doing = Text(f"computing the figures of {self._name}", no_wrap=True, overflow="ellipsis")
        if self._pages == 1:
            line = Table.grid(padding=(0, 1))
            line.add_row(self._spinner, doing, clock(self.passed))
            return line
        done = max(0, self._begun - 1)
        left = f", about {clock(self.passed / done * (self._pages - done))} left" if done else ""
        return self.bar(done / self._pages, f"{done} of {self._pages} pages{left}", doing)
