"""The kinds of columns, each knowing how its cells become numbers in the raw tensor.

All are learned from training rows and nothing but these attributes is kept, so that a column encodes the same in
another process, years later.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from babysit.data._cells import PLAIN, TEXT, as_days, as_levels, as_numbers, as_text, numbers_of
from babysit.data._dates import as_moments
from babysit.data._numbers import NumberReading, read_numbers
from babysit.data._text import word_features
from babysit.data._wording import row_numbers, several
from babysit.record import DataError, stored

Encoded = list[npt.NDArray[np.float64]]
MISSING, UNKNOWN, FIRST_LEVEL = 0, 1, 2
YEAR, WEEK = 365.2425, 7.0  # days


@stored
class NumberColumn:
    """A number a row, or two, with an indicator where some are limits; NaN where it is missing.

    Attributes:
        name: Of the column.
        reading: How texts are read.
        words: Some texts of the training rows that are not numbers; where there were any, such texts are missing.
    """

    name: str
    reading: NumberReading = PLAIN
    words: tuple[str, ...] = ()
    kind: Literal["number"] = field(default="number", kw_only=True)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its numbers."""
        second = (f"{self.name} (second number)",) if self.reading.pair else ()
        return (self.name, *second, *((f"{self.name} (limit)",) if self.reading.limits else ()))

    def encode(self, cells: pl.Series) -> Encoded:
        """Its numbers, each float64 [N]."""
        ready = numbers_of(cells)
        if ready is not None:
            absent = np.full(len(ready), math.nan)
            return [
                ready,
                *([absent] if self.reading.pair else []),
                *([np.zeros(len(ready))] if self.reading.limits else []),
            ]
        if cells.dtype not in TEXT or not (self.reading.pair or self.reading.limits):
            numbers = as_numbers(cells, self.reading)
            refuse_wrong(self.name, "number", cells, numbers, self.words)
            return [with_nan(numbers)]
        found = read_numbers(cells.cast(pl.String), self.reading)
        refuse_wrong(self.name, "number", cells, found["value"], self.words)
        second = [with_nan(found["second"])] if self.reading.pair else []
        return [with_nan(found["value"]), *second, *([with_nan(found["limit"])] if self.reading.limits else [])]


@stored
class BooleanColumn:
    """0 or 1 a row; NaN where it is missing.

    Attributes:
        name: Of the column.
        no: What means 0, as text in lower case.
        yes: What means 1.
    """

    name: str
    no: str = "false"
    yes: str = "true"
    kind: Literal["boolean"] = field(default="boolean", kw_only=True)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return (self.name,)

    def encode(self, cells: pl.Series) -> Encoded:
        """Its numbers, each float64 [N]."""
        if cells.dtype == pl.Boolean:
            return [with_nan(cells.cast(pl.Float64))]
        if (self.no, self.yes) == ("0", "1"):  # a number like any other: a later 2 is a surprise, not a mistake
            return NumberColumn(self.name).encode(cells)
        texts = as_text(cells).str.to_lowercase()
        words = {self.no: 0.0, self.yes: 1.0} | {"false": 0.0, "true": 1.0}
        numbers = texts.replace_strict(list(words), list(words.values()), default=None, return_dtype=pl.Float64)
        refuse_wrong(self.name, f"truth value ({self.no} or {self.yes})", cells, numbers, ())
        return [with_nan(numbers)]


