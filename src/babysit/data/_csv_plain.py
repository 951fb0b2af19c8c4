"""The text of a table without what is not part of it: comments, carriage returns, backslashes before quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from babysit.data._wording import counted

COMMENT = "#"
SIGNS = ",;\t|"
ESCAPED = re.compile(r'\\"(.?)', re.DOTALL)
SAMPLE = 1 << 20


def plain_text(text: str) -> tuple[str, tuple[str, ...]]:
    r"""The text, and notes on what was left out.

    Example:
        >>> plain_text('# made by hand\na,b\n1,"say \\"x\\" twice"\n')
        ('a,b\n1,"say ""x"" twice"\n', ('1 line that begins with # is a comment',))
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    notes: tuple[str, ...] = ()
    if _escapes_quotes(text):
        text = text.replace('\\"', '""')
    if text.startswith(COMMENT) or f"\n{COMMENT}" in text:
        text, comments = _without_comments(text)
        if comments:
            notes = (
                f"{counted(comments, 'line')} that {'begins' if comments == 1 else 'begin'} with # "
                f"{'is a comment' if comments == 1 else 'are comments'}",
            )
    return text, notes


def _escapes_quotes(text: str) -> bool:
    r"""Whether `\"` is a quote inside a cell: then something but the cell's end follows it, more often than not."""
    following = ESCAPED.findall(text[:SAMPLE])
    if not following or '"' not in text:
        return False
    inside = sum(letter not in (*SIGNS, "\n", "") for letter in following)
    return 2 * inside >= len(following)


def _without_comments(text: str) -> tuple[str, int]:
    """Lines that begin with # left out, unless they are rows like the others; a header behind # is kept."""
    lines = list(_lines_outside(text))
    comments = [place for place, (line, outside) in enumerate(lines) if outside and line.lstrip().startswith(COMMENT)]
    rest = [line for line, outside in lines if line.strip() and not (outside and line.lstrip().startswith(COMMENT))]
    if not rest or not comments:
        return text, 0
    sign = max(SIGNS, key=lambda sign: sum(sign in line for line in rest[:50]))
    width = rest[-1].count(sign)
    alike = [place for place in comments if width and lines[place][0].count(sign) == width]
    if len(alike) > 1 and len(alike) == len(comments):
        return text, 0  # their first cell begins with #
    header = None
    before = [place for place in alike if place + 1 < len(lines) and lines[place + 1][0] == rest[0]]
    if before and any(re.fullmatch(r"\"?[+-]?\d+([.,]\d+)?\"?", cell.strip()) for cell in rest[0].split(sign)):
        header = before[0]
    gone = set(comments) - {header}
    kept = [
        line.lstrip().removeprefix(COMMENT).lstrip() if place == header else line
        for place, (line, _) in enumerate(lines)
        if place not in gone
    ]
    return "\n".join(kept), len(gone)


def _lines_outside(text: str) -> Iterator[tuple[str, bool]]:
    """Lines, and whether each begins outside of quotes."""
    outside = True
    for line in text.split("\n"):
        yield line, outside
        if not (outside and line.lstrip().startswith(COMMENT)) and line.count('"') % 2:
            outside = not outside
