"""How fast steps are that nobody measures."""

from __future__ import annotations

import math
from collections.abc import Mapping


def speed(step_seconds: float, facts: Mapping[str, str]) -> dict[str, float]:
    """Seconds of a step and rows a second, by quantity; empty before the first such step.

    Example:
        >>> speed(0.5, {"batch-size": "32"})
        {'step-seconds': 0.5, 'rows-per-second': 64.0}
    """
    if not math.isfinite(step_seconds):
        return {}
    rows = {"rows-per-second": int(facts["batch-size"]) / step_seconds} if "batch-size" in facts else {}
    return {"step-seconds": step_seconds, **rows}
