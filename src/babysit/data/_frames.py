"""Frames of other libraries as polars frames, without importing those libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from babysit.data._cells import clean
from babysit.data._found import Table
from babysit.data._nested import flat_frame
from babysit.data._wording import several
from babysit.record import DataError, DataSection


def from_frame(frame: Any, name: str, data: DataSection) -> Table:
    """A polars, pandas or Arrow frame as a table.

    Args:
        frame: polars DataFrame or LazyFrame, pandas DataFrame, or what speaks Arrow's stream interface.
        name: Of the source.
        data: Texts that mean no value.

    Raises:
        DataError: Double or nested names, no rows.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    elif is_pandas(frame):
        frame = _from_pandas(frame, name)
    elif not isinstance(frame, pl.DataFrame):
        frame = pl.DataFrame(frame)
    if not frame.height:
        raise DataError(f"{name} has no rows")
    return Table(name, clean(flat_frame(frame)))


def is_pandas(source: object) -> bool:
    """Whether this is a pandas frame."""
    return type(source).__module__.partition(".")[0] == "pandas" and type(source).__name__ == "DataFrame"


def _from_pandas(frame: Any, name: str) -> pl.DataFrame:
    """Column by column through NumPy, as pandas' own way to Arrow needs a third library."""
    names = [str(column) for column in frame.columns]
    doubles = sorted({column for column in names if names.count(column) > 1})
    if doubles:
        raise DataError(
            f"{name}: column names occur twice: {several(doubles)}", legal="a different name for each column"
        )
    return pl.DataFrame([_series(column, frame.iloc[:, place]) for place, column in enumerate(names)])


def _series(name: str, cells: Any) -> pl.Series:
    kind = getattr(cells.dtype, "kind", "O")
    numpy_kind = isinstance(cells.dtype, np.dtype)
    if numpy_kind and kind in "biuf":
        return pl.Series(name, cells.to_numpy())
    if kind == "M":
        moments = cells.dt.tz_localize(None) if getattr(cells.dtype, "tz", None) is not None else cells
        return pl.Series(name, moments.to_numpy(dtype="datetime64[us]"))
    if numpy_kind and kind == "m":
        return pl.Series(name, cells.to_numpy(dtype="timedelta64[us]"))
    missing = cells.isna().to_numpy()
    values = [None if absent else value for value, absent in zip(cells.astype(object), missing, strict=True)]
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if value is None else str(value) for value in values])
