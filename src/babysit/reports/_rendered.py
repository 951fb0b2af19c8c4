"""What rich draws, as text, as HTML for a notebook, and as a page of its own."""

from __future__ import annotations

import io

from rich.console import RenderableType

from babysit.reports._console import CleanConsole
from babysit.reports._environment import environment

TEXT_COLUMNS, HTML_COLUMNS = 120, 110
_CODE = '<pre style="white-space:pre-wrap;font-family:Menlo,Consolas,monospace;line-height:1.35">{code}</pre>'


def as_text(drawn: RenderableType, columns: int = TEXT_COLUMNS) -> str:
    """As text without colours.

    Example:
        >>> as_text("sound [and] well")
        'sound [and] well'
    """
    console = CleanConsole(width=columns, color_system=None)
    with console.capture() as capture:
        console.print(drawn, crop=False)
    return capture.get().rstrip()


def as_html(drawn: RenderableType) -> str:
    """As HTML for a notebook, with everything escaped."""
    file = io.StringIO()
    console = CleanConsole(record=True, width=HTML_COLUMNS, file=file, color_system="truecolor", force_terminal=True)
    console.print(drawn, crop=False)
    return console.export_html(inline_styles=True, code_format=_CODE)


def render_result_page(title: str, drawn: RenderableType) -> str:
    """As a page of its own that works offline."""
    return environment().get_template("result.html").render(title=title, drawn=as_html(drawn))
