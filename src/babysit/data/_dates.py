"""The form of dates in texts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._cells import as_moments

TIMES = (
    "",
    " %H:%M:%S",
    " %H:%M",
    "T%H:%M:%S",
    "T%H:%M",
    " %H:%M:%S%.f",
    "T%H:%M:%S%.f",
    "T%H:%M:%S%z",
    "T%H:%M:%S%.f%z",
)
DAYS_FIRST = ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y")
DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    *DAYS_FIRST,
    "%m/%d/%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
)
FORMS = (*(day + time for day in DAYS for time in TIMES), "%Y-%m")
MONTH_FIRST = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y"}
PROBE = 100
LONGEST = 40  # letters of a date
FIRST_COMPACT, LAST_COMPACT = 19000101, 21001231


def date_form(texts: pl.Series) -> tuple[str, str] | None:
    """The form in which every text is a date, in strptime's letters, and a remark when it could be another.

    Args:
        texts: Without missing ones.

    Returns:
        None when no form fits.

    Example:
        >>> date_form(pl.Series(["2024-02-29", "2024-03-01"]))
        ('%Y-%m-%d', '')
    """
    probe = texts.head(PROBE)
    if not bool(probe.str.contains(r"\d").all()) or bool((probe.str.len_chars() > LONGEST).any()):
        return None
    for form in FORMS:
        if not _fits(texts.head(PROBE), form) or not _fits(texts, form):
            continue
        for days, months in MONTH_FIRST.items():
            other = form.replace(days, months)
            if other == form or not _fits(texts, other):
                continue
            if as_moments(texts, other).is_sorted() and not as_moments(texts, form).is_sorted():
                return other, "the month before the day, as the rows are then in order"
            return form, "the day before the month; the other way round would be possible too"
        return form, ""
    return None


def compact_form(numbers: npt.NDArray[np.float64]) -> str | None:
    """`%Y%m%d` when every whole number, as 20240229, is a date between 1900 and 2100."""
    if not len(numbers) or numbers.min() < FIRST_COMPACT or numbers.max() > LAST_COMPACT:
        return None
    if not bool((numbers == np.rint(numbers)).all()):
        return None
    return "%Y%m%d" if _fits(pl.Series(numbers.astype(np.int64)).cast(pl.String), "%Y%m%d") else None


def _fits(texts: pl.Series, form: str) -> bool:
    return as_moments(texts, form).null_count() == 0
