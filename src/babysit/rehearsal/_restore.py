"""Restores, bit for bit, what a rehearsal changes: the network, its optimizers, random streams, the loader.

Parameters and buffers are copied back into the memory where they were. So everything that shares this memory (tied
weights, a flattened recurrent layer, a view kept elsewhere) has its numbers back. The state of an optimizer is set
aside, and the rehearsal uses a copy of it.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

# Attributes of a module that are restored by other means.
_OWN = frozenset({"_parameters", "_buffers", "_modules"})
_HOOKS = "_hooks"  # every dictionary of hooks is called so; their handles remove them


@contextlib.contextmanager
def restored(
    networks: Iterable[nn.Module],
    optimizers: Iterable[Optimizer] = (),
    schedulers: Iterable[LRScheduler] = (),
    loaders: Iterable[object] = (),
) -> Iterator[None]:
    """Everything in here is afterwards as it was, also when it ends by an error.

    Args:
        networks: Parameters, buffers, gradients, modes, `requires_grad`, plain attributes.
        optimizers: State, options and rates.
        schedulers: Their counts.
        loaders: Their generators, those of their samplers, and plain attributes of their datasets.

    Random streams of Python, NumPy, torch and every CUDA device are restored, too.

    Example:
        >>> net = nn.Linear(2, 1)
        >>> before = net.weight.clone()
        >>> with restored([net]):
        ...     _ = nn.init.zeros_(net.weight), torch.rand(3)
        >>> torch.equal(net.weight, before)
        True
    """
    networks = list(networks)
    with contextlib.ExitStack() as stack:
        stack.enter_context(random_streams_restored())
        for generator in generators_of(loaders):
            stack.callback(generator.set_state, generator.get_state())
        for loader in loaders:
            dataset = vars(loader).get("dataset") if hasattr(loader, "__dict__") else None
            if dataset is not None and hasattr(dataset, "__dict__"):
                stack.enter_context(_attributes(dataset))
        for scheduler in schedulers:
            stack.enter_context(_attributes(scheduler))
        for optimizer in optimizers:
            stack.enter_context(_optimizer(optimizer))
        # Tied weights are in several networks or under several names, and are kept once.
        modules = {id(module): module for network in networks for module in network.modules()}
        tensors = {
            id(tensor): tensor
            for module in modules.values()
            for tensor in (*module._parameters.values(), *module._buffers.values())
            if tensor is not None
        }
        with torch.no_grad():
            kept = [_KeptTensor(tensor) for tensor in tensors.values()]
        for module in modules.values():
            stack.enter_context(_module(module))
        try:
            yield
        finally:
            with torch.no_grad():
                for one in kept:
                    one.restore()


class Streams:
    """Where the random streams of Python, NumPy, torch, CUDA and MPS stand."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()  # noqa: NPY002  users draw from it
        self._torch = torch.get_rng_state()
        # Asking a CUDA that nobody uses yet would start it, and a process that forks later could not use it any more.
        in_use = torch.cuda.is_available() and torch.cuda.is_initialized()
        self._cuda = torch.cuda.get_rng_state_all() if in_use else []
        self._mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None

    def set(self) -> None:
        """Put the streams there again."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
        if self._mps is not None:
            torch.mps.set_rng_state(self._mps)


@contextlib.contextmanager
def random_streams_restored() -> Iterator[None]:
    """Random streams are afterwards where they were."""
    streams = Streams()
    try:
        yield
    finally:
        streams.set()


def generators_of(loaders: Iterable[object]) -> list[torch.Generator]:
    """The generators that loaders and their samplers draw from, each once."""
    found: dict[int, torch.Generator] = {}
    for loader in loaders:
        sampler, batch_sampler = (getattr(loader, name, None) for name in ("sampler", "batch_sampler"))
        for owner in (loader, sampler, batch_sampler, getattr(batch_sampler, "sampler", None)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator):
                found[id(generator)] = generator
    return list(found.values())


class _KeptTensor:
    """One parameter or buffer, its gradient, and whether it asks for one."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._data = tensor.data
        self._content = tensor.detach().clone()
        self._leaf = tensor.is_leaf
        self._asks = tensor.requires_grad
        self._gradient = tensor.grad if self._leaf else None
        self._gradient_content = None if self._gradient is None else self._gradient.detach().clone()

    def restore(self) -> None:
        tensor = self._tensor
        if tensor.data_ptr() != self._data.data_ptr() or tensor.shape != self._data.shape:
            tensor.data = self._data  # it was given other memory, or another shape
        tensor.detach().copy_(self._content)
        if not self._leaf:
            return
        tensor.requires_grad_(self._asks)
        if self._gradient is not None and self._gradient_content is not None:
            self._gradient.detach().copy_(self._gradient_content)
        tensor.grad = self._gradient


