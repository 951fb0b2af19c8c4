"""Batches cut by index from rows held as they came, preprocessed on the device."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from babysit.data import Rows
from babysit.training._random import shuffled

KEPT_BYTES = 2**27  # of preprocessed inputs that are validated again and again
EVALUATION_ROWS = 4096  # rows a forward pass without gradients; more no longer gains speed on a CPU


@dataclass(frozen=True)
class Examples:
    """Training and validation rows, and what cuts them into batches.

    Attributes:
        inputs: Raw inputs of all rows.
        targets: What the loss compares with, [N], on the device.
        preprocessing: Raw inputs to what the network takes, on the device.
        train: int64 row numbers that are learned from.
        validation: int64 numbers of the validation rows; may be empty.
        device: Where the network is.
        link: For numbers: from an output to a value on the scale of `targets`; exp for the Poisson loss.
    """

    inputs: Rows | Tensor
    targets: Tensor
    preprocessing: nn.Module
    train: Tensor
    validation: Tensor
    device: torch.device
    link: Callable[[Tensor], Tensor] = torch.Tensor.clone

    def cut(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Preprocessed inputs [n, ...] and targets [n] of rows int64 [n]."""
        raw = self.inputs[rows].to(self.device, non_blocking=True)
        with torch.no_grad():
            inputs = self.preprocessing(raw)
        return inputs, self.targets[rows.to(self.targets.device)]

    @functools.cached_property
    def held_out(self) -> Tensor | None:
        """Preprocessed inputs of the validation rows, made once; None where they take too much memory to be kept."""
        rows = self.validation
        if not len(rows):
            return None
        first, _ = self.cut(rows[:1])
        if first.nbytes * len(rows) > KEPT_BYTES:
            return None
        kept = first.new_empty((len(rows), *first.shape[1:]))
        for part, place in zip(in_order(rows), in_order(kept), strict=True):
            place.copy_(self.cut(part)[0])
        return kept

    def judged_on(self, count: int) -> Examples:
        """The same with so many of the validation rows: drawn once, the same each time; all where there are no more."""
        if count >= len(self.validation):
            return self
        if count not in self._parts:
            part = dataclasses.replace(self, validation=self._any_order.validation[:count])
            if self._any_order.held_out is not None:
                # In place of the cached property: nothing is preprocessed or copied again, in this process or another.
                vars(part)["held_out"] = self._any_order.held_out[:count]
            self._parts[count] = part
        return self._parts[count]

    @functools.cached_property
    def _parts(self) -> dict[int, Examples]:
        return {}

    @functools.cached_property
    def _any_order(self) -> Examples:
        """With the validation rows in an order of chance, the same each time: a part of them is a slice."""
        order = shuffled(len(self.validation), 0, 0)
        mixed = dataclasses.replace(self, validation=self.validation[order])
        vars(mixed)["held_out"] = self.held_out[order] if self.held_out is not None else None
        return mixed


def epoch_batches(train: Tensor, batch_size: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    """The rows of each batch of an epoch, shuffled by the epoch's own stream.

    The last batch is what remains; one row alone joins the batch before it, as batch norm cannot learn from one.
    """
    order = train[shuffled(len(train), seed, epoch)]
    batches = list(torch.split(order, batch_size))
    if batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return tuple(batches)


def batches_per_epoch(rows: int, batch_size: int) -> int:
    """How many batches `epoch_batches` gives."""
    count, rest = divmod(rows, batch_size)
    return max(1, count + (rest > 1))


def in_order(rows: Tensor, size: int = EVALUATION_ROWS) -> Iterator[Tensor]:
    """Rows in their order, in pieces for evaluation: numbers of rows, or the rows themselves."""
    yield from torch.split(rows, size)


def as_rows(indices: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
    """Row numbers of a split as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(indices))
