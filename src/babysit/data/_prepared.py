"""Prepared: rows ready to be cut into batches, with all that was found out on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from babysit.record import DataSummary, Decision

if TYPE_CHECKING:
    from babysit.data._columns import Columns
    from babysit.data._deal import Keys

Indices = npt.NDArray[np.int64]


class Rows(Protocol):
    """Raw inputs by row, in memory or on disk, in the type they came in."""

    @property
    def shape(self) -> torch.Size:
        """[N, ...] with N rows."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the raw numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The rows of those numbers (int64 [n]), as [n, ...]."""

    def chunks(self, rows: Indices | None = None, rows_per_chunk: int | None = None) -> Iterator[Tensor]:
        """All rows, or those, in pieces that fit a cache or a disk's block."""


@dataclass(frozen=True)
class TableLayout:
    """Columns of a raw table input [N, D]: numbers (NaN for missing) first, then category codes.

    Attributes:
        numbers: How many number columns.
        levels: For each category column, how many codes: 0 is missing, 1 a level not seen in training, 2.. the levels.
    """

    numbers: int
    levels: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImageLayout:
    """Axes of a raw image input: `NHW` grey, `NHWC` or `NCHW`, and its shape [N] left out."""

    shape: tuple[int, ...]
    axes: Literal["NHW", "NHWC", "NCHW"]


@dataclass(frozen=True)
class Task:
    """What is learned: a class out of `classes`, or a number."""

    kind: Literal["classification", "regression"]
    target: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """Rows ready to be cut into batches.

    Attributes:
        inputs: Raw inputs of all rows.
        targets: int64 class numbers [N], or float32 values [N] in the target's own unit.
        task: What is learned.
        layout: What the axes of a raw input mean.
        columns: How a table becomes raw inputs; None for arrays and images.
        split: Row numbers of train, validation and test; a phase may be empty.
        summary: The data in numbers.
        decisions: What was decided from the data.
        fingerprint: Changes when the data changes.
        keys: What rows are dealt by; None where nobody said.
    """

    inputs: Rows
    targets: Tensor
    task: Task
    layout: TableLayout | ImageLayout
    columns: Columns | None
    split: Mapping[str, Indices]
    summary: DataSummary
    decisions: tuple[Decision, ...] = field(default=())
    fingerprint: str = ""
    keys: Keys | None = None
