"""The live view of a notebook: the panel of a training, check, healing or search in the output of its cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from babysit.record import ProgressEvent
from babysit.reports._console import CleanConsole
from babysit.reports._live_part import LivePart
from babysit.reports._live_view import ENDS, PARTS
from babysit.reports._rendered import as_html

EVERY = 0.5  # seconds between two pictures


class CellOutput(Protocol):
    """A place in the output of a cell, as `IPython.display.display(..., display_id=True)` gives it."""

    def update(self, shown: Any, /) -> None:
        """Show something else there."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


class NotebookView:
    """A Progress that shows the panel in the cell, and takes it away at the end: the answer is shown there then.

    Args:
        display: Makes a place in the cell's output; None takes IPython's.
    """

    def __init__(self, display: Callable[[Any], CellOutput] | None = None) -> None:
        self._display = display or _in_cell
        self._console = CleanConsole(width=100)
        self._part: LivePart | None = None
        self._output: CellOutput | None = None
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._output is not None:
            self._output.update(_Html(""))

    def __call__(self, event: ProgressEvent, /) -> None:
        """Show an event."""
        if type(event) in PARTS:
            self._part, self._next = PARTS[type(event)](self._console), 0.0
        if self._part is None:
            return
        self._part.take(event)
        if time.monotonic() >= self._next and not isinstance(event, ENDS):
            self._next = time.monotonic() + EVERY
            shown = _Html(as_html(self._part.draw()))
            if self._output is None:
                self._output = self._display(shown)
            else:
                self._output.update(shown)


class _Html:
    """HTML as a notebook asks for it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text


def _in_cell(shown: Any) -> CellOutput:
    from IPython.display import display

    output: CellOutput = display(shown, display_id=True)  # type: ignore[no-untyped-call]
    return output
