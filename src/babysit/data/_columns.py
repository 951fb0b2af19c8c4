"""Columns: how a frame becomes the raw tensor [N, D], learned from training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from babysit.data._cells import PLAIN, clean, with_numbers
from babysit.data._column_kinds import CategoryColumn, Column, DroppedColumn, NumberColumn
from babysit.data._layout import TableLayout
from babysit.data._wording import counted, nearest, row_numbers, several
from babysit.record import DataError, from_json, stored

COLUMNS_SCHEMA: Literal[2] = 2


@stored
class Columns:
    """The columns of a table: which are learned from, and how their cells become numbers.

    Attributes:
        columns: In the order of the file, the target left out.
        target: Name of the target column; a frame may hold it, and it is ignored.
        place: Where the target stood in the file, counted from 0.
        named: Whether the file named its columns; otherwise frames are matched by position.
        missing: Texts that mean no value.
        dtype: Of the raw tensor: float64 when a column needs it.
        schema: Version of how columns are stored.

    Example:
        >>> columns = Columns((CategoryColumn("colour", ("blue", "red")),), target="price", place=1)
        >>> columns.encode(pl.DataFrame({"colour": ["red", None, "green"]})).tolist()
        [[3.0], [0.0], [1.0]]
    """

    columns: tuple[Column, ...]
    target: str
    place: int
    named: bool = True
    missing: tuple[str, ...] = ("",)
    dtype: Literal["float32", "float64"] = "float32"
    schema: Literal[2] = field(default=COLUMNS_SCHEMA, kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that are learned from, in the order of the file."""
        return tuple(column.name for column in self.columns if not isinstance(column, DroppedColumn))

    @property
    def categories(self) -> tuple[CategoryColumn, ...]:
        """Category columns, in the order of their codes in the raw tensor."""
        return tuple(column for column in self.columns if isinstance(column, CategoryColumn))

    @property
    def features(self) -> tuple[str, ...]:
        """A name for each column of the raw tensor: numbers first, then category codes."""
        numbers = [
            name
            for column in self.columns
            if not isinstance(column, DroppedColumn | CategoryColumn)
            for name in column.features
        ]
        return (*numbers, *(column.name for column in self.categories))

    @property
    def layout(self) -> TableLayout:
        """What the axes of the raw tensor mean."""
        levels = tuple(column.codes for column in self.categories)
        return TableLayout(len(self.features) - len(levels), levels)

    def encode(self, frame: pl.DataFrame) -> Tensor:
        """The raw tensor of a frame.

        Args:
            frame: With the columns that are learned from; the target and columns that were dropped in training may
                be there or not. Texts need not be cleaned.

        Returns:
            [N, D] in `dtype`: numbers (NaN for missing) first, then category codes (0 missing, 1 unknown, 2.. levels).

        Raises:
            DataError: Columns are missing; a cell is not a number; a number is infinite.
        """
        frame = clean(self.match(frame)[0], self.missing)
        plain = {column.name for column in self.columns if isinstance(column, NumberColumn) and column.reading == PLAIN}
        frame = with_numbers(frame, keep=[name for name in frame.columns if name not in plain])
        numbers, codes = [], []
        for column in self.columns:
            if isinstance(column, CategoryColumn):
                codes += column.encode(frame[column.name])
            elif not isinstance(column, DroppedColumn):
                numbers += column.encode(frame[column.name])
        encoded = np.empty((frame.height, len(numbers) + len(codes)), dtype=self.dtype)
        for place, values in enumerate([*numbers, *codes]):
            with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and that is refused below
                encoded[:, place] = values
        _refuse_infinite(encoded[:, : len(numbers)], self.features)
        return torch.from_numpy(encoded)

    def match(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """The frame with the names of training, and a note where it has more columns, which are ignored.

        Frames without names are matched by position.

        Raises:
            DataError: Columns are missing.
        """
        learned = [column.name for column in self.columns]
        whole = [*learned[: self.place], self.target, *learned[self.place :]]
        unnamed = frame.columns == [f"column_{number + 1}" for number in range(frame.width)]
        if unnamed or not self.named:
            for names in (whole, learned):
                if frame.width == len(names) and not set(self.names) <= set(frame.columns):
                    return frame.rename(dict(zip(frame.columns, names, strict=True))), ()
            if not self.named and frame.width == len(learned):
                return frame.rename(dict(zip(frame.columns, learned, strict=True))), ()
        given, known = frame.columns, set(whole)
        missing = [name for name in self.names if name not in set(given)] if not set(self.names) <= set(given) else []
        surplus = [name for name in given if name not in known]
        if missing:
            raise _other_columns(missing, surplus, self.names, unnamed)
        if not surplus:
            return frame, ()
        shown = several(map(repr, surplus))
        note = f"{counted(len(surplus), 'column')} that the training data did not have, ignored: {shown}"
        return frame.drop(surplus), (note,)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Columns:
        """The columns that `to_json` wrote.

        Raises:
            DataError: They were written by another version, or damaged.
        """
        if kept.get("schema") != COLUMNS_SCHEMA:
            raise DataError(f"the stored columns have the schema {kept.get('schema')!r}", legal=f"{COLUMNS_SCHEMA}")
        try:
            return from_json(cls, kept)
        except ValueError as error:
            raise DataError(f"the stored columns cannot be read: {error}", cause="the file was damaged") from None


def _refuse_infinite(numbers: np.ndarray[tuple[int, int], np.dtype[np.floating]], names: Sequence[str]) -> None:
    infinite = np.isinf(numbers)
    if not infinite.any():
        return
    columns = [f"'{names[place]}'" for place in np.flatnonzero(infinite.any(axis=0)).tolist()]
    rows = np.flatnonzero(infinite.any(axis=1)).tolist()
    raise DataError(
        f"there are infinite numbers in {'column' if len(columns) == 1 else 'columns'} {several(columns)}, "
        f"{row_numbers(rows)}",
        cause="a division by zero, or a logarithm of zero",
        write="an empty cell where the value is missing, or a large finite number",
    )


def _other_columns(missing: Sequence[str], surplus: Sequence[str], names: Sequence[str], unnamed: bool) -> DataError:
    said = []
    if missing:
        said.append(f"{counted(len(missing), 'column')} missing: {several(map(repr, missing))}")
    if surplus:
        said.append(
            f"{counted(len(surplus), 'column')} that the training data did not have: {several(map(repr, surplus))}"
        )
    alike = [f"{name!r} for {other!r}" for name in surplus[:20] if (other := nearest(name, missing))]
    cause = f"renamed: {several(alike)}" if alike else "a file that differs from the training file"
    if unnamed and not alike:
        cause = "a file without a header whose number of columns differs"
    return DataError(
        "the columns are not those of the training data; " + "; ".join(said), legal=several(names, most=30), cause=cause
    )
