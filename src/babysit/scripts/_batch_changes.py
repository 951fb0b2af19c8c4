"""Batches: the same few rows at every step, the loader's order, its size of batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from babysit.record import InputError, Remedy

TINY = 20


class BatchChanges:
    """What a network is trained on, and in which order."""

    takes = frozenset({"batch-size", "shuffle", "tiny-batch"})

    def __init__(self) -> None:
        self._remedies: dict[str, str | None] = {}
        self._done: set[int] = set()
        self._arguments: tuple[Any, ...] | None = None
        self._targets: Tensor | None = None
        self._rows = TINY

    def add(self, remedy: Remedy) -> None:
        """Take one.

        Raises:
            InputError: A number of rows that is none.
        """
        if remedy.name != "shuffle" and remedy.value is not None and not remedy.value.isdecimal():
            raise InputError(f"the remedy '{remedy}' needs a number of rows", write=f"{remedy.name}=32")
        self._remedies[remedy.name] = remedy.value
        if remedy.name == "tiny-batch" and remedy.value:
            self._rows = int(remedy.value)

    def before_epoch(self, loader: DataLoader[Any]) -> None:
        """Change a loader before it is gone through for the first time."""
        if id(loader) in self._done or not self._remedies.keys() & {"shuffle", "batch-size"}:
            return
        self._done.add(id(loader))
        batches = loader.batch_sampler
        if not isinstance(batches, BatchSampler):
            return
        sampler: Any = batches.sampler
        if "shuffle" in self._remedies and isinstance(sampler, SequentialSampler):
            sampler = RandomSampler(loader.dataset)  # type: ignore[arg-type]
        size = int(self._remedies.get("batch-size") or batches.batch_size)
        loader.__dict__["batch_sampler"] = BatchSampler(sampler, size, batches.drop_last)

    def begin(self, network: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Keep the first rows, and let every later training pass have them.

        A batch keeps its number of rows, which the script may count on: the kept ones come again and again.
        """
        if "tiny-batch" not in self._remedies:
            return None
        if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].ndim:
            raise InputError("the network is not given rows in a tensor")
        self._arguments = self._first(arguments, len(arguments[0]))
        network.register_forward_pre_hook(self._rows_kept)
        return self._repeated(arguments)

    def targets_kept(self, targets: Tensor) -> Tensor:
        """The targets of the rows that are kept, as often as their rows come."""
        if self._arguments is None or not targets.ndim:
            return targets
        if self._targets is None:
            self._targets = targets[: self._rows].detach().clone()
        return _again(self._targets, len(targets))

    def _rows_kept(self, network: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._repeated(arguments) if torch.is_grad_enabled() else arguments

    def _repeated(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        kept = self._arguments
        if kept is None or not isinstance(arguments[0], Tensor) or not arguments[0].ndim:
            return arguments
        rows = len(arguments[0])
        return tuple(
            _again(one, rows) if isinstance(one, Tensor) and one.ndim and len(one) == len(kept[0]) else now
            for one, now in zip(kept, arguments, strict=True)
        )

    def _first(self, arguments: tuple[Any, ...], rows: int) -> tuple[Any, ...]:
        return tuple(
            one[: self._rows].detach().clone()
            if isinstance(one, Tensor) and one.ndim and len(one) == rows and not one.requires_grad
            else one
            for one in arguments
        )


def _again(kept: Tensor, rows: int) -> Tensor:
    """The kept rows over and over, up to a number of rows.

    Example:
        >>> _again(torch.tensor([1, 2, 3]), 5).tolist()
        [1, 2, 3, 1, 2]
    """
    return kept[torch.arange(rows, device=kept.device) % len(kept)]
