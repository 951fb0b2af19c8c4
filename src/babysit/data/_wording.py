"""How lists, counts and row numbers read in decisions, notes and errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def several(items: Sequence[object] | Iterable[object], most: int = 5) -> str:
    """The first items and how many more there are.

    Example:
        >>> several(range(1, 9), most=3)
        '1, 2, 3 and 5 more'
    """
    every = [str(item) for item in items]
    shown, rest = every[:most], len(every) - most
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")


def row_numbers(rows: Iterable[int], most: int = 5) -> str:
    """Rows counted from 1, as a person counts them.

    Example:
        >>> row_numbers([0, 4])
        'rows 1, 5'
        >>> row_numbers([6])
        'row 7'
    """
    numbers = [f"{row + 1}" for row in rows]
    return f"{'row' if len(numbers) == 1 else 'rows'} {several(numbers, most)}"


def counted(number: int, what: str, plural: str | None = None) -> str:
    """A number and what is counted.

    Example:
        >>> counted(1, "row"), counted(1797, "row"), counted(2, "class", "classes")
        ('1 row', '1,797 rows', '2 classes')
    """
    return f"{number:,} {what if number == 1 else plural or what + 's'}"


def nearest(name: str, legal: Iterable[str]) -> str | None:
    """The legal name that is most like the given one; None when nothing is like it."""
    every = list(legal)
    folded = {item.casefold(): item for item in reversed(every)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    found = difflib.get_close_matches(name, every, n=1)
    return found[0] if found else None


def share(part: float, whole: float) -> str:
    """A share in per cent, never rounded to nothing or to all.

    Example:
        >>> share(1, 20640), share(207, 20640), share(20639, 20640)
        ('under 0.1 %', '1.0 %', 'over 99.9 %')
    """
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.1f} %"
