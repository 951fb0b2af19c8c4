"""Raw rows: what they must be able to do, and rows that are one tensor in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Indices = npt.NDArray[np.int64]
BYTES_PER_CHUNK = 4 * 2**20  # what a shared cache holds beside the statistics that are made of it


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


class TensorRows:
    """A tensor [N, ...] as `Rows`: cut by index, or walked through in pieces.

    Example:
        >>> rows = TensorRows(torch.arange(6).reshape(3, 2))
        >>> rows[torch.tensor([2, 0])].tolist()
        [[4, 5], [0, 1]]
        >>> [len(piece) for piece in rows.chunks(rows_per_chunk=2)]
        [2, 1]
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @property
    def shape(self) -> torch.Size:
        """[N, ...] with N rows."""
        return self.tensor.shape

    @property
    def dtype(self) -> torch.dtype:
        """Type of the raw numbers."""
        return self.tensor.dtype

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The rows of those numbers (int64 [n]), as [n, ...]."""
        return self.tensor[rows]

    def chunks(self, rows: Indices | None = None, rows_per_chunk: int | None = None) -> Iterator[Tensor]:
        """All rows, or those, in pieces of about 4 MiB unless told otherwise."""
        if rows_per_chunk is None:
            bytes_per_row = self.tensor[:1].numel() * self.tensor.element_size()
            rows_per_chunk = max(1, BYTES_PER_CHUNK // max(1, bytes_per_row))
        if rows is None:
            for start in range(0, len(self.tensor), rows_per_chunk):
                yield self.tensor[start : start + rows_per_chunk]
            return
        for start in range(0, len(rows), rows_per_chunk):
            yield self.tensor[torch.from_numpy(rows[start : start + rows_per_chunk])]
