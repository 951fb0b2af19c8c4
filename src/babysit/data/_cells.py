"""Cells of a column as numbers, days or levels, whatever type the column came in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._dates import as_moments, read_clock
from babysit.data._numbers import NumberReading, read_numbers

TEXT = (pl.String, pl.Categorical, pl.Enum)
DAY = 86_400e6  # microseconds
PLAIN = NumberReading()


def blank_rows(frame: pl.DataFrame) -> pl.Series:
    """Whether each row has no value at all."""
    if not frame.width:
        return pl.Series([], dtype=pl.Boolean)
    return frame.select(pl.all_horizontal(pl.all().is_null()).alias("blank")).to_series()


def clean(frame: pl.DataFrame, missing: Sequence[str] = ("",)) -> pl.DataFrame:
    """Texts without blanks around them, and null where they mean "no value"; categories become texts.

    Args:
        frame: Any.
        missing: Texts that mean no value, without blanks around them.
    """
    texts = [name for name, kind in frame.schema.items() if kind in TEXT]
    if not texts:
        return frame
    column = pl.col(texts).cast(pl.String).str.strip_chars()
    return frame.with_columns(pl.when(column.is_in(list(missing))).then(None).otherwise(column).name.keep())


def as_text(cells: pl.Series) -> pl.Series:
    """Texts; numbers as a person writes them (3, not 3.0)."""
    if cells.dtype in TEXT:
        return cells.cast(pl.String)
    if cells.dtype.is_float() or cells.dtype.is_decimal():
        cells = cells.cast(pl.Float64).fill_nan(None)
        whole = (cells == cells.round()) & (cells.abs() < 1e15)
        texts = cells.cast(pl.String)
        return texts.zip_with(~whole.fill_null(False), cells.cast(pl.Int64, strict=False).cast(pl.String))
    return cells.cast(pl.String)


def as_numbers(cells: pl.Series, reading: NumberReading = PLAIN) -> pl.Series:
    """float64, null for missing and for texts that are not numbers.

    Args:
        cells: Texts, numbers, truth values, times of day (as hours) or durations (as seconds).
        reading: How texts are read.
    """
    if cells.dtype in TEXT:
        texts = cells.cast(pl.String)
        if reading.clock:
            return read_clock(texts, reading.clock)
        if reading.decimal == "." and not reading.pair:
            quick = texts.cast(pl.Float64, strict=False)
            if quick.null_count() == texts.null_count():
                return quick.fill_nan(None)
        return read_numbers(texts, reading)["value"]
    if cells.dtype == pl.Time:
        return cells.cast(pl.Int64).cast(pl.Float64) / 3600e9
    if cells.dtype == pl.Duration:
        return cells.dt.total_microseconds().cast(pl.Float64) / 1e6
    if cells.dtype.is_temporal():
        return as_days(cells)
    return cells.cast(pl.Float64).fill_nan(None)


def as_levels(cells: pl.Series, numeric: bool) -> pl.Series:
    """Texts that stand for a category: of numeric levels "3", whether the cell held 3, 3.0, "3" or "3.0"."""
    texts = as_text(cells)
    if not numeric or cells.dtype not in TEXT:
        return texts
    numbers = as_text(as_numbers(cells))
    return texts.zip_with(numbers.is_null(), numbers)


def as_days(cells: pl.Series, form: str = "") -> pl.Series:
    """Days since 1970 with their fraction, float64; null for missing and for texts of another form.

    Args:
        cells: Dates, times with dates, or texts or whole numbers of a form.
        form: Of texts and numbers, in strptime's letters.
    """
    return as_moments(cells, form).dt.epoch("us").cast(pl.Float64) / DAY


def stack(parts: Sequence[pl.Series]) -> pl.Series:
    """Series of one name, one behind the other; as texts when only some hold texts."""
    if len({part.dtype in TEXT for part in parts}) > 1:
        parts = [as_text(part) for part in parts]
    return pl.concat([part.to_frame() for part in parts], how="vertical_relaxed").to_series()


def with_numbers(frame: pl.DataFrame, keep: Collection[str], comma: Collection[str] = ()) -> pl.DataFrame:
    """Columns of texts that are all plain numbers as float64, parsed once and together.

    Codes with leading zeros, as 01234, stay texts.

    Args:
        frame: Cleaned.
        keep: Columns to leave as they are.
        comma: Columns with a decimal comma: a point in them may stand between thousands, so they stay texts then.
    """
    texts = [name for name, kind in frame.schema.items() if kind == pl.String and name not in keep]
    if not texts:
        return frame
    parsed = frame.select(pl.col(texts).cast(pl.Float64, strict=False))
    absent, lost = frame.select(texts).null_count().row(0), parsed.null_count().row(0)
    coded = frame.select(pl.col(texts).str.contains(r"^0\d+$").any()).row(0)
    plain = [
        name
        for name, before, after, code in zip(texts, absent, lost, coded, strict=True)
        if before == after < frame.height
        and not code
        and not (name in comma and bool(frame[name].str.contains(".", literal=True).any()))
    ]
    return frame.with_columns(parsed.select(plain))


def numbers_of(cells: pl.Series) -> npt.NDArray[np.float64] | None:
    """float64 [N] with NaN for missing, when the cells are numbers already."""
    if not (cells.dtype.is_float() or cells.dtype.is_integer()):
        return None
    return cells.to_numpy().astype(np.float64, copy=False)


def number_text(number: float) -> str:
    """A number as a person writes it: 3, not 3.0."""
    return f"{int(number)}" if float(number).is_integer() and abs(number) < 1e15 else f"{float(number)!r}"
