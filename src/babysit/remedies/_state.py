"""RehearsalState: what a rehearsal trains with, open to remedies until the first step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.record import RegularisationSection, Row
from babysit.remedies._applied import AppliedRemedies

Batch = Any  # what the loader gives, on the network's device
LossOf = Callable[[nn.Module, Batch], Tensor]  # the loss of one batch, a scalar


@dataclass
class RehearsalState:
    """What a rehearsal trains with.

    Attributes:
        network: Trained in place; whoever made the state restores it.
        optimizers: What steps it.
        batches: What it learns from.
        loss_of: The loss of one batch.
        clip_norm: Longest gradient, None for any.
        regularisation: What acts on the weights beside the loss and the optimizers; None for nothing.
        facts: What is told of the training.
        after_step: Called with the number of each step done and its batch; rows to write down, and whether that is
            enough.
        undo: What to take back when the rehearsal is over, and would not be restored otherwise.
        applied: The remedies of this rehearsal.
        epoch_steps: Batches an epoch; None where that is not known.
        shuffled: Whether the loader deals rows in another order every epoch; None where that is not known.
    """

    network: nn.Module
    optimizers: list[Optimizer]
    batches: Iterator[Batch]
    loss_of: LossOf
    clip_norm: float | None = None
    regularisation: RegularisationSection | None = None
    facts: dict[str, str] = field(default_factory=dict)
    after_step: Callable[[int, Batch], tuple[list[Row], bool]] | None = None
    undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    applied: AppliedRemedies = field(default_factory=AppliedRemedies)
    epoch_steps: int | None = None
    shuffled: bool | None = None

    def first_batches(self, count: int) -> list[Batch]:
        """The first batches, which come again when the training begins."""
        kept = list(islice(self.batches, count))
        self.batches = chain(kept, self.batches)
        return kept

    def groups(self) -> list[dict[str, Any]]:
        """The groups of all optimizers."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]


def arguments_of(batch: Batch) -> tuple[Any, ...]:
    """What a batch gives the network in its places; nothing where it is a mapping."""
    if isinstance(batch, Mapping):
        return ()
    parts = inputs_and_targets(batch)
    return parts[0] if parts is not None else (batch,)


def inputs_and_targets(batch: Batch) -> tuple[tuple[Any, ...], Any] | None:
    """What enters the network and what the loss compares with: the last of a batch's parts is the targets.

    Returns:
        None where a batch is not made of two parts or more.
    """
    if isinstance(batch, tuple | list) and len(batch) > 1:
        return tuple(batch[:-1]), batch[-1]
    return None
