"""Text of unknown origin made fit for a terminal: names and messages can hold codes that move the cursor, or lie."""

from __future__ import annotations

import re

# What a terminal obeys instead of showing: control characters of ASCII and Latin-1 but the end of a line and the tab,
# other ends of lines, marks that turn the direction of writing, and halves of characters, which no encoding can write.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text with everything that a terminal would obey written out, as Python writes it in a string.

    Example:
        >>> printable("red \x1b[31m name")
        'red \\x1b[31m name'
    """
    return _OBEYED.sub(_written_out, text.replace("\r\n", "\n"))


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
