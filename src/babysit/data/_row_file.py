"""Rows in a .npy file on disk, read by number or in pieces, without ever mapping the file into memory."""

from __future__ import annotations

import itertools
import math
import os
import pathlib
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from babysit.data._rows import BYTES_PER_CHUNK, Indices
from babysit.record import DataError, replacing

TENSOR_TYPES = frozenset("bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64".split())
FIRST_VERSIONS = {(1, 0), (2, 0)}  # later ones only add Unicode names of structured fields, which rows do not have


class RowFile:
    """Rows [N, ...] in a .npy file, used in place of a tensor in memory.

    Only what is asked for is read, by position (pread), so a file of any size fits under any limit on address space,
    and one object may be used by several threads and by forked workers. It can be pickled; what arrives opens the
    file again.

    Args:
        path: A .npy file as `numpy.save` or `write_rows` makes it, rows first (C order).

    Raises:
        DataError: No such file, no .npy file, objects (a pickle, which is never read), columns first, a truncated
            file, or a type that PyTorch has not.

    Example:
        >>> rows = write_rows("rows.npy", [torch.tensor([[0, 1], [2, 3]]), torch.tensor([[4, 5]])])
        >>> rows.shape, rows.dtype, len(rows)
        (torch.Size([3, 2]), torch.int64, 3)
        >>> rows[torch.tensor([2, 0, 2])].tolist()
        [[4, 5], [0, 1], [4, 5]]
        >>> [piece.tolist() for piece in rows.chunks(rows_per_chunk=2)]
        [[[0, 1], [2, 3]], [[4, 5]]]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path)
        self._open()

    def _open(self) -> None:
        try:
            with self.path.open("rb") as file:
                self._shape, self._type, self._start = _read_header(file, self.path)
            self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror}") from error
        # Rows live as long as the data is used, so they need not be closed.
        self._release = weakref.finalize(self, os.close, self._descriptor)
        self._row = math.prod(self._shape[1:]) * self._type.itemsize
        self._lock = threading.Lock()

    @property
    def shape(self) -> torch.Size:
        """[N, ...] with N rows."""
        return torch.Size(self._shape)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the raw numbers."""
        return torch.from_numpy(np.empty(0, self._type)).dtype

    def __len__(self) -> int:
        return self._shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The rows of those numbers (int64 [n]), as [n, ...]."""
        if not isinstance(rows, Tensor) or rows.ndim != 1 or rows.dtype != torch.int64:
            raise TypeError("rows are asked for by a tensor of row numbers, int64 [n]")
        return self._gather(rows.numpy())

    def chunks(self, rows: Indices | None = None, rows_per_chunk: int | None = None) -> Iterator[Tensor]:
        """All rows, or those, in pieces of about 4 MiB unless told otherwise."""
        step = rows_per_chunk or max(1, BYTES_PER_CHUNK // max(1, self._row))
        count = len(self) if rows is None else len(rows)
        for start in range(0, count, step):
            stop = min(start + step, count)
            if rows is None:
                yield self._read(start, stop)
            else:
                yield self._gather(np.asarray(rows[start:stop], np.int64))

    def close(self) -> None:
        """Give the file back before the object goes; the rows can no longer be read."""
        self._release()
        self._descriptor = -1  # the number may soon be another file's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self._open()

    def _read(self, start: int, stop: int) -> Tensor:
        numbers = np.empty((stop - start, *self._shape[1:]), self._type)
        self._read_at(_as_bytes(numbers), self._start + start * self._row)
        return torch.from_numpy(numbers)

    def _gather(self, rows: Indices) -> Tensor:
        """Each row where it was asked for; neighbours on disk are read together, in the order of the disk."""
        count = len(self)
        if len(rows) and not (-count <= rows.min() and rows.max() < count):
            raise IndexError(f"row numbers from {rows.min()} to {rows.max()} of {count} rows")
        wanted = np.where(rows < 0, rows + count, rows)
        order = np.argsort(wanted, kind="stable")
        wanted = wanted[order]
        numbers = np.empty((len(wanted), *self._shape[1:]), self._type)
        ends = np.flatnonzero(np.diff(wanted) != 1) + 1
        bounds = [0, *ends.tolist(), len(wanted)] if numbers.size else []
        flat = _as_bytes(numbers)
        for first, last in itertools.pairwise(bounds):
            part = flat[first * self._row : last * self._row]
            self._read_at(part, self._start + int(wanted[first]) * self._row)
        if (order[:-1] < order[1:]).all():
            return torch.from_numpy(numbers)
        asked = np.empty_like(numbers)
        asked[order] = numbers
        return torch.from_numpy(asked)

    def _read_at(self, target: memoryview, position: int) -> None:
        done = 0
        while done < len(target):
            try:
                got = self._read_some(target[done:], position + done)
            except OSError as error:
                raise DataError(f"cannot read {self.path}: {error.strerror}") from error
            if got == 0:
                raise DataError(
                    f"{self.path} has become shorter than its header says",
                    cause="another program cut it while it was in use",
                )
            done += got

    def _read_some(self, target: memoryview, position: int) -> int:
        if sys.platform == "win32":  # there is no reading by position, so the position is shared and locked
            with self._lock:
                os.lseek(self._descriptor, position, os.SEEK_SET)
                content = os.read(self._descriptor, len(target))
            target[: len(content)] = content
            return len(content)
        return os.preadv(self._descriptor, [target], position)


def write_rows(path: str | os.PathLike[str], chunks: Iterable[Tensor]) -> RowFile:
    """Write pieces of rows to a .npy file, which appears whole or not at all.

    Args:
        path: Of the file; its folder must be there.
        chunks: Pieces [n, ...] of one shape a row and one type.

    Returns:
        The file, opened for reading.

    Raises:
        DataError: No piece came, or the pieces do not go together.
        StorageError: The disk refused; nothing is left behind.

    Example:
        >>> rows = write_rows("bytes.npy", (torch.full((2, 3), n, dtype=torch.uint8) for n in range(4)))
        >>> rows[torch.tensor([7])].tolist(), np.load("bytes.npy").shape
        ([[3, 3, 3]], (8, 3))
    """
    place = pathlib.Path(path)
    with replacing(place) as file:
        _write(file, chunks)
    return RowFile(place)


def _as_bytes(numbers: npt.NDArray[Any]) -> memoryview:
    """The memory of a contiguous array, not a copy."""
    return numbers.reshape(-1).view(np.uint8).data


def _write(file: BinaryIO, chunks: Iterable[Tensor]) -> None:
    count, row, dtype = 0, None, None
    start = 0
    for chunk in chunks:
        numbers = np.ascontiguousarray(chunk.detach().cpu().numpy())
        if dtype is None:
            row, dtype = numbers.shape[1:], numbers.dtype
            start = _write_header(file, (0, *row), dtype)
        if numbers.ndim == 0 or (numbers.shape[1:], numbers.dtype) != (row, dtype):
            raise DataError(
                f"rows of shape {numbers.shape[1:]} and type {numbers.dtype} follow rows of shape {row} and type "
                f"{dtype}",
                legal="pieces with rows of one shape and one type",
            )
        file.write(_as_bytes(numbers))
        count += len(numbers)
    if row is None or dtype is None:
        raise DataError("there are no rows to write", cause="an empty stream")
    file.seek(0)
    # NumPy leaves room in the header for the number of rows to grow into.
    if _write_header(file, (count, *row), dtype) != start:
        raise DataError(f"the header does not hold {count} rows")


def _write_header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.tell()


def _read_header(file: BinaryIO, path: pathlib.Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type, and where the numbers begin."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in FIRST_VERSIONS:
            raise ValueError(f"version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, columns_first, dtype = read(file)
    except ValueError as error:
        raise DataError(
            f"{path} is not a .npy file: {error}", legal="a file that numpy.save wrote", cause="another kind of file"
        ) from None
    if dtype.name not in TENSOR_TYPES or not dtype.isnative:
        why = "Python objects, which are pickled; pickles are never read" if dtype.hasobject else f"{dtype}"
        raise DataError(f"{path} holds {why}", legal="whole numbers or floating point of this machine's byte order")
    if columns_first and len(shape) > 1:
        raise DataError(f"{path} is stored column by column", write="numpy.save(path, numpy.ascontiguousarray(array))")
    if not shape or min(shape) < 0:
        raise DataError(f"{path} has the shape {shape}, which has no axis of rows", legal="rows first: [N, ...]")
    start = file.tell()
    needed = start + math.prod(shape) * dtype.itemsize
    size = os.fstat(file.fileno()).st_size
    if size < needed:
        raise DataError(
            f"{path} is truncated: its header says {shape}, {needed:,} bytes, and it has {size:,}",
            cause="copying or writing it was interrupted",
        )
    return tuple(shape), dtype, start
