"""Rows of batches dealt anew: into batches of another size, or in another order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from babysit.remedies._application import Application
from babysit.remedies._state import Batch

MOST_ROWS = 200_000  # that are kept for one order


def redealt(batches: Iterator[Batch], size: int, application: Application) -> Iterator[Batch]:
    """The same rows in their order, in batches of another size.

    Example:
        >>> from babysit.record import Remedy
        >>> given = iter([torch.arange(3), torch.arange(3, 6)])
        >>> [one.tolist() for one in islice(redealt(given, 2, Application(Remedy("batch-size", "2"), "")), 2)]
        [[0, 1], [2, 3]]
    """
    waiting: Batch | None = None
    for batch in batches:
        application.took_hold()
        waiting = batch if waiting is None else joined([waiting, batch])
        while rows_of(waiting) >= size:
            yield picked(waiting, slice(0, size))
            waiting = picked(waiting, slice(size, None))


def shuffled(batches: Iterator[Batch], epoch_steps: int, seed: int, application: Application) -> Iterator[Batch]:
    """The rows of each epoch in an order of their own, in batches of the same size."""
    generator = torch.Generator().manual_seed(seed)
    while epoch := list(islice(batches, epoch_steps)):
        sizes = [rows_of(batch) for batch in epoch]
        if sum(sizes) > MOST_ROWS:
            application.fail(f"an epoch has {sum(sizes):,} rows; more than {MOST_ROWS:,} are not dealt anew")
        whole = joined(epoch)
        order = torch.randperm(sum(sizes), generator=generator)
        application.took_hold()
        for places in order.split(sizes):
            yield picked(whole, places)


def rows_of(batch: Batch) -> int:
    """Rows of its first tensor; 0 without any."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else 0
    inside = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, tuple | list) else ()
    return next((rows for rows in map(rows_of, inside) if rows), 0)


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches as one: every tensor of rows behind those before."""
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.cat([*batches]) if first.ndim else first
    if isinstance(first, Mapping):
        return {name: joined([batch[name] for batch in batches]) for name in first}
    if isinstance(first, tuple | list):
        parts = [joined(list(part)) for part in zip(*batches, strict=True)]
        return made_like(first, parts)
    return first


def picked(batch: Batch, rows: Any) -> Batch:
    """Some rows of a batch."""
    if isinstance(batch, Tensor):
        return batch[rows.to(batch.device) if isinstance(rows, Tensor) else rows] if batch.ndim else batch
    if isinstance(batch, Mapping):
        return {name: picked(value, rows) for name, value in batch.items()}
    if isinstance(batch, tuple | list):
        return made_like(batch, [picked(value, rows) for value in batch])
    return batch


def made_like(batch: Any, parts: Sequence[Batch]) -> Batch:
    """Parts as a tuple, a named tuple or a list, as a batch is."""
    return type(batch)(*parts) if isinstance(batch, tuple) and type(batch) is not tuple else type(batch)(parts)
