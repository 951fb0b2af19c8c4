"""The live view: progress events of all kinds, as a panel on a terminal and as plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from babysit.record import (
    CheckBegan,
    CheckEnded,
    DataPrepared,
    ExplainBegan,
    ExplainEnded,
    HealBegan,
    HealEnded,
    ProgressEvent,
    SearchBegan,
    SearchEnded,
    SeedsCompared,
    TrainingBegan,
    TrainingEnded,
)
from babysit.reports._console import CleanConsole
from babysit.reports._data_text import data_texts
from babysit.reports._live_explain import ExplainPart
from babysit.reports._live_part import BeginningPart, LivePart
from babysit.reports._live_rehearsal import CheckPart, HealPart
from babysit.reports._live_search import SearchPart
from babysit.reports._live_training import TrainingPart
from babysit.reports._paired_text import pair_line

REFRESH = 4  # times a second
PARTS: dict[type, type[LivePart]] = {
    CheckBegan: CheckPart,
    ExplainBegan: ExplainPart,
    HealBegan: HealPart,
    SearchBegan: SearchPart,
    TrainingBegan: TrainingPart,
}
ENDS = (CheckEnded, ExplainEnded, HealEnded, SearchEnded, TrainingEnded)


class LiveView:
    """A Progress that shows events; used as a context, so that the terminal is always given back.

    On a terminal a training, a check, a healing or a search has a panel, which is taken away when it ends. Elsewhere a
    training and a search are told in lines; a check and a healing are not, since their reports say the same.

    Args:
        plain: Lines for all of them, on a terminal, too.
        console: Where to; None takes the standard error, so that the report's stream stays clean.

    Example:
        >>> import io
        >>> shown = io.StringIO()
        >>> with LiveView(console=Console(file=shown, width=100)) as progress:
        ...     progress(SearchBegan((), steps=1000.0, seconds=30.0))
        ...     progress(SearchEnded(None))
        >>> shown.getvalue().strip()
        'search: about 1,000 steps of trials, about 30 s'
    """

    def __init__(self, *, plain: bool = False, console: Console | None = None) -> None:
        self._console = console or CleanConsole(stderr=True)
        self._plain = plain
        self._panels = self._console.is_terminal and not plain
        self._part: LivePart | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._panels:  # what is said at once, since libraries take seconds to load
            self._part = BeginningPart(self._console)
            self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_away()

    def __call__(self, event: ProgressEvent, /) -> None:
        """Show an event."""
        if isinstance(event, DataPrepared):
            self._print(data_texts(event.data, event.decisions))
            return
        if isinstance(event, SeedsCompared):
            self._print([pair_line(event.comparison.pairs[-1])])
            return
        if type(event) in PARTS:
            self._take_away()
            self._part = PARTS[type(event)](self._console)
        if self._part is None:
            return
        lines = self._part.take(event)
        if self._panels:
            self._draw()
        elif self._plain or self._part.lines_elsewhere:
            self._print(lines)
        if isinstance(event, ENDS):
            self._take_away()
            if self._panels:
                self._print(self._part.left_behind())
            self._part = None

    def _draw(self) -> None:
        if self._live is None and self._part is not None:
            self._live = Live(
                get_renderable=self._part.draw,
                console=self._console,
                refresh_per_second=REFRESH,
                transient=True,
                vertical_overflow="crop",
            )
            self._live.start()

    def _print(self, lines: Iterable[Text]) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True, highlight=False)

    def _take_away(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
