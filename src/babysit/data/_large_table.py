"""A table on disk that is read in pieces, as it is too large for the memory."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from babysit.data._cells import clean
from babysit.data._unreadable import unreadable
from babysit.record import DataError

CELLS_OF_PIECE = 4_000_000
DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, MemoryError)


@dataclass(frozen=True)
class LargeTable:
    """A table that is read in pieces.

    Attributes:
        name: Where it came from, for messages.
        scan: All rows, not yet read.
        rows: How many.
        missing: Texts that mean no value.
        sample: The first rows, cleaned; by them the types of the columns are found.
        notes: What a careful reader would want to know.
    """

    name: str
    scan: pl.LazyFrame
    rows: int
    missing: tuple[str, ...]
    sample: pl.DataFrame
    notes: tuple[str, ...] = field(default=())

    def columns(self, names: list[str]) -> pl.DataFrame:
        """Some columns of all rows."""
        return clean(collected(self.scan.select(names), self.name), self.missing)

    def pieces(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """All rows in cleaned pieces, each with the number of its first row."""
        rows = max(1, CELLS_OF_PIECE // max(1, self.sample.width))
        for start in range(0, self.rows, rows):
            yield start, clean(collected(self.scan.slice(start, rows), self.name), self.missing)


def collected(scan: pl.LazyFrame, name: str) -> pl.DataFrame:
    """The rows of a scan.

    Raises:
        DataError: The file behind it is damaged or may not be read.
    """
    try:
        return scan.collect()
    except PermissionError as error:
        raise unreadable(pathlib.Path(name), error) from None
    except DAMAGE as error:
        raise damaged(name, error) from None


def damaged(name: str, error: BaseException) -> DataError:
    """The error for Parquet that cannot be read."""
    reason = str(error).split("\n")[0][:200]
    if isinstance(error, MemoryError) or "allocate memory" in reason:
        return DataError(f"{name} cannot be read: {reason}", cause="a limit on the memory of this process")
    return DataError(
        f"{name} is no whole Parquet file: {reason}",
        cause="it was not written or downloaded to the end, or is of another kind",
    )
