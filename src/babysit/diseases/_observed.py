"""Reading a Trace with care: values that are NaN or infinite are left out, missing series are empty."""

from __future__ import annotations

import math
from collections.abc import Callable

from babysit.record import Series, Trace


def observed(trace: Trace, quantity: str, *, layer: str = "", phase: str = "train") -> Series:
    """The finite values of a quantity, in order of steps."""
    steps, values = trace.series(quantity, layer=layer, phase=phase)
    finite = [(step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    return Series(tuple(step for step, _ in finite), tuple(value for _, value in finite))


def latest(trace: Trace, quantity: str, *, layer: str = "", phase: str = "train") -> float | None:
    """The last finite value of a quantity, which is the best one of what is taken over all rows seen so far.

    None where it was not measured, or never was a finite number.

    Example:
        >>> from babysit.record import Row
        >>> rows = (Row(0, "train", "", "loss", 2.0), Row(1, "train", "", "loss", math.nan))
        >>> latest(Trace(rows), "loss")
        2.0
    """
    values = observed(trace, quantity, layer=layer, phase=phase).values
    return values[-1] if values else None


def always(values: tuple[float, ...], holds: Callable[[float], bool]) -> bool:
    """Whether a condition held each time, and anything was observed at all."""
    return bool(values) and all(holds(value) for value in values)


def longest_run(flags: list[bool]) -> int:
    """How many True stand in a row at most.

    Example:
        >>> longest_run([True, False, True, True])
        2
    """
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
