"""Parquet as a table."""

from __future__ import annotations

import pathlib

import polars as pl

from babysit.data._cells import clean
from babysit.data._csv_text import unreadable
from babysit.data._found import Table
from babysit.record import DataError, DataSection


def read_parquet(path: pathlib.Path, data: DataSection) -> Table:
    """A Parquet file, or the Parquet files of a folder one behind the other.

    Raises:
        DataError: It cannot be read, or has no rows.
    """
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise DataError(f"{path} is empty", cause="the file was not written to the end, or is another one")
        frame = pl.read_parquet(path / "*.parquet" if path.is_dir() else path, glob=path.is_dir())
    except PermissionError as error:
        raise unreadable(path, error) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, MemoryError) as error:
        raise damaged(path, error) from None
    if not frame.height:
        raise DataError(f"{path} has columns and no rows", cause="a filter that let nothing through")
    return Table(str(path), clean(frame, data.missing))


def damaged(path: pathlib.Path, error: BaseException) -> DataError:
    """The error for Parquet that cannot be read."""
    reason = str(error).split("\n")[0][:200]
    return DataError(
        f"{path} is no whole Parquet file: {reason}",
        cause="it was not written or downloaded to the end, or is of another kind",
    )
