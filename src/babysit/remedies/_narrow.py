"""`narrow`: a narrower range to search."""

from __future__ import annotations

from babysit.remedies._of_a_search import OfASearch


class Narrow(OfASearch):
    """A narrower range to search."""

    name = "narrow"
    summary = "search a narrower range"
