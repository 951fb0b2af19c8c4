"""Activations as they are called, module or functional: swapped, taken off the outputs, or remembered for the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.nn import activation
from babysit.probes import first_tensor
from babysit.record import ACTIVATIONS, InputError, Remedy
from babysit.rehearsal import restored

SWAPPED = frozenset(function for facts in ACTIVATIONS.values() for function in facts.functions)
# Called as an activation where nothing else is: elsewhere these are arithmetic.
UNUSUAL = frozenset("exp sin cos square".split())
LOG_SOFTMAX = "log_softmax"
SEQUENCES = 3  # axes of a batch of sequences: rows, steps, classes
ON_OUTPUTS = frozenset({"softmax", "sigmoid", LOG_SOFTMAX})


class ActivationChanges:
    """Watches calls of activations within the network and applies what remedies ask for."""

    takes = frozenset({"activation", "linear-output", "sigmoid-output", "softmax-axis", "remove-softmax",
                       "remove-sigmoid", "loss", "insert-activation"})  # fmt: skip

    def __init__(self) -> None:
        self._remedies: dict[str, str | None] = {}
        self._busy = False
        self._number: int | None = None  # of the call within the network's pass; None outside of it
        self._output_call: int | None = None
        self._recorded: list[tuple[str, Tensor]] | None = None
        self._swap: Callable[[Tensor], Tensor] | None = None
        self._swapped: frozenset[str] | set[str] = SWAPPED

    def add(self, remedy: Remedy) -> None:
        """Take one."""
        self._remedies[remedy.name] = remedy.value
        if remedy.name == "activation":
            self._swap = activation(remedy.value or "relu")

    def install(self, replace: Callable[..., None]) -> None:
        """Wrap what is called as activation, when somebody wants to know."""
        if not self._remedies:
            return
        unusual = UNUSUAL if self._swap is not None else set()
        logarithm = {LOG_SOFTMAX} if "softmax-axis" in self._remedies else set()
        for name in sorted(SWAPPED | {"softmax"} | unusual | logarithm):
            for owner in (torch, functional, Tensor):
                if hasattr(owner, name):
                    replace(owner, name, lambda original, name=name: self._wrapped(name, original))

    def begin(self, network: nn.Module, arguments: tuple[Any, ...]) -> None:
        """Learn which call gives the outputs, and follow every pass from then on.

        Raises:
            InputError: There is nothing that the remedy could change.
        """
        if not self._remedies:
            return
        self._recorded = []
        self._number = 0
        weighted: list[nn.Module] = []
        hooks = [
            module.register_forward_hook(lambda module, *_: weighted.append(module))
            for module in network.modules()
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
        ]
        with restored([network]), torch.no_grad():
            outputs = first_tensor(network(*arguments))
        for hook in hooks:
            hook.remove()
        calls, self._recorded, self._number = self._recorded, None, None
        if outputs is not None:
            same = [at for at, (_, result) in enumerate(calls) if result.data_ptr() == outputs.data_ptr()]
            self._output_call = same[-1] if same else None
        hidden = {name for at, (name, _) in enumerate(calls) if at != self._output_call}
        self._swapped = hidden & SWAPPED or hidden & UNUSUAL
        if "activation" in self._remedies and not self._swapped:
            raise InputError("the network calls no activation between its layers")
        if "linear-output" in self._remedies and self._output_call is None:
            raise InputError("the network's outputs come from no activation")
        if "insert-activation" in self._remedies:
            made = activation(self._remedies["insert-activation"] or "relu")
            for module in weighted[:-1]:
                module.register_forward_hook(lambda module, arguments, outputs: self._put_in(made, outputs))
        network.register_forward_pre_hook(self._pass_begins)
        network.register_forward_hook(self._pass_ends, always_call=True)
        self._number = 0

    def _put_in(self, made: Callable[[Tensor], Tensor], outputs: Tensor) -> Tensor:
        """One more activation, which is not counted among the network's own."""
        self._busy = True
        try:
            return made(outputs)
        finally:
            self._busy = False

    def _pass_begins(self, *_: Any) -> None:
        self._number = 0

    def _pass_ends(self, *_: Any) -> None:
        self._number = None

    def _wrapped(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(inputs: Any, *arguments: Any, **options: Any) -> Any:
            if self._busy or not isinstance(inputs, Tensor):
                return original(inputs, *arguments, **options)
            self._busy = True
            try:
                if self._recorded is not None:
                    result = original(inputs, *arguments, **options)
                    self._recorded.append((name, result))
                    return result
                return self._called(name, original, inputs, arguments, options)
            finally:
                self._busy = False

        return call

    def _called(
        self, name: str, original: Callable[..., Any], inputs: Tensor, arguments: tuple[Any, ...], options: Any
    ) -> Any:
        within = self._number is not None
        on_outputs = self._number == self._output_call if within else name in ON_OUTPUTS
        if self._number is not None:
            self._number += 1
        if (on_outputs and self._output_call is not None) or (on_outputs and not within):
            if "linear-output" in self._remedies:
                return inputs
            if "sigmoid-output" in self._remedies and name == "softmax":
                return inputs.sigmoid()
            if "softmax-axis" in self._remedies and name == "softmax":
                return inputs.softmax(_classes(inputs))
            if "softmax-axis" in self._remedies and name == LOG_SOFTMAX:
                return inputs.log_softmax(_classes(inputs))
        elif within and self._swap is not None and name in self._swapped:
            return self._swap(inputs)
        result = original(inputs, *arguments, **options)
        if name in ON_OUTPUTS and isinstance(result, Tensor):
            result._babysit_before = (name, inputs)  # type: ignore[attr-defined]
        return result


def _classes(outputs: Tensor) -> int:
    """The axis of the classes: the second, as PyTorch's losses have it; the last of a batch of sequences."""
    return -1 if outputs.ndim <= SEQUENCES else 1


def before_activation(outputs: Tensor, name: str) -> Tensor:
    """What entered the softmax or sigmoid that gave these outputs; where that is lost, its inverse."""
    kind, inputs = getattr(outputs, "_babysit_before", ("", None))
    if kind == name and isinstance(inputs, Tensor) and inputs.shape == outputs.shape:
        return inputs
    small = torch.finfo(outputs.dtype).tiny if name == "softmax" else torch.finfo(outputs.dtype).eps
    return outputs.clamp_min(small).log() if name == "softmax" else outputs.logit(small)
