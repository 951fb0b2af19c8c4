"""The one way by which text reaches a terminal: what a terminal would obey is shown instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from babysit.record import printable


class CleanConsole(Console):
    r"""A rich console that writes out control characters of names and messages, and obeys none of them.

    Example:
        >>> import io
        >>> shown = io.StringIO()
        >>> CleanConsole(file=shown).print("a column \x1b[2J")
        >>> shown.getvalue()
        'a column \\x1b[2J\n'
    """

    def __init__(self, **options: Any) -> None:
        # Names in brackets or between colons are names: rich would take them for colours and pictures.
        super().__init__(**{"markup": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich makes of it; its own control codes are kept apart from text, and pass."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable() or segment.text == "\n":
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def write_out(stream: TextIO | None, text: str) -> None:
    """Write text to a standard stream: as it is into a file or pipe, and printable to a terminal.

    Args:
        stream: The standard output or error; None where the process has none.
        text: What to write.
    """
    if stream is not None:
        stream.write(printable(text) if stream.isatty() else text)
        stream.flush()
