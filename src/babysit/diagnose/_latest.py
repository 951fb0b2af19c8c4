"""What a quantity came to: of those taken over all rows seen so far, the last value is the best."""

from __future__ import annotations

from babysit.diagnose._observed import observed
from babysit.record import Trace


def latest(trace: Trace, quantity: str, *, layer: str = "", phase: str = "train") -> float | None:
    """The last finite value of a quantity; None where there is none.

    Example:
        >>> from babysit.record import Row
        >>> latest(Trace((Row(0, "train", "", "loss", 2.0), Row(1, "train", "", "loss", float("nan")))), "loss")
        2.0
    """
    values = observed(trace, quantity, layer=layer, phase=phase).values
    return values[-1] if values else None


def whole_number(trace: Trace, fact: str) -> float:
    """A fact that is a count; 0 where it is not known."""
    text = trace.facts.get(fact, "")
    return float(text) if text.isdecimal() else 0.0
