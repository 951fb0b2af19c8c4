"""Parquet as a table: whole in memory, or in pieces when it is too large for that."""

from __future__ import annotations

import pathlib

import polars as pl

from babysit.data._cells import TEXT, clean
from babysit.data._found import PARQUET_DAMAGE, LargeTable, Table, collected, damaged, physical_memory, unreadable
from babysit.record import DataError, DataSection

# A table in memory needs about twice its size while it is cleaned and encoded.
SHARE_OF_MEMORY = 0.25
BYTES_OF_TEXT = 32  # of a cell: polars keeps 16 bytes a text and what does not fit into them elsewhere
ROWS_OF_SAMPLE = 200_000


def read_parquet(path: pathlib.Path, data: DataSection) -> Table | LargeTable:
    """A Parquet file, or the Parquet files of a folder one behind the other.

    Args:
        path: Of the file or folder.
        data: Texts that mean no value.

    Returns:
        The whole table, or one read in pieces when it would take more than a quarter of the memory.

    Raises:
        DataError: It cannot be read, or has no rows.
    """
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise DataError(
                f"{path} is empty", cause="the file was not written completely, or it is not the file you meant"
            )
        scan = pl.scan_parquet(path / "*.parquet" if path.is_dir() else path, glob=path.is_dir())
    except PermissionError as error:
        raise unreadable(path, error) from None
    rows, size = _extent(scan, str(path))
    if not rows:
        raise DataError(f"{path} has columns and no rows", cause="a filter that removed all rows")
    if size <= SHARE_OF_MEMORY * physical_memory():
        return Table(str(path), clean(collected(scan, str(path))))
    sample = clean(collected(scan.head(ROWS_OF_SAMPLE), str(path)))
    note = (
        f"{size / 2**30:.1f} GiB are read in pieces; the types of the columns were found from the first "
        f"{sample.height:,} rows"
    )
    return LargeTable(str(path), scan, rows, data.missing, sample, (note,))


def _extent(scan: pl.LazyFrame, name: str) -> tuple[int, int]:
    """Rows, and about how many bytes they take in memory."""
    try:
        rows = int(scan.select(pl.len()).collect().item())
        kinds = scan.collect_schema().dtypes()
    except PARQUET_DAMAGE as error:
        raise damaged(name, error) from None
    cell = sum(BYTES_OF_TEXT if kind in TEXT or kind.is_nested() else 8 for kind in kinds)
    return rows, rows * cell