@contextlib.contextmanager
def _module(module: nn.Module) -> Iterator[None]:
    """A module's tables of parameters, buffers and children, its mode and its plain attributes."""
    tables: list[dict[str, Any]] = [vars(module)[name] for name in sorted(_OWN)]
    contents = [dict(table) for table in tables]
    with _attributes(module):
        try:
            yield
        finally:
            for table, content in zip(tables, contents, strict=True):
                table.clear()
                table.update(content)


@contextlib.contextmanager
def _attributes(owner: object) -> Iterator[None]:
    """Plain attributes: numbers and texts as they were; lists, dictionaries and tensors with their content."""
    attributes = vars(owner)
    kept = {name: value for name, value in attributes.items() if name not in _OWN and not name.endswith(_HOOKS)}
    contents = {name: _content(value) for name, value in kept.items()}
    try:
        yield
    finally:
        added = [name for name in attributes if name not in kept and name not in _OWN and not name.endswith(_HOOKS)]
        for name in added:
            del attributes[name]
        for name, value in kept.items():
            _refill(value, contents[name])
            attributes[name] = value


def _content(value: object) -> Any:
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        return value.detach().clone()
    # Arrays are rows of data sets: too large to copy, and nobody writes to them.
    return copy.copy(value) if type(value) in (list, dict, set) else None


def _refill(value: Any, content: Any) -> None:
    if content is None:
        return
    if isinstance(value, Tensor):
        if not torch.equal(value.detach(), content):
            value.detach().copy_(content)
    elif isinstance(value, list):
        value[:] = content
    else:
        value.clear()
        value.update(content)


@contextlib.contextmanager
def _optimizer(optimizer: Optimizer) -> Iterator[None]:
    """Within, the optimizer has a copy of its state; afterwards its own state, options and order of groups."""
    state = optimizer.state
    optimizer.state = defaultdict(dict, {parameter: _copied(one) for parameter, one in state.items()})
    groups = optimizer.param_groups
    contents = [
        {name: value.clone() if isinstance(value, Tensor) else value for name, value in group.items()}
        for group in groups
    ]
    parameters = [list(group["params"]) for group in groups]
    originals = list(groups)
    kept = {name: value for name, value in vars(optimizer).items() if name not in ("state", "param_groups")}
    try:
        yield
    finally:
        optimizer.state = state
        groups[:] = originals
        for group, content, members in zip(groups, contents, parameters, strict=True):
            rates = {name: value for name, value in group.items() if isinstance(value, Tensor)}
            group.clear()
            group.update(content)
            group["params"] = members
            for name, value in rates.items():
                if isinstance(content.get(name), Tensor):
                    group[name] = value.copy_(content[name])  # a captured graph reads the rate from this memory
        for name in [name for name in vars(optimizer) if name not in kept and name not in ("state", "param_groups")]:
            del vars(optimizer)[name]
        vars(optimizer).update(kept)


def _copied(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {name: _copied(value) for name, value in state.items()}
    if isinstance(state, list):
        return [_copied(value) for value in state]
    return copy.copy(state)
