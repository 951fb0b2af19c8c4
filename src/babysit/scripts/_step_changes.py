"""The optimizer's steps: their rate, their kind, clipping, what comes before and after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from babysit.record import InputError, Remedy

KINDS: dict[str, Any] = {"adagrad": Adagrad, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}
FRESH_RATE = 1e-3  # of the Adam that steps a training that has no optimizer
MOMENTUM = 0.9


class StepChanges:
    """Changes at steps. Rates are changed while the optimizer steps and are afterwards the script's own, so that its
    schedules go on as they are."""

    takes = frozenset({"call-step", "clear-gradients", "clip-norm", "constant-schedule", "flip-sign", "lr", "lr-times",
                       "optimizer"})  # fmt: skip

    def __init__(self) -> None:
        self._remedies: dict[str, str | None] = {}
        self._optimizers: list[Optimizer] = []
        self._network: nn.Module | None = None
        self._factor = 1.0
        self._first: dict[int, list[float]] = {}
        self._own: dict[int, list[Any]] = {}
        self._stepped = True
        self._within = False

    def add(self, remedy: Remedy) -> None:
        """Take one.

        Raises:
            InputError: No legal value.
        """
        if remedy.name in ("lr", "lr-times", "clip-norm"):
            try:
                value = float(remedy.value or "")
            except ValueError:
                value = math.nan
            if not 0 < value < math.inf:
                raise InputError(f"the remedy '{remedy}' needs a number above 0", write=f"{remedy.name}=0.01")
        if remedy.name == "optimizer" and remedy.value not in KINDS:
            raise InputError(f"there is no optimizer '{remedy.value}'", legal=", ".join(KINDS))
        self._remedies[remedy.name] = remedy.value

    def install(self, replace: Callable[..., None]) -> None:
        """Wrap `backward`, where something is done around it."""
        if self._remedies.keys() & {"call-step", "clear-gradients"}:
            replace(torch.autograd, "backward", self._around_backward)

    def begin(self, network: nn.Module, optimizers: Sequence[Optimizer]) -> None:
        """At the first pass of training."""
        if not self._remedies:
            return
        self._network, self._optimizers = network, list(optimizers)
        if not self._optimizers and "call-step" in self._remedies:
            self._optimizers = [Adam(network.parameters(), lr=float(self._remedies.get("lr") or FRESH_RATE))]
        if not self._optimizers:
            raise InputError("there is no optimizer")
        # Of a rate that a schedule has brought down to its start already, the one that it begins from.
        rates = [float(group.get("initial_lr", group["lr"])) for group in self._optimizers[0].param_groups]
        first = next((rate for rate in rates if rate), float(self._optimizers[0].defaults.get("lr", 0) or 1))
        if self._remedies.get("optimizer"):
            wanted = float(self._remedies.get("lr") or 0)
            for optimizer in self._optimizers:
                default = _become(optimizer, str(self._remedies["optimizer"]))
                self._factor = (wanted or default) / first
        elif self._remedies.get("lr"):
            self._factor = float(str(self._remedies["lr"])) / first
        self._factor *= float(self._remedies.get("lr-times") or 1)
        for optimizer in self._optimizers:
            self._first[id(optimizer)] = [
                float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups
            ]

    def before_step(self, optimizer: Optimizer) -> None:
        """Set the rate, turn or clip the gradient."""
        if id(optimizer) not in self._first:
            return
        self._own[id(optimizer)] = [group["lr"] for group in optimizer.param_groups]
        firsts = self._first[id(optimizer)]
        for place, group in enumerate(optimizer.param_groups):
            rate = firsts[place] if "constant-schedule" in self._remedies and place < len(firsts) else group["lr"]
            group["lr"] = rate * self._factor
        gradients = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        if "flip-sign" in self._remedies:
            for parameter in gradients:
                parameter.grad.neg_()
        if self._remedies.get("clip-norm"):
            nn.utils.clip_grad_norm_(gradients, float(str(self._remedies["clip-norm"])))

    def after_step(self, optimizer: Optimizer) -> None:
        """Give the rate back."""
        for group, own in zip(optimizer.param_groups, self._own.pop(id(optimizer), []), strict=False):
            group["lr"] = own
        self._stepped = True

    def _around_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *arguments: Any, **options: Any) -> Any:
            if self._stepped or "call-step" in self._remedies:
                for optimizer in self._optimizers:
                    optimizer.zero_grad()
            self._stepped = False
            result = original(tensors, *arguments, **options)
            if "call-step" in self._remedies and isinstance(tensors, Tensor):
                for optimizer in self._optimizers:
                    optimizer.step()
            return result

        return backward


def _become(optimizer: Optimizer, kind: str) -> float:
    """Make an optimizer another one, in place, since the script holds it. Returns the new kind's usual rate."""
    made = KINDS[kind]
    options: dict[str, Any] = {"lr": 0.01, "momentum": MOMENTUM} if kind == "sgd" else {}
    groups = [{"params": group["params"], "weight_decay": group.get("weight_decay", 0)}
              for group in optimizer.param_groups]  # fmt: skip
    fresh = made(groups, **options)
    usual = float(fresh.defaults["lr"])
    for group, before in zip(fresh.param_groups, optimizer.param_groups, strict=True):
        group |= {name: before[name] for name in ("lr", "initial_lr") if name in before}
    optimizer.__class__ = made
    optimizer.__dict__.pop("step", None)  # a schedule's wrapper around the old kind's
    for name in ("defaults", "param_groups", "state"):
        setattr(optimizer, name, getattr(fresh, name))
    return usual
