"""Changes: remedies and interventions applied to a training that knows nothing of them, through the patcher.

Each remedy is taken by one part: the inputs, the network and its optimizers, the activations called, the loss, the
steps, the loaders. What no part takes is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from babysit.record import InputError, Remedy
from babysit.scripts._activation_changes import ActivationChanges
from babysit.scripts._batch_changes import BatchChanges
from babysit.scripts._input_changes import InputChanges
from babysit.scripts._loss_changes import LossChanges
from babysit.scripts._network_changes import NetworkChanges
from babysit.scripts._step_changes import StepChanges

Replace = Callable[[Any, str, Callable[[Callable[..., Any]], Callable[..., Any]]], None]
OF_SOURCE = frozenset({"epochs"})  # what is changed in the text of a script, before it is run


class Part(Protocol):
    """Takes some remedies."""

    takes: frozenset[str]

    def add(self, remedy: Remedy) -> None:
        """Take one of them."""


class Changes:
    """All changes of one run.

    Args:
        remedies: What to change.
        seed: Of what is drawn for them.

    Raises:
        InputError: A remedy that scripts cannot take, or a value that is not legal.

    Example:
        >>> Changes([Remedy("lr", "0.1"), Remedy("remove-softmax")]).names
        ('lr', 'remove-softmax')
    """

    def __init__(self, remedies: Sequence[Remedy], seed: int = 0) -> None:
        self.names = tuple(remedy.name for remedy in remedies)
        self._batches = BatchChanges()
        self._inputs = InputChanges()
        self._network = NetworkChanges(seed)
        self._activations = ActivationChanges()
        self._loss = LossChanges(self._activations, self._batches)
        self._steps = StepChanges()
        parts: list[Part] = [
            self._batches, self._inputs, self._network, self._activations, self._loss, self._steps,
        ]  # fmt: skip
        for remedy in remedies:
            taking = [part for part in parts if remedy.name in part.takes]
            if not taking and remedy.name not in OF_SOURCE:
                legal = sorted(OF_SOURCE.union(*(part.takes for part in parts)))
                raise InputError(f"the remedy '{remedy}' cannot be tried on a script", legal=", ".join(legal))
            for part in taking:
                part.add(remedy)

    def install(self, replace: Replace) -> None:
        """Before the script's first line."""
        self._activations.install(replace)
        self._loss.install(replace)
        self._steps.install(replace)

    def begin(self, network: nn.Module, arguments: tuple[Any, ...], optimizers: Sequence[Optimizer]) -> Any:
        """At the first pass of training. Returns the arguments it shall have, None to leave them.

        Raises:
            InputError: This network cannot be changed so.
        """
        changed = self._inputs.begin(network, arguments)
        changed = changed if changed is not None else arguments
        self._activations.begin(network, changed)
        self._network.begin(network, changed, optimizers)
        self._steps.begin(network, optimizers)
        self._loss.begin(network)
        kept = self._batches.begin(network, changed)
        return kept if kept is not None else changed

    def before_epoch(self, loader: DataLoader[Any]) -> None:
        """A loader is about to be gone through."""
        self._batches.before_epoch(loader)

    def before_step(self, optimizer: Optimizer) -> None:
        """An optimizer is about to step."""
        self._steps.before_step(optimizer)

    def after_step(self, optimizer: Optimizer) -> None:
        """It has stepped."""
        self._steps.after_step(optimizer)
