"""The network and its optimizers, changed before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from babysit.record import InputError, Remedy
from babysit.rehearsal import RehearsalState, random_streams_restored, treat

LIVE = frozenset({"dropout", "initialise", "insert-batch-norm", "unfreeze", "weight-decay"})


class NetworkChanges:
    """What is changed in the network itself, its modes included."""

    takes = LIVE | {"evaluation-mode", "move-batch-norm", "optimise-all-parameters", "train-mode"}

    def __init__(self, seed: int) -> None:
        self._remedies: list[Remedy] = []
        self._seed = seed

    def add(self, remedy: Remedy) -> None:
        """Take one."""
        self._remedies.append(remedy)

    def begin(self, network: nn.Module, arguments: tuple[Any, ...], optimizers: Sequence[Optimizer]) -> None:
        """Change it.

        Raises:
            InputError: It cannot be changed so.
        """
        names = {remedy.name for remedy in self._remedies}
        live = [remedy for remedy in self._remedies if remedy.name in LIVE]
        if live:
            if not optimizers and names & {"insert-batch-norm", "unfreeze", "weight-decay"}:
                raise InputError("there is no optimizer")
            state = RehearsalState(network, list(optimizers), iter([(arguments[0], torch.zeros(1))]), _no_loss)
            with random_streams_restored():
                treat(state, live, self._seed)
        if names & {"optimise-all-parameters", "unfreeze"} and optimizers:
            known = {id(one) for opt in optimizers for group in opt.param_groups for one in group["params"]}
            missing = [one for one in network.parameters() if id(one) not in known and one.requires_grad]
            if missing:
                optimizers[0].param_groups[0]["params"].extend(missing)
        if "move-batch-norm" in names:
            _without_last_norm(network)
        if "train-mode" in names:
            network.train()
            network.register_forward_pre_hook(_training)
        if "evaluation-mode" in names:
            network.register_forward_pre_hook(_evaluating)


def _training(network: nn.Module, _: Any) -> None:
    if torch.is_grad_enabled() and not network.training:
        network.train()


def _evaluating(network: nn.Module, _: Any) -> None:
    if torch.is_grad_enabled() != network.training:
        network.train(torch.is_grad_enabled())


def _without_last_norm(network: nn.Module) -> None:
    found = [
        (parent, name)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, _BatchNorm)
    ]
    if not found:
        raise InputError("the network has no batch normalisation")
    parent, name = found[-1]
    parent._modules[name] = nn.Identity()


def _no_loss(network: nn.Module, batch: Any) -> Any:
    raise InputError("a script brings its own loss")
