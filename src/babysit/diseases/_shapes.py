"""Shapes as facts write them, `64x10`, and what becomes of two of them in an elementwise operation."""

from __future__ import annotations

from babysit.record import Trace

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
