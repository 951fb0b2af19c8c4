"""Which networks a script trains: the whole of which it calls parts, others beside it, and whether weights move."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch._C import _is_tracing
from torch.compiler import is_compiling
from torch.optim import Optimizer

from babysit.record import Event

NO_LAYERS = "no torch.nn.Module is called: layers cannot be seen, only losses and rates"
UNSEEN_PROCESSES = "processes that the script starts are not watched"
LEAST_BACKWARDS = 3  # passes after which weights that are changed by hand would have moved

_task_of_backward, _transformation = torch._C._current_graph_task_id, torch._C._functorch.peek_interpreter_stack


class Parts(nn.Module):
    """Modules that one optimizer steps and that no other module holds. It is never called, only looked into."""


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """What an optimizer steps."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def trained_weights(optimizers: Sequence[Optimizer], network: nn.Module | None) -> list[Tensor]:
    """What the optimizers step; where there are none, the network's weights."""
    found = [one for optimizer in optimizers for one in parameters_of(optimizer)]
    return found or ([] if network is None else list(network.parameters()))


def own_of(module: nn.Module, optimizers: Sequence[Optimizer]) -> list[Optimizer]:
    """Optimizers that step some of a module's parameters."""
    own = {id(parameter) for parameter in module.parameters()}
    return [one for one in optimizers if own & {id(parameter) for parameter in parameters_of(one)}]


def whole_of(called: nn.Module, optimizers: Sequence[Optimizer]) -> nn.Module:
    """The smallest module that holds everything the optimizers step, or else its parts in one.

    Args:
        called: A module that the script calls.
        optimizers: Those that step some of its parameters.

    Example:
        >>> encoder, decoder = nn.Linear(4, 2), nn.Linear(2, 4)
        >>> both = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
        >>> sorted(name for name, _ in whole_of(encoder, [both]).named_children())
        ['linear', 'linear_2']
    """
    stepped = {id(parameter) for optimizer in optimizers for parameter in parameters_of(optimizer)}
    if stepped <= _ids(called):
        return called
    alive: list[nn.Module] = [
        one for one in gc.get_objects() if issubclass(type(one), nn.Module) and not isinstance(one, Parts)
    ]
    sharing = [one for one in alive if _ids(one) & stepped]
    holding = [one for one in sharing if _ids(one) >= stepped and any(child is called for child in one.modules())]
    if holding:
        return min(holding, key=lambda one: (len(_ids(one)), sum(1 for _ in one.modules())))
    below = {id(child) for one in sharing for child in one.modules() if child is not one}
    parts = Parts()
    for one in [called, *(one for one in sharing if id(one) not in below and one is not called)]:
        if not _ids(one) <= _ids(parts):
            parts.add_module(_free_name(parts, one), one)
    return parts if len(parts._modules) > 1 else called


def in_transformation() -> bool:
    """Whether a backward pass, a transformation, a trace or an export is what calls, not the script."""
    return _task_of_backward() >= 0 or _transformation() is not None or is_compiling() or _is_tracing()


def name_of(module: nn.Module) -> str:
    """As the script calls it, where it does; else its class."""
    script = vars(sys.modules["__main__"])
    names = (name for name, value in list(script.items()) if value is module and name.isidentifier())
    return next(names, type(module).__name__)


def wraps(module: nn.Module, network: nn.Module | None) -> bool:
    """Whether a module is what the network was put into, as a compiler does."""
    inner = next((one for one in module.modules() if one is not module), None)
    return network is not None and inner is network


def _ids(module: nn.Module) -> set[int]:
    return {id(parameter) for parameter in module.parameters()}


def _free_name(parts: Parts, module: nn.Module) -> str:
    name = name_of(module)
    name = type(module).__name__.lower() if name == type(module).__name__ else name
    count, free = 1, name
    while free in parts._modules:
        count += 1
        free = f"{name}_{count}"
    return free


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
        """A module outside the network is called with gradients. Returns what there is to tell of it."""
        if id(module) in self._known or not any(parameter.requires_grad for parameter in module.parameters()):
            return []
        own = {id(parameter) for parameter in module.parameters()}
        known = {id(parameter) for parameter in network.parameters()}
        if own <= known or not any(own & {id(param) for param in parameters_of(one)} for one in optimizers):
            return []
        self._known.add(id(module))
        return [Event(step, "unseen", f"{name_of(module)} is trained, too, and not measured: {name_of(network)} is")]


class Unmoved:
    """Remembers a network's first weights.

    Args:
        network: Trained without an optimizer.

    Example:
        >>> net = nn.Linear(2, 1)
        >>> unmoved = Unmoved(net)
        >>> unmoved.after(9)
        True
        >>> _ = nn.init.zeros_(net.weight)
        >>> unmoved.after(9)
        False
    """

    def __init__(self, network: nn.Module) -> None:
        self._first = [(one, one.detach().clone()) for one in network.parameters() if one.requires_grad]

    def after(self, backwards: int) -> bool:
        """Whether every weight is what it was, after enough backward passes to tell."""
        return backwards >= LEAST_BACKWARDS and all(torch.equal(one.detach(), first) for one, first in self._first)


def what_was_not_seen(step: int, network: nn.Module | None, backwards: int, unmoved: Unmoved | None) -> list[Event]:
    """What there is to tell at the end of a training: what of it was not seen, or that its weights never moved.

    Args:
        step: The last one.
        network: That was trained.
        backwards: Backward passes that were seen.
        unmoved: Its first weights, where they are changed by something else than an optimizer of PyTorch's.

    Example:
        >>> [event.kind for event in what_was_not_seen(0, None, 0, None)]
        ['unseen']
    """
    if network is None and backwards:
        return [Event(0, "unseen", NO_LAYERS, "weights")]
    if network is None:
        text = f"no training was seen: no backward pass and no step of an optimizer; {UNSEEN_PROCESSES}"
        return [Event(0, "unseen", text)]
    if unmoved is not None and unmoved.after(backwards):
        return [Event(step, "step-missing", f"{backwards} backward passes, and no weight has changed")]
    if unmoved is not None:
        return [Event(0, "unseen", "weights are changed by something else than torch.optim: its kind and its rates")]
    return []
