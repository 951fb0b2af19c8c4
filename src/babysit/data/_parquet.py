"""Parquet as a table: whole in memory, or in pieces when it is too large for that."""

from __future__ import annotations

import pathlib
import re
import urllib.parse

import polars as pl

from babysit.data._cells import TEXT, clean
from babysit.data._found import PARQUET_DAMAGE, LargeTable, Table, collected, damaged, physical_memory, unreadable
from babysit.data._nested import flat_frame
from babysit.data._wording import several
from babysit.record import DataError, DataSection, Decision

# A table in memory needs about twice its size while it is cleaned and encoded.
SHARE_OF_MEMORY = 0.25
BYTES_OF_TEXT = 32  # of a cell: polars keeps 16 bytes a text and what does not fit into them elsewhere
ROWS_OF_SAMPLE = 200_000
INDEX = re.compile(r"__index_level_\d+__")
PARTITION = re.compile(r"^([^=]+)=(.*)")
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def read_parquet(path: pathlib.Path, data: DataSection) -> Table | LargeTable:
    """A Parquet file, or the Parquet files of a folder and of folders in it, one behind the other.

    Folders named KEY=VALUE, as Hive and Spark write them, become the column KEY. Columns in which pandas keeps the
    numbers of rows are left out.

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
        files = parquet_files(path) if path.is_dir() else [path]
    except PermissionError as error:
        raise unreadable(path, error) from None
    return read_parts(files, path, data)


def read_parts(files: list[pathlib.Path], path: pathlib.Path, data: DataSection) -> Table | LargeTable:
    """Parquet files as one table.

    Args:
        files: In order.
        path: Of the file, or of the folder whose inner folders may be partitions.
        data: Texts that mean no value.

    Raises:
        DataError: They cannot be read, or have no rows.
    """
    try:
        scan = _scan(files, path)
        names = scan.collect_schema().names()
    except PermissionError as error:
        raise unreadable(path, error) from None
    except PARQUET_DAMAGE as error:
        raise damaged(str(path), error) from None
    index = [name for name in names if INDEX.fullmatch(name)]
    decisions: tuple[Decision, ...] = ()
    if index and len(index) < len(names):
        scan = scan.drop(index)
        why = "pandas keeps the numbers of rows there; they say nothing about a row"
        decisions = (Decision(setting="data.types", value=f"{several(map(repr, index))}: drop", why=why),)
    rows, size = _extent(scan, str(path))
    if not rows:
        raise DataError(f"{path} has columns and no rows", cause="a filter that removed all rows")
    if size <= SHARE_OF_MEMORY * physical_memory():
        return Table(str(path), clean(flat_frame(collected(scan, str(path)))), decisions=decisions)
    sample = clean(collected(scan.head(ROWS_OF_SAMPLE), str(path)))
    note = (
        f"{size / 2**30:.1f} GiB are read in pieces; the types of the columns were found from the first "
        f"{sample.height:,} rows"
    )
    return LargeTable(str(path), scan, rows, data.missing, sample, (note, *(one.why for one in decisions)))


def parquet_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The Parquet files in a folder and below it, but for those that begin with _ or a point, in order."""
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".parquet", ".pq") and file.is_file())
    return [file for file in found if not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)]


def _scan(files: list[pathlib.Path], path: pathlib.Path) -> pl.LazyFrame:
    scans = []
    for file in files:
        scan = pl.scan_parquet(file, glob=False, hive_partitioning=False)
        if len(files) > 1 or path.is_dir():
            parts = [PARTITION.fullmatch(part) for part in file.relative_to(path).parts[:-1]]
            values = {part[1]: urllib.parse.unquote(part[2]) for part in parts if part}
            scan = scan.with_columns(
                pl.lit(None if value == NO_PARTITION else value, dtype=pl.String).alias(key)
                for key, value in values.items()
            )
        scans.append(scan)
    return scans[0] if len(scans) == 1 else pl.concat(scans, how="diagonal_relaxed")


def _extent(scan: pl.LazyFrame, name: str) -> tuple[int, int]:
    """Rows, and about how many bytes they take in memory."""
    try:
        rows = int(scan.select(pl.len()).collect().item())
        kinds = scan.collect_schema().dtypes()
    except PARQUET_DAMAGE as error:
        raise damaged(name, error) from None
    cell = sum(BYTES_OF_TEXT if kind in TEXT or kind.is_nested() else 8 for kind in kinds)
    return rows, rows * cell
