"""Objects that travel between two processes: tensors through memory that both see, all else pickled."""

from __future__ import annotations

import io
import math
import mmap
import pickle
from typing import Any

import torch
from torch import Tensor

ALIGNED = 64  # bytes at which each tensor begins


class Place:
    """Memory that tensors are written to, one after the other."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._bytes = torch.frombuffer(memory, dtype=torch.uint8)
        self.used = 0

    def put(self, value: Tensor) -> tuple[int, torch.dtype, tuple[int, ...]]:
        """Where it is now."""
        at, end = self.used, self.used + value.nbytes
        if end > len(self._bytes):
            raise MemoryError("members take more memory than was set aside for them")
        if value.nbytes:
            self._bytes[at:end].copy_(value.detach().contiguous().reshape(-1).view(torch.uint8))
        self.used = math.ceil(end / ALIGNED) * ALIGNED
        return at, value.dtype, tuple(value.shape)


class _Pickler(pickle.Pickler):
    """Tensors beside what is pickled."""

    def __init__(self, file: io.BytesIO, place: Place) -> None:
        super().__init__(file, protocol=5)
        self._place = place

    def persistent_id(self, value: object) -> object:
        """Where a tensor lies; None for anything else, which is pickled."""
        return self._place.put(value) if isinstance(value, Tensor) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, memory: Tensor) -> None:
        super().__init__(io.BytesIO(content))
        self._memory = memory

    def persistent_load(self, place: Any) -> Tensor:
        """The tensor as a view of the memory."""
        at, dtype, shape = place
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return torch.empty(shape, dtype=dtype)
        return self._memory[at : at + size].view(dtype).view(shape)


def pack(content: object, place: Place) -> bytes:
    """Pickle anything, its tensors left out and written to a place.

    Raises:
        MemoryError: The place is too small.

    Example:
        >>> memory = mmap.mmap(-1, 1024)
        >>> packed = pack({"weights": torch.ones(2, 3)}, Place(memory))
        >>> unpack(packed, torch.frombuffer(memory, dtype=torch.uint8))["weights"].sum().item()
        6.0
    """
    file = io.BytesIO()
    _Pickler(file, place).dump(content)
    return file.getvalue()


def unpack(content: bytes, memory: Tensor) -> Any:
    """What `pack` was given; its tensors are views of the memory, uint8 [bytes]."""
    return _Unpickler(content, memory).load()
