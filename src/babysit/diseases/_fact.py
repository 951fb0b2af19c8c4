"""Facts that hold for the whole training, as numbers."""

from __future__ import annotations

from babysit.record import Trace


def whole_number(trace: Trace, fact: str) -> float:
    """A fact that is a count; 0 where it is not known.

    Example:
        >>> whole_number(Trace(facts={"rows": "150"}), "rows"), whole_number(Trace(), "rows")
        (150.0, 0.0)
    """
    text = trace.facts.get(fact, "")
    return float(text) if text.isdecimal() else 0.0
