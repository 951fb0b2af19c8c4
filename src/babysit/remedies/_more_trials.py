"""`more-trials`: a longer search."""

from __future__ import annotations

from babysit.remedies._of_a_search import OfASearch


class MoreTrials(OfASearch):
    """A longer search."""

    name = "more-trials"
    summary = "search with more trials, or for longer"
