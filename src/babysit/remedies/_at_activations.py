"""Activations as they are called, module or functional: swapped, taken off the outputs, or remembered for the loss."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.nn import undisturbed
from babysit.probes import first_tensor
from babysit.record import ACTIVATIONS
from babysit.remedies._application import Application
from babysit.remedies._hooks import Hooks
from babysit.remedies._replacements import Replacements

SWAPPED = frozenset(function for facts in ACTIVATIONS.values() for function in facts.functions)
# Called as an activation where nothing else is: elsewhere these are arithmetic.
UNUSUAL = frozenset("exp sin cos square".split())
LOG_SOFTMAX = "log_softmax"
SEQUENCES = 3  # axes of a batch of sequences: rows, steps, classes
ON_OUTPUTS = frozenset({"softmax", "sigmoid", LOG_SOFTMAX})
Output = Literal["linear", "sigmoid", "axis"]


class AtActivations:
    """Watches calls of activations within the network and does to them what remedies ask for."""

    def __init__(self) -> None:
        self._outputs: dict[Output, Application] = {}
        self._swap: tuple[Callable[[Tensor], Tensor], Application] | None = None
        self._insert: tuple[Callable[[Tensor], Tensor], Application] | None = None
        self._remembers = False
        self._busy = False
        self._number: int | None = None  # of the call within the network's pass; None outside of it
        self._output_call: int | None = None
        self._recorded: list[tuple[str, Tensor]] | None = None
        self._swapped: frozenset[str] | set[str] = SWAPPED

    def swap(self, made: Callable[[Tensor], Tensor], application: Application) -> None:
        """Use another activation between the layers."""
        self._swap = made, application

    def insert(self, made: Callable[[Tensor], Tensor], application: Application) -> None:
        """Put an activation behind each weighted layer but the last."""
        self._insert = made, application

    def on_outputs(self, what: Output, application: Application) -> None:
        """Change the activation on the outputs: none, a sigmoid for a softmax, a softmax over the classes."""
        self._outputs[what] = application

    def remember(self) -> None:
        """Keep what entered a softmax or sigmoid with what it gave, for a loss that wants that."""
        self._remembers = True

    @property
    def _wanted(self) -> bool:
        return bool(self._outputs) or self._swap is not None or self._insert is not None or self._remembers

    def install(self, replaced: Replacements) -> None:
        """Wrap what is called as activation, when somebody wants to know."""
        if not self._wanted:
            return
        unusual = UNUSUAL if self._swap is not None else set()
        logarithm = {LOG_SOFTMAX} if "axis" in self._outputs else set()
        for name in sorted(SWAPPED | {"softmax"} | unusual | logarithm):
            for owner in (torch, functional, Tensor):
                if hasattr(owner, name):
                    replaced.put(owner, name, functools.partial(self._wrapped, name))

    def begin(self, network: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], hooks: Hooks) -> None:
        """Learn which call gives the outputs, and follow every pass from then on.

        Raises:
            NotAppliedError: There is nothing that the remedy could change.
        """
        if not self._wanted:
            return
        self._recorded = []
        self._number = 0
        weighted: list[nn.Module] = []
        looking = Hooks()
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
                looking.after(module, lambda module, *_: weighted.append(module))
        with undisturbed(network):
            outputs = first_tensor([network(*arguments, **options)])
        looking.close()
        calls, self._recorded, self._number = self._recorded, None, None
        if outputs is not None:
            same = [at for at, (_, result) in enumerate(calls) if result.data_ptr() == outputs.data_ptr()]
            self._output_call = same[-1] if same else None
        hidden = {name for at, (name, _) in enumerate(calls) if at != self._output_call}
        self._swapped = hidden & SWAPPED or hidden & UNUSUAL
        if self._swap is not None and not self._swapped:
            self._swap[1].fail("the network calls no activation between its layers")
        if "linear" in self._outputs and self._output_call is None:
            self._outputs["linear"].fail("the network's outputs come from no activation")
        if self._insert is not None:
            made, application = self._insert
            if len(set(weighted)) < 2:
                application.fail("the network has no two layers with weights, between which an activation could stand")
            for module in weighted[:-1]:
                hooks.after(module, lambda module, arguments, outputs: self._put_in(made, application, outputs))
        hooks.before(network, lambda *_: self._pass(0))
        hooks.after(network, lambda *_: self._pass(None), always=True)
        self._number = 0

    def _put_in(self, made: Callable[[Tensor], Tensor], application: Application, outputs: Any) -> Any:
        """One more activation, which is not counted among the network's own."""
        if not isinstance(outputs, Tensor):
            return outputs
        self._busy = True
        try:
            application.took_hold()
            return made(outputs)
        finally:
            self._busy = False

    def _pass(self, number: int | None) -> None:
        self._number = number

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
            changed = self._output(name, inputs)
            if changed is not None:
                return changed
        elif within and self._swap is not None and name in self._swapped:
            self._swap[1].took_hold()
            return self._swap[0](inputs)
        result = original(inputs, *arguments, **options)
        if name in ON_OUTPUTS and isinstance(result, Tensor):
            result._babysit_before = (name, inputs)  # type: ignore[attr-defined]
        return result

    def _output(self, name: str, inputs: Tensor) -> Tensor | None:
        """The outputs as remedies have them; None where they leave them as they are."""
        if "linear" in self._outputs:
            self._outputs["linear"].took_hold()
            return inputs
        if "sigmoid" in self._outputs and name == "softmax":
            self._outputs["sigmoid"].took_hold()
            return inputs.sigmoid()
        if "axis" in self._outputs and name in ("softmax", LOG_SOFTMAX):
            self._outputs["axis"].took_hold()
            axis = _classes(inputs)
            return inputs.softmax(axis) if name == "softmax" else inputs.log_softmax(axis)
        return None


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
