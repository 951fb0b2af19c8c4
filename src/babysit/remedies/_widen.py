"""`widen`: a wider range to search."""

from __future__ import annotations

from babysit.remedies._of_a_search import OfASearch


class Widen(OfASearch):
    """A wider range to search."""

    name = "widen"
    summary = "search a wider range at that end"
