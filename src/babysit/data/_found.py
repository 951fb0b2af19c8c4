"""What a reader of a source hands on: a table or arrays, not yet split, typed or encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl
from torch import Tensor

from babysit.data._large_table import LargeTable
from babysit.data._prepared import ImageLayout, TableLayout
from babysit.data._row_file import RowFile
from babysit.record import DataError, Decision

PHASES = ("train", "validation", "test")


@dataclass(frozen=True)
class Table:
    """A frame of rows as a file or an object held them.

    Attributes:
        name: Where it came from, for messages.
        frame: One row an example. Text is stripped, and texts that mean "no value" are null.
        named: Whether the source named its columns; otherwise they are `column_1`, `column_2`, ...
        given: Rows of each phase in the order train, validation, test, when the source came already split.
        target: Name of the target column when the source itself says it.
        class_names: Names of whole-number classes 0, 1, ... when the source knows them.
        decisions: What the reader found out rather than was told.
        notes: What a careful reader would want to know.
    """

    name: str
    frame: pl.DataFrame
    named: bool = True
    given: Mapping[str, int] = field(default_factory=dict)
    target: str | None = None
    class_names: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()


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
        decisions: What the reader found out rather than was told.
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
            DataError: They lie on disk.
        """
        if isinstance(self.inputs, Tensor):
            return self.inputs
        raise DataError(
            f"{self.name} lies on disk, as it is too large for the memory, and cannot be joined with other rows",
            write="all rows in one file",
        )


Found = Table | LargeTable | Arrays
