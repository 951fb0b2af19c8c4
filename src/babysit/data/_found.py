"""What all readers of sources share: what they return, how much memory there is, files that cannot be read."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl
from torch import Tensor

from babysit.data._cells import clean
from babysit.data._layout import ImageLayout, TableLayout
from babysit.data._row_file import RowFile
from babysit.record import DataError, Decision

CELLS_OF_PIECE = 4_000_000
PARQUET_DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, MemoryError)
PHASES = ("train", "validation", "test")
SMALL = 4 * 2**30  # assumed where the system does not say
CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # limits of both kinds


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
        """Some columns of all rows; only empty texts are missing."""
        return clean(collected(self.scan.select(names), self.name))

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
    except PARQUET_DAMAGE as error:
        raise damaged(name, error) from None


def damaged(name: str, error: BaseException) -> DataError:
    """The error for Parquet that cannot be read."""
    reason = str(error).split("\n")[0][:200]
    if isinstance(error, MemoryError) or "allocate memory" in reason:
        return DataError(f"{name} cannot be read: {reason}", cause="this process may not use more memory")
    return DataError(
        f"{name} is not a complete Parquet file: {reason}",
        cause="it was not written or downloaded completely, or it is a file of another kind",
    )


@dataclass(frozen=True)
class Table:
    """A frame of rows as a file or an object held them.

    Attributes:
        name: Where it came from, for messages.
        frame: One row an example. Text is stripped, and empty text is null.
        named: Whether the source named its columns; otherwise they are `column_1`, `column_2`, ...
        given: Rows of each phase in the order train, validation, test, when the source came already split.
        target: Name of the target column when the source itself says it.
        class_names: Names of whole-number classes 0, 1, ... when the source knows them.
        decisions: What the reader found in the source and the user did not state.
        notes: What a careful reader would want to know.
        delimiter: Between the cells of a text file.
    """

    name: str
    frame: pl.DataFrame
    named: bool = True
    given: Mapping[str, int] = field(default_factory=dict)
    target: str | None = None
    class_names: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()
    delimiter: str = ","


@dataclass(frozen=True)
class Arrays:
    """Inputs and targets as arrays.

    Attributes:
        name: Where they came from, for messages.
        inputs: [N, D] numbers, or images [N, H, W], [N, H, W, C] or [N, C, H, W]; on disk when too large.
        layout: What the axes of `inputs` mean.
        targets: [N], as it came.
        target: Its name.
        given: Rows of each phase in the order train, validation, test, when the source came already split.
        class_names: Names of whole-number classes 0, 1, ... when the source knows them.
        decisions: What the reader found in the source and the user did not state.
        notes: What a careful reader would want to know.
    """

    name: str
    inputs: Tensor | RowFile
    layout: TableLayout | ImageLayout
    targets: pl.Series
    target: str = "target"
    given: Mapping[str, int] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tensor(self) -> Tensor:
        """The inputs in memory.

        Raises:
            DataError: They are on disk.
        """
        if isinstance(self.inputs, Tensor):
            return self.inputs
        raise DataError(
            f"{self.name} is too large for the memory and is read from disk; it cannot be joined with other rows",
            write="all rows in one file",
        )


Found = Table | LargeTable | Arrays


def physical_memory() -> int:
    """Bytes of memory of this machine, or less where this process may have no more: in a container, or by ulimit."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        memory = page * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system has sysconf
        return SMALL
    for limit in CONTAINERS:
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max", which is no limit
            memory = min(memory, int(pathlib.Path(limit).read_text()))
    with contextlib.suppress(ImportError, OSError):
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * page
            memory = min(memory, max(0, most - used))
    return memory


def unreadable(path: pathlib.Path, error: OSError) -> DataError:
    """What the system said of a file, as a DataError."""
    if isinstance(error, PermissionError):
        return DataError(f"{path} cannot be read: permission denied", write=f"chmod u+r '{path}'")
    return DataError(f"{path} cannot be read: {error.strerror or error}")
