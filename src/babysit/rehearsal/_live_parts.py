"""LiveParts: the live parts of a Subject, for checks that need more than a Trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from babysit.remedies import Batch, LossOf

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class LiveParts:
    """The live parts of a Subject.

    Attributes:
        network: As the user has it. Whoever changes it works within `restored`.
        loss_of: The loss of one batch, penalties included.
        make_optimizer: A fresh optimizer as the user chose it, over the parameters given in the network's order.
        optimizers: Those that exist; empty where the user gave a factory.
        batches: The training batches, endlessly, in the order of a seed.
        validation: Batches of the validation rows, once through; None where there are none.
        epoch_steps: Batches an epoch; None where nobody knows.
        rows: Training rows; None where nobody knows.
        loaders: What batches come from, to be restored.
    """

    network: nn.Module
    loss_of: LossOf
    make_optimizer: MakeOptimizer
    optimizers: Sequence[Optimizer]
    batches: Callable[[int], Iterator[Batch]]
    validation: Callable[[], Iterator[Batch]] | None
    epoch_steps: int | None
    rows: int | None
    loaders: tuple[object, ...] = ()
