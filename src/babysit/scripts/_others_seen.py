"""Modules beside the network that a script trains, too, as the second one of a GAN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import Optimizer

from babysit.record import Event
from babysit.scripts._parts import name_of, parameters_of


class OthersSeen:
    """Tells of each of them once.

    Example:
        >>> from torch.optim import SGD
        >>> first, second = nn.Linear(2, 2), nn.Linear(2, 1)
        >>> optimizers = [SGD(one.parameters(), lr=0.1) for one in (first, second)]
        >>> others = OthersSeen()
        >>> len(others.called(0, second, first, optimizers)), len(others.called(1, second, first, optimizers))
        (1, 0)
        >>> bool(others)
        True
    """

    def __init__(self) -> None:
        self._known: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._known)

    def called(self, step: int, module: nn.Module, network: nn.Module, optimizers: Sequence[Optimizer]) -> list[Event]:
        """What is no part of the network is called with gradients. Returns what there is to tell of it."""
        if id(module) in self._known or not any(parameter.requires_grad for parameter in module.parameters()):
            return []
        own = {id(parameter) for parameter in module.parameters()}
        known = {id(parameter) for parameter in network.parameters()}
        if own <= known or not any(own & {id(param) for param in parameters_of(one)} for one in optimizers):
            return []
        self._known.add(id(module))
        return [Event(step, "unseen", f"{name_of(module)} is trained, too, and not measured: {name_of(network)} is")]
