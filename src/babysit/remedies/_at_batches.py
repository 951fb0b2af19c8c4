"""Batches: the same few rows at every step, the loader's order, its size of batches."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, get_worker_info

from babysit.record import DOES_NOT_APPLY, InputError
from babysit.remedies._application import Application
from babysit.remedies._hooks import Hooks


class SeededWorker:
    """Begins a worker of a loader as it would begin, and then seeds everything that it may draw from.

    Args:
        first: What the loader does in a new worker.
    """

    def __init__(self, first: Callable[[int], object] | None) -> None:
        self._first = first

    def __call__(self, number: int) -> None:
        if self._first is not None:
            self._first(number)
        worker = get_worker_info()
        if worker is None:
            return
        random.seed(worker.seed)
        np.random.seed(worker.seed % 2**32)  # noqa: NPY002  users draw from it
        torch.manual_seed(worker.seed)
        _seed_generators(worker.dataset, worker.seed, 3)


def _seed_generators(owner: object, seed: int, depth: int) -> None:
    """Generators that a data set, or what it changes rows by, holds."""
    for name, value in list(getattr(owner, "__dict__", {}).items()):
        if isinstance(value, np.random.Generator):
            setattr(owner, name, np.random.default_rng(seed))
        elif isinstance(value, np.random.RandomState):
            value.seed(seed % 2**32)
        elif isinstance(value, random.Random):
            value.seed(seed)
        elif isinstance(value, torch.Generator):
            value.manual_seed(seed)
        elif depth and not isinstance(value, Tensor | np.ndarray | type):
            for one in value if isinstance(value, list | tuple) and len(value) < 100 else [value]:
                _seed_generators(one, seed, depth - 1)


class AtBatches:
    """What a network is trained on, and in which order."""

    def __init__(self) -> None:
        self._size: tuple[int, Application] | None = None
        self._shuffles: Application | None = None
        self._rows: tuple[int, Application] | None = None
        self._seeds: Application | None = None
        self._done: set[int] = set()
        self._arguments: tuple[Any, ...] | None = None
        self._targets: Tensor | None = None

    def size(self, rows: int, application: Application) -> None:
        """Give every loader another number of rows a batch."""
        self._size = rows, application

    def shuffle(self, application: Application) -> None:
        """Shuffle the rows of loaders that go through them in their order."""
        self._shuffles = application

    def seed_workers(self, application: Application) -> None:
        """Give each worker of a loader random numbers of its own."""
        self._seeds = application

    def keep(self, rows: int, application: Application) -> None:
        """Train on the first rows alone."""
        self._rows = rows, application

    def before_epoch(self, loader: DataLoader[Any], hooks: Hooks) -> None:
        """Change a loader before it is gone through for the first time."""
        if self._seeds is not None and loader.num_workers and not isinstance(loader.worker_init_fn, SeededWorker):
            hooks.at_the_end(setattr, loader, "worker_init_fn", loader.worker_init_fn)
            loader.worker_init_fn = SeededWorker(loader.worker_init_fn)
            self._seeds.took_hold()
        if id(loader) in self._done or (self._size is None and self._shuffles is None):
            return
        self._done.add(id(loader))
        batches = loader.batch_sampler
        if not isinstance(batches, BatchSampler):
            for one in (self._size[1] if self._size is not None else None, self._shuffles):
                if one is not None:
                    one.reason = "the loader makes no batches of single rows"
            return
        sampler: Any = batches.sampler
        size = batches.batch_size
        if self._shuffles is not None and isinstance(sampler, SequentialSampler) and torch.is_grad_enabled():
            self._shuffles.took_hold()
            sampler = RandomSampler(loader.dataset)  # type: ignore[arg-type]
        elif self._shuffles is not None:
            self._shuffles.reason = "the loader has an order of its own, or shuffles already"
        if self._size is not None:
            self._size[1].took_hold()
            size = self._size[0]
        hooks.at_the_end(loader.__dict__.__setitem__, "batch_sampler", batches)
        loader.__dict__["batch_sampler"] = BatchSampler(sampler, size, batches.drop_last)

    def begin(self, network: nn.Module, arguments: tuple[Any, ...], hooks: Hooks) -> None:
        """Keep the first rows, and let every training pass have them.

        A batch keeps its number of rows, which the script may count on: the kept ones come again and again.

        Raises:
            InputError: What enters the network is not a tensor of rows.
        """
        if self._rows is None:
            return
        if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].ndim:
            raise InputError("the network is not given rows in a tensor")
        if _of_a_graph(arguments):
            raise InputError(f"{DOES_NOT_APPLY}the rows are nodes of a graph, which depend on one another")
        self._arguments = self._first(arguments, len(arguments[0]))
        hooks.before(network, lambda module, given: self._repeated(given) if torch.is_grad_enabled() else given)

    def targets_kept(self, targets: Tensor) -> Tensor:
        """The targets of the rows that are kept, as often as their rows come.

        Raises:
            InputError: Each row's target is a row of the batch, as in contrastive losses: rows that come again would
                stand against themselves.
        """
        if self._arguments is None or self._rows is None or not targets.ndim:
            return targets
        if self._targets is None and len(targets) > self._rows[0] and _are_rows(targets):
            raise InputError(
                f"{DOES_NOT_APPLY}each row's target is another row of the batch, of which none may be equal"
            )
        if self._targets is None:
            self._targets = targets[: self._rows[0]].detach().clone()
        return _again(self._targets, len(targets))

    def _repeated(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        kept = self._arguments
        if kept is None or self._rows is None or not isinstance(arguments[0], Tensor) or not arguments[0].ndim:
            return arguments
        self._rows[1].took_hold()
        rows = len(arguments[0])
        return tuple(
            _again(one, rows) if isinstance(one, Tensor) and one.ndim and len(one) == len(kept[0]) else now
            for one, now in zip(kept, arguments, strict=True)
        )

    def _first(self, arguments: tuple[Any, ...], rows: int) -> tuple[Any, ...]:
        most = self._rows[0] if self._rows is not None else rows
        return tuple(
            one[:most].detach().clone()
            if isinstance(one, Tensor) and one.ndim and len(one) == rows and not one.requires_grad
            else one
            for one in arguments
        )


def _are_rows(targets: Tensor) -> bool:
    """Whether the targets are the numbers of the batch's rows, each once."""
    if targets.ndim != 1 or targets.is_floating_point():
        return False
    return bool(torch.equal(targets.sort().values, torch.arange(len(targets), device=targets.device)))


def _of_a_graph(arguments: tuple[Any, ...]) -> bool:
    """Whether beside rows stands what joins them: edges [2, E], or an adjacency [N, N], sparse ones included."""
    rows, others = arguments[0], [one for one in arguments[1:] if isinstance(one, Tensor)]
    if any(one.layout != torch.strided for one in (rows, *others)):
        return True
    edges = [one for one in others if one.ndim == 2 and one.dtype == torch.int64 and len(one) == 2]
    square = [one for one in others if one.ndim == 2 and len(rows) > 2 and one.shape == (len(rows), len(rows))]
    return rows.is_floating_point() and bool(edges or square)


def _again(kept: Tensor, rows: int) -> Tensor:
    """The kept rows over and over, up to a number of rows.

    Example:
        >>> _again(torch.tensor([1, 2, 3]), 5).tolist()
        [1, 2, 3, 1, 2]
    """
    return kept[torch.arange(rows, device=kept.device) % len(kept)]
