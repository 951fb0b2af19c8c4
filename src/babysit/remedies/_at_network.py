"""The network and its optimizers, changed before the first step; and what is done before each pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from babysit.nn import recalibrate_batch_norm
from babysit.remedies._application import Application
from babysit.remedies._hooks import Hooks

KEPT = 16  # batches that running statistics are taken from again


@dataclass(frozen=True)
class BeforeTraining:
    """What is about to be trained.

    Attributes:
        network: As it is called.
        optimizers: Those that step it; empty where weights are changed by hand.
        sample: What the first batch gives the network: arguments, or a mapping of them.
        seed: Of what is drawn.
        hooks: To be taken off when the training is over.
    """

    network: nn.Module
    optimizers: Sequence[Optimizer]
    sample: Any
    seed: int
    hooks: Hooks


AtStart = Callable[[BeforeTraining, Application], None]


class AtNetwork:
    """What is changed in the network itself, its modes and its running statistics included."""

    def __init__(self) -> None:
        self._at_start: list[tuple[AtStart, Application]] = []
        self._training_mode: Application | None = None
        self._evaluation_mode: Application | None = None
        self._statistics: Application | None = None
        self._batches: list[tuple[Any, ...]] = []
        self._stale = False  # weights have moved since the running statistics were taken
        self._busy = False

    def at_start(self, change: AtStart, application: Application) -> None:
        """Change the network or its optimizers before the first step."""
        self._at_start.append((change, application))

    def train_mode(self, application: Application) -> None:
        """Training mode wherever gradients are taken."""
        self._training_mode = application

    def evaluation_mode(self, application: Application) -> None:
        """Evaluation mode wherever no gradients are taken, and training mode elsewhere."""
        self._evaluation_mode = application

    def recalibrate(self, application: Application) -> None:
        """Take batch normalisation's running statistics again, from training batches, before each evaluation."""
        self._statistics = application

    @property
    def asked(self) -> tuple[Application, ...]:
        """What needs a network."""
        modes = (self._training_mode, self._evaluation_mode, self._statistics)
        return (*(one for _, one in self._at_start), *(one for one in modes if one is not None))

    def begin(self, training: BeforeTraining) -> None:
        """Change it.

        Raises:
            NotAppliedError: It cannot be changed so.
        """
        if self._at_start:
            tables = [
                (table, dict(table))
                for module in training.network.modules()
                for table in (module._modules, module._parameters)
            ]
            groups = [
                (group, dict(group), list(group["params"]))
                for optimizer in training.optimizers
                for group in optimizer.param_groups
            ]
            lists = [(optimizer, list(optimizer.param_groups)) for optimizer in training.optimizers]
            training.hooks.at_the_end(_as_before, tables, groups, lists)
        devices = {one.device.index or 0 for one in training.network.parameters() if one.device.type == "cuda"}
        with torch.random.fork_rng(devices=sorted(devices)):
            for change, application in self._at_start:
                change(training, application)
        network, hooks = training.network, training.hooks
        if self._training_mode is not None or self._evaluation_mode is not None:
            hooks.before(network, self._set_mode)
        if self._statistics is not None:
            if not any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in network.modules()):
                self._statistics.fail("the network has no batch normalisation")
            hooks.before(network, self._keep_statistics)

    def _set_mode(self, network: nn.Module, _: Any) -> None:
        learns = torch.is_grad_enabled()
        if learns == network.training or self._busy:
            return
        asked = self._training_mode or self._evaluation_mode if learns else self._evaluation_mode
        if asked is not None:
            asked.took_hold()
            network.train(learns)

    def _keep_statistics(self, network: nn.Module, arguments: tuple[Any, ...]) -> None:
        if self._busy:
            return
        if torch.is_grad_enabled():
            self._batches = [*self._batches[1 - KEPT :], arguments]
            self._stale = True
        elif self._stale and not network.training:
            self.recalibrate_now(network)

    def recalibrate_now(self, network: nn.Module) -> None:
        """Take the running statistics again from the last training batches."""
        if self._statistics is None or not self._batches:
            return
        self._busy = True
        try:
            if recalibrate_batch_norm(network, iter(self._batches)):
                self._statistics.took_hold()
        finally:
            self._busy = self._stale = False


def _as_before(
    tables: Sequence[tuple[Any, Any]],
    groups: Sequence[tuple[Any, Any, Any]],
    lists: Sequence[tuple[Optimizer, Any]],
) -> None:
    """Layers, parameters and the optimizer's groups as they were; what was learned meanwhile stays learned."""
    for table, content in tables:
        table.clear()
        table.update(content)
    for optimizer, content in lists:
        optimizer.param_groups[:] = content
    for group, content, parameters in groups:
        rate = group.get("lr")
        group.update(content)
        group["params"] = parameters
        if rate is not None:
            group["lr"] = rate
