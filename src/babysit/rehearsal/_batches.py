"""Batches of somebody's loader: in the order of a seed, on the network's device, without disturbing the loader."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, SequentialSampler

from babysit.record import InputError
from babysit.rehearsal._restore import Streams, generators_of, random_streams_restored
from babysit.remedies import Batch

# Batches kept in memory, so that the rehearsals of one check need not load and decode them again.
KEPT_BYTES = 256 * 2**20
_NO_MORE = object()


class Batches:
    """Batches of a loader.

    Args:
        loader: A DataLoader, a list of batches, or anything that can be gone through again and again.
        device: Where batches are wanted.

    Raises:
        InputError: It can be gone through once only, or is not a loader.

    Example:
        >>> batches = Batches([(torch.zeros(2, 3), torch.zeros(2))], torch.device("cpu"))
        >>> len(batches), rows_of(next(batches.stream(0)))
        (1, 2)
    """

    def __init__(self, loader: Iterable[Any], device: torch.device) -> None:
        if isinstance(loader, Tensor | str | bytes) or not isinstance(loader, Iterable):
            raise InputError(
                f"a {type(loader).__name__} is not a loader of batches",
                legal="a DataLoader, or a list of (inputs, targets)",
                write="torch.utils.data.DataLoader(dataset, batch_size=64, shuffle=True)",
            )
        if isinstance(loader, Iterator):
            raise InputError(
                "the loader can be gone through only once",
                legal="a DataLoader, or a list of batches",
                cause="it is a generator or an iterator, and a check reads batches several times",
                write="list(loader), if it is small",
            )
        self.loader = loader
        self._device = device
        self._kept: dict[int, list[Batch]] = {}  # of the last seed: the first batches of its first epoch
        self._whole: set[int] = set()  # seeds whose whole first epoch is kept

    def __len__(self) -> int:
        """Batches an epoch; 0 when the loader does not know."""
        try:
            return len(self.loader) if isinstance(self.loader, Sized) else 0
        except TypeError:  # a stream of rows does not know how many there are
            return 0

    @property
    def rows(self) -> int | None:
        """Rows of its data set; None when it does not know."""
        dataset = self.loader.dataset if isinstance(self.loader, DataLoader) else None
        try:
            return len(dataset) if isinstance(dataset, Sized) else None
        except TypeError:
            return None

    @property
    def shuffled(self) -> bool | None:
        """Whether the loader draws the order of its rows; None when it does not tell."""
        sampler = self.loader.sampler if isinstance(self.loader, DataLoader) else None
        return None if sampler is None else not isinstance(sampler, SequentialSampler)

    def stream(self, seed: int) -> Iterator[Batch]:
        """Batches without end, epoch after epoch. The same seed gives the same batches.

        Raises:
            InputError: The loader is empty.
        """
        if seed not in self._kept:
            self._kept, self._whole = {seed: []}, set()
        epoch = 0
        while True:
            found = False
            for batch in self._first_epoch(seed) if epoch == 0 else self.epoch(seed + epoch):
                found = True
                yield batch
            if not found:
                raise InputError("the loader gives no batches", cause="an empty data set, or drop_last with few rows")
            epoch += 1

    def _first_epoch(self, seed: int) -> Iterator[Batch]:
        kept = self._kept.get(seed, [])
        yield from list(kept)
        if seed in self._whole:
            return
        room = KEPT_BYTES - sum(map(bytes_of, kept))
        for number, batch in enumerate(self.epoch(seed)):
            if number < len(kept):
                continue
            room -= bytes_of(batch)
            if room > 0 and number == len(kept):
                kept.append(batch)
            yield batch
        if room > 0:
            self._whole.add(seed)

    def epoch(self, seed: int) -> Iterator[Batch]:
        """One time through, in the order of a seed. The loader draws from streams of its own.

        So the training draws the same random numbers whether batches come from the loader or were kept, which makes
        two rehearsals comparable step by step.
        """
        for generator in generators_of([self.loader]):
            generator.manual_seed(seed)
        with random_streams_restored():
            seed_streams(seed)
            source = iter(_own(self.loader))
            streams = Streams()
        while True:
            with random_streams_restored():
                streams.set()
                batch = next(source, _NO_MORE)
                streams = Streams()
            if batch is _NO_MORE:
                return
            yield moved(batch, self._device)


def _own(loader: Iterable[Any]) -> Iterable[Any]:
    """A loader whose workers are ours: those that the user keeps alive go on with what they were doing."""
    if not isinstance(loader, DataLoader) or not loader.num_workers:
        return loader
    own = copy.copy(loader)
    # A DataLoader refuses to have these changed by plain assignment.
    object.__setattr__(own, "persistent_workers", False)
    object.__setattr__(own, "_iterator", None)
    return own


def seed_streams(seed: int) -> None:
    """Begin the random streams of Python, NumPy and torch; whoever calls it restores them."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  users draw from it
    torch.manual_seed(seed)


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor in it on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: moved(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple) and type(batch) is not tuple:
        return type(batch)(*(moved(value, device) for value in batch))  # a named tuple
    if isinstance(batch, tuple | list):
        return type(batch)(moved(value, device) for value in batch)
    return batch


def tensors_of(batch: Batch) -> list[Tensor]:
    """Every tensor in a batch, in order."""
    if isinstance(batch, Tensor):
        return [batch]
    inside: Iterable[Any] = ()
    if isinstance(batch, Mapping):
        inside = batch.values()
    elif isinstance(batch, tuple | list):
        inside = batch
    return [tensor for value in inside for tensor in tensors_of(value)]


def bytes_of(batch: Batch) -> int:
    """Memory of its tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_of(batch))


def rows_of(batch: Batch) -> int:
    """Rows of its first tensor; 0 without any."""
    first = next(iter(tensors_of(batch)), None)
    return first.shape[0] if first is not None and first.ndim else 0


def first_rows(batch: Batch, count: int) -> Batch:
    """The batch cut to its first rows: every tensor that has as many rows as the first one."""
    rows = rows_of(batch)

    def cut(value: Batch) -> Batch:
        if isinstance(value, Tensor):
            return value[:count] if value.ndim and value.shape[0] == rows else value
        if isinstance(value, Mapping):
            return {name: cut(inner) for name, inner in value.items()}
        if isinstance(value, tuple) and type(value) is not tuple:
            return type(value)(*map(cut, value))
        if isinstance(value, tuple | list):
            return type(value)(cut(inner) for inner in value)
        return value

    return cut(batch)
