"""Whether every parameter is reached by a gradient and stepped by one optimizer, and what cannot be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.probes._forward import unseen_inside
from babysit.probes._layers import module_kind
from babysit.record import Event

LOOKS = 5  # steps in which a parameter must have been without a gradient before it counts as unreached
LEAST_BACKWARDS = 100  # backward passes without a step that no accumulation of gradients explains
FEW_BACKWARDS = 3  # the same once the training is over


class Wiring:
    """Counts what happens to each parameter. Every fact is reported once.

    Args:
        network: Whose parameters.
        optimizers: What steps them; the first one's rate is the training's, so that one that never steps is put behind.
        unregistered: Parameters by name that take part in passes though the network does not know them; may grow.
    """

    def __init__(
        self, network: nn.Module, optimizers: list[Optimizer], unregistered: Mapping[str, nn.Parameter]
    ) -> None:
        self.steps = 0
        self.backwards = 0
        self._network = network
        self._optimizers = optimizers
        self._unregistered = unregistered
        self._elsewhere: set[str] = set()  # names of parameters that another optimizer stepped
        self._active: set[int] = set()  # optimizers that have taken a step
        self._looks = 0
        self._reached: dict[str, int] = {}  # by name, which parameter it was: a head may be replaced
        self._told: set[tuple[str, str]] = set()

    def stepping(self, optimizer: Optimizer) -> None:
        """An optimizer is about to step."""
        if id(optimizer) in self._active and id(self._optimizers[0]) not in self._active:
            self._optimizers.remove(optimizer)
            self._optimizers.insert(0, optimizer)
        self._active.add(id(optimizer))

    def look(self) -> None:
        """Note which parameters have a gradient now."""
        self._looks += 1
        self._reached |= {
            name: id(found) for name, found in self._everything() if found.is_leaf and found.grad is not None
        }

    def stepped_by_another(self, optimizer: Optimizer) -> None:
        """An optimizer that was not given, perhaps made later, takes its first step."""
        theirs = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        self._elsewhere |= {name for name, parameter in self._everything() if id(parameter) in theirs}

    def _everything(self) -> list[tuple[str, Tensor]]:
        return [*self._network.named_parameters(), *self._unregistered.items()]

    def events(self, step: int, called: Collection[nn.Module], *, ended: bool) -> list[Event]:
        """What is certain by now and was not told before."""
        found: list[Event] = []
        if self._looks >= LOOKS or (ended and self._looks):
            found += self._of_parameters(step)
        if self.steps == 0 and self.backwards >= (FEW_BACKWARDS if ended else LEAST_BACKWARDS):
            text = f"{self.backwards} backward passes and no optimizer step"
            found.append(Event(step, "step-missing", text))
        if ended and called:
            found += [
                Event(step, "unseen", "the module was never called", name)
                for name, module in self._network.named_modules()
                if module_kind(module) is not None
                and module not in called
                and next(module.parameters(), None) is not None
                and not _inside_whole(self._network, name)
            ]
        fresh = [event for event in found if (event.kind, event.layer) not in self._told]
        self._told |= {(event.kind, event.layer) for event in fresh}
        return fresh

    def _of_parameters(self, step: int) -> list[Event]:
        stepped = Counter(
            id(parameter)
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        )
        active = Counter(
            id(parameter)
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
            if id(optimizer) in self._active
        )
        found = []
        for name, parameter in self._network.named_parameters():
            if not parameter.requires_grad:
                found.append(Event(step, "parameter-frozen", f"{name} has requires_grad=False", name))
            elif name not in self._reached:
                found.append(
                    Event(step, "gradient-missing", f"no gradient reached {name} in {self._looks} steps", name)
                )
            if active[id(parameter)] > 1:
                text = f"{name} is stepped by {active[id(parameter)]} optimizers or groups"
                found.append(Event(step, "parameter-in-two-optimizers", text, name))
        for name, tensor in self._everything():
            moved = stepped[id(tensor)] or name in self._elsewhere
            if tensor.requires_grad and self._reached.get(name) == id(tensor) and not moved:
                text = f"{name} has gradients and no optimizer steps it"
                if name in self._unregistered:
                    text += "; it is not registered in the network, as layers in a plain list or dict are not"
                found.append(Event(step, "parameter-not-optimised", text, name))
        return found


def unseen_parts(network: nn.Module, step: int, failures: Mapping[str, str]) -> list[Event]:
    """What of a network no hook sees, and what could not be measured."""
    found = [
        Event(step, "unseen", f"the inside of {name or 'the network'} cannot be measured: {reason}", name)
        for name, module in network.named_modules()
        if (reason := unseen_inside(module))
    ]
    return found + [Event(step, "unseen", f"could not be measured: {why}", name) for name, why in failures.items()]


def _inside_whole(network: nn.Module, name: str) -> bool:
    """Whether the module is part of one that is measured as a whole, or whose inside cannot be seen."""
    parents = name.split(".")[:-1]
    above = [network.get_submodule(".".join(parents[: count + 1])) for count in range(len(parents))]
    return any(module_kind(parent) is not None or unseen_inside(parent) for parent in above)