@stored
class DateColumn:
    """Days since the first training date, and where it stands in the year, the week and the day as sine and cosine.

    Attributes:
        name: Of the column.
        form: Of texts and numbers, as `as_moments` takes it; empty for columns that hold dates already.
        first: Days from 1970 to the first training date.
        parts: Which cycles vary in training: "year", "week", "day".
        words: Some texts of the training rows that are not dates; where there were any, such texts are missing.
    """

    name: str
    form: str = ""
    first: float = 0.0
    parts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    kind: Literal["date"] = field(default="date", kw_only=True)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its numbers."""
        cycles = [f"{self.name} {part} {wave}" for part in self.parts for wave in ("sine", "cosine")]
        return (f"{self.name} days", *cycles)

    def encode(self, cells: pl.Series) -> Encoded:
        """Its numbers, each float64 [N]."""
        days = as_days(cells, self.form)
        refuse_wrong(self.name, "date", cells, days, self.words)
        encoded = [with_nan(days - self.first)]
        moments = as_moments(cells, self.form)
        for part in self.parts:
            turn = 2 * math.pi * with_nan(position(moments, part))
            encoded += [np.sin(turn), np.cos(turn)]
        return encoded


@stored
class CategoryColumn:
    """A code a row: 0 missing, 1 a level unknown or rare in training, 2.. the levels.

    Attributes:
        name: Of the column.
        levels: Texts of codes 2, 3, ...
        numeric: Whether the levels are numbers, so that "3.0" is "3".
    """

    name: str
    levels: tuple[str, ...] = field(default=())
    numeric: bool = False
    kind: Literal["category"] = field(default="category", kw_only=True)

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return len(self.levels) + FIRST_LEVEL

    def encode(self, cells: pl.Series) -> Encoded:
        """Its codes, float64 [N]."""
        texts = as_levels(cells, self.numeric)
        codes = texts.replace_strict(
            list(self.levels), list(range(FIRST_LEVEL, self.codes)), default=UNKNOWN, return_dtype=pl.Int64
        )
        return [codes.zip_with(texts.is_not_null(), pl.Series([MISSING])).to_numpy().astype(np.float64)]


@stored
class DroppedColumn:
    """A column that is not learned from; it may be absent later.

    Attributes:
        name: Of the column.
        why: It is left out.
    """

    name: str
    why: str = ""
    kind: Literal["drop"] = field(default="drop", kw_only=True)


@stored
class TextColumn:
    """A 1 for each of the words that a cell holds.

    Attributes:
        name: Of the column.
        words: That are looked for, in lower case.
    """

    name: str
    words: tuple[str, ...] = ()
    kind: Literal["text"] = field(default="text", kw_only=True)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return tuple(f"{self.name}: {word}" for word in self.words)

    def encode(self, cells: pl.Series) -> Encoded:
        """Its numbers, each float64 [N]."""
        return list(word_features(as_text(cells), self.words))


Column = Annotated[
    NumberColumn | BooleanColumn | DateColumn | CategoryColumn | TextColumn | DroppedColumn, Field(discriminator="kind")
]


def position(moments: pl.Series, part: str) -> pl.Series:
    """Where moments stand in their year, week or day, from 0 to 1."""
    time = (moments.dt.time().cast(pl.Int64) / 86_400e9).cast(pl.Float64)
    if part == "day":
        return time
    if part == "week":
        return (moments.dt.weekday().cast(pl.Float64) - 1 + time) / WEEK
    return (moments.dt.ordinal_day().cast(pl.Float64) - 1 + time) / YEAR


def with_nan(numbers: pl.Series) -> npt.NDArray[np.float64]:
    """float64 [N], NaN for null."""
    return numbers.cast(pl.Float64).fill_null(math.nan).to_numpy()


def refuse_wrong(name: str, what: str, cells: pl.Series, numbers: pl.Series, words: tuple[str, ...]) -> None:
    """Raises DataError when cells hold something that did not become a number, and none did so in training."""
    if words or numbers.null_count() == cells.null_count():
        return
    present = cells.is_not_null() & numbers.is_null()
    if cells.dtype.is_float():
        present &= cells.is_not_nan()
    texts = as_text(cells)
    rows = present.arg_true()
    if len(rows):
        examples = several(f"'{text[:40]}'" for text in texts.gather(rows).unique(maintain_order=True).head(3))
        raise DataError(
            f"column '{name}' holds {examples} in {row_numbers(rows)}, where a {what} is expected",
            cause="a file that differs from the training file, or a word that stands for a missing value",
            write=f'missing = [..., {examples}] or types = {{ "{name}" = "category" }} under [data]',
        )
