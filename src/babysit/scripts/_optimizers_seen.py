"""Which optimizers a script has, and whose steps are the training's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from babysit.record import Event
from babysit.scripts._networks_seen import name_of, parameters_of

STEPS_OF_ANOTHER = 10  # after which an optimizer that has taken none is not waited for any more


class OptimizersSeen:
    """All that were made. Steps are counted of one: the first that steps what is trained.

    An optimizer may be made and never step: it was replaced by another, or its network is kept as it is.

    Args:
        known: Of an earlier part of the training.

    Attributes:
        all: In the order in which they were made.
        counted: The one whose steps are the training's; None before the first is made.

    Example:
        >>> import torch
        >>> net = nn.Linear(2, 1)
        >>> never, steps = (torch.optim.SGD(net.parameters(), lr=0.1) for _ in range(2))
        >>> seen = OptimizersSeen([never, steps])
        >>> seen.takes_over(steps, net)
        True
    """

    def __init__(self, known: Sequence[Optimizer] = ()) -> None:
        self.all = list(known)
        self.counted = self.all[0] if self.all else None
        self._idle: list[Optimizer] = []  # that were seen to take no step
        self._steps_of_another = 0

    def making(self, original: Callable[..., Any], made: Callable[[Optimizer], bool]) -> Callable[..., Any]:
        """Wraps `Optimizer.__init__`; `made` is told of each that is new, and says whether it counts."""

        def construct(optimizer: Optimizer, *arguments: Any, **options: Any) -> None:
            original(optimizer, *arguments, **options)
            if all(optimizer is not one for one in self.all) and made(optimizer):
                self.all.append(optimizer)
                self.counted = self.counted or optimizer

        return construct

    def of(self, module: nn.Module) -> list[Optimizer]:
        """Those that step some of a module's parameters; of frozen ones, too, which is a mistake worth seeing."""
        own = {id(parameter) for parameter in module.parameters()}
        return [one for one in self.all if any(id(parameter) in own for parameter in parameters_of(one))]

    def waits(self, module: nn.Module) -> bool:
        """Whether a module belongs to an optimizer that takes no step."""
        return any(one is idle for one in self.of(module) for idle in self._idle)

    def takes_over(self, optimizer: Optimizer, network: nn.Module | None) -> bool:
        """Whether the steps of this one are counted from now on, because the counted one has taken none.

        It is so at once where it steps the same network, or where none is known yet; else after some of its steps.
        """
        if network is not None and all(one is not optimizer for one in self.of(network)):
            self._steps_of_another += 1
            if self._steps_of_another < STEPS_OF_ANOTHER:
                return False
            self._idle += self.of(network)
        self.counted = optimizer
        return True

    def turned_to(self, optimizer: Optimizer, network: nn.Module | None) -> list[Event]:
        """The same; told is where another network than the known one is the training by that."""
        if not self.takes_over(optimizer, network) or network is None or not self.waits(network):
            return []
        text = "its optimizer takes no step, while another one does: what that one steps is measured"
        return [Event(0, "unseen", text, name_of(network))]
