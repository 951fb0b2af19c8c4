"""Workers of a loader: whether two of them draw the same random numbers, or give the same rows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from babysit.rehearsal._restore import random_streams_restored

SAMPLED = 4  # rows of a data set
BATCHES = 2  # of a stream, from each worker
SECONDS = 20.0  # that a worker may take


def workers_repeat(loader: DataLoader[Any]) -> str | None:
    """What two workers of a loader's own kind do with the same rows; None where nothing is wrong, or nothing known.

    Each is given some rows, each of them twice in a row. Workers that draw from streams of their own make something
    else of the same row, as one worker does the second time.

    Example:
        >>> loader = DataLoader([torch.zeros(2)] * 8, num_workers=0)
        >>> workers_repeat(loader) is None
        True
    """
    if loader.num_workers < 2:
        return None
    if isinstance(loader.dataset, IterableDataset):
        return _of_a_stream(loader)
    count = len(loader.dataset)  # type: ignore[arg-type]
    places = np.linspace(0, count - 1, min(SAMPLED, count)).astype(int).tolist()
    twice = [place for place in places for _ in range(2)]
    with _asked(loader, batch_sampler=[twice, twice]) as found:
        one, other = next(found), next(found)
    varied = [not _same(one[at], one[at + 1]) for at in range(0, len(twice), 2)]
    shared = [_same(one[at], other[at]) for at in range(0, len(twice), 2)]
    if not all(varied) or not all(shared):
        return None
    return (
        f"worker 0 and worker 1 make the same of each of {len(places)} rows, while one worker makes something else of"
        " it the second time: their random numbers are the same"
    )


def _of_a_stream(loader: DataLoader[Any]) -> str | None:
    with _asked(loader, batch_size=loader.batch_size) as found:
        batches = list(itertools.islice(found, 2 * BATCHES))
    if len(batches) < 2 * BATCHES or _same(batches[0], batches[2]):
        return None
    if not all(_same(batches[at], batches[at + 1]) for at in range(0, 2 * BATCHES, 2)):
        return None
    return (
        f"the first {BATCHES} batches of worker 0 and worker 1 are the same: each of the {loader.num_workers} workers"
        " gives the whole stream, so that every row comes as many times"
    )


@contextlib.contextmanager
def _asked(loader: DataLoader[Any], **rows: Any) -> Iterator[Iterator[Any]]:
    """Two workers as the loader's own are, asked for rows as they come from its data set."""
    with random_streams_restored():
        made: DataLoader[Any] = DataLoader(
            loader.dataset,
            num_workers=2,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            collate_fn=_as_they_are,
            timeout=SECONDS,
            generator=torch.Generator().manual_seed(0),
            **rows,
        )
        found: Any = iter(made)
        try:
            yield found
        finally:
            found._shutdown_workers()


def _as_they_are(rows: Any) -> Any:
    return rows


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and bool(torch.equal(one, other))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))
