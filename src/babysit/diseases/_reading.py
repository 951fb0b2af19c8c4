"""Reading a trace with care: series without NaN and infinities, facts as numbers, shapes.

What was not measured is empty, None or 0; nothing here raises.
"""

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


def whole_number(trace: Trace, fact: str) -> float:
    """A fact that is a count; 0 where it is not known.

    Example:
        >>> whole_number(Trace(facts={"rows": "150"}), "rows"), whole_number(Trace(), "rows")
        (150.0, 0.0)
    """
    text = trace.facts.get(fact, "")
    return float(text) if text.isdecimal() else 0.0


Shape = tuple[int, ...]


def shape_of(trace: Trace, fact: str) -> Shape | None:
    """A shape among the facts; None where it is not told, `()` for a single number."""
    text = trace.facts.get(fact)
    if text is None:
        return None
    parts = text.split("x") if text else []
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else None


def written(shape: Shape) -> str:
    """As facts write it.

    Example:
        >>> written((64, 1))
        '64x1'
    """
    return "x".join(str(size) for size in shape)


def aligned(first: Shape, second: Shape) -> tuple[Shape, Shape]:
    """Both with as many dimensions: those that lack are ones in front, as in NumPy's broadcasting.

    Example:
        >>> aligned((64, 1), (64,))
        ((64, 1), (1, 64))
    """
    dimensions = max(len(first), len(second))
    return (1,) * (dimensions - len(first)) + first, (1,) * (dimensions - len(second)) + second


def together(first: Shape, second: Shape) -> Shape | None:
    """The shape that broadcasting makes of two; None where it refuses.

    Example:
        >>> together((64, 1), (64,))
        (64, 64)
    """
    pairs = list(zip(*aligned(first, second), strict=True))
    if any(one != other and 1 not in (one, other) for one, other in pairs):
        return None
    return tuple(other if one == 1 else one for one, other in pairs)
