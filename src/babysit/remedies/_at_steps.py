"""The optimizer's steps: their rate, their kind, clipping, what comes before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from babysit.record import InputError
from babysit.remedies._application import Application
from babysit.remedies._hooks import Hooks
from babysit.remedies._replacements import Replacements

KINDS: dict[str, Any] = {"adagrad": Adagrad, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}
FRESH_RATE = 1e-3  # of the Adam that steps a training that has no optimizer
MOMENTUM = 0.9  # of an SGD that stands in the place of another kind; its usual rate is 0.01
SGD_RATE = 0.01


@dataclass
class _StepsAsked:
    """What remedies ask for, each with its application."""

    rate: tuple[float, Application] | None = None
    times: tuple[float, Application] | None = None
    kind: tuple[str, Application] | None = None
    clip: tuple[float, Application] | None = None
    keep: Application | None = None
    flip: Application | None = None
    step: Application | None = None
    clear: Application | None = None
    decay: tuple[float, Application] | None = None


class AtSteps:
    """What is done at steps.

    Rates are changed while the optimizer steps and are afterwards the script's own, so that its schedules go on as they
    are. It needs no network: a training of bare tensors has steps, too.
    """

    def __init__(self) -> None:
        self._asked = _StepsAsked()
        self._optimizers: list[Optimizer] = []
        self._factor = 1.0
        self._first: dict[int, list[float]] = {}
        self._own: dict[int, list[Any]] = {}
        self._stepped = True

    def rate(self, value: float, application: Application) -> None:
        """Step with another rate; the rates of several groups keep their ratios."""
        self._asked.rate = value, application

    def rate_times(self, factor: float, application: Application) -> None:
        """Multiply every rate."""
        self._asked.times = factor, application

    def kind(self, name: str, application: Application) -> None:
        """Step by another kind of optimizer, with its usual rate where no other is asked for."""
        self._asked.kind = name, application

    def weight_decay(self, value: float, application: Application) -> None:
        """Give every group another weight decay."""
        self._asked.decay = value, application

    def clip(self, norm: float, application: Application) -> None:
        """Clip the gradient's norm before each step."""
        self._asked.clip = norm, application

    def keep_rate(self, application: Application) -> None:
        """Step with the rate that the optimizer was made with, whatever a schedule does to it."""
        self._asked.keep = application

    def flip_sign(self, application: Application) -> None:
        """Turn the gradient around before each step."""
        self._asked.flip = application

    def call_step(self, application: Application) -> None:
        """Step after each backward pass, by an optimizer of our own where there is none."""
        self._asked.step = application

    def clear_gradients(self, application: Application) -> None:
        """Clear the gradients before the first backward pass after a step."""
        self._asked.clear = application

    @property
    def _wanted(self) -> bool:
        return any(one is not None for one in vars(self._asked).values())

    def install(self, replaced: Replacements) -> None:
        """Wrap `backward`, where something is done around it."""
        if self._asked.step is not None or self._asked.clear is not None:
            replaced.put(torch.autograd, "backward", self._around_backward)

    def begin(self, network: nn.Module | None, optimizers: Sequence[Optimizer], hooks: Hooks) -> None:
        """Before the first step of some optimizers; `network` is None where bare tensors are trained.

        Raises:
            InputError: There is no optimizer.
        """
        new = [one for one in optimizers if id(one) not in self._first]
        if not self._wanted or (not new and self._optimizers):
            return
        if not new and self._asked.step is not None and network is not None:
            rate = self._asked.rate[0] if self._asked.rate is not None else FRESH_RATE
            new = [Adam(network.parameters(), lr=rate)]
        if not new:
            raise InputError("there is no optimizer")
        if not self._optimizers:
            self._set_factor(new, hooks)
        elif self._asked.kind is not None:
            for optimizer in new:
                _become(optimizer, self._asked.kind[0], hooks)
        if self._asked.decay is not None:
            _set_decay(new, *self._asked.decay, hooks)
        self._optimizers += new
        for optimizer in new:
            self._first[id(optimizer)] = [_first_rate(group) for group in optimizer.param_groups]

    def _set_factor(self, optimizers: Sequence[Optimizer], hooks: Hooks) -> None:
        asked = self._asked
        # Of a rate that a schedule has brought down to its start already, the one that it begins from.
        rates = [_first_rate(group) for group in optimizers[0].param_groups]
        first = next((rate for rate in rates if rate), float(optimizers[0].defaults.get("lr", 0) or 1))
        wanted = asked.rate[0] if asked.rate is not None else 0.0
        if asked.kind is not None:
            for optimizer in optimizers:
                usual = _become(optimizer, asked.kind[0], hooks)
                self._factor = (wanted or usual) / first
        elif wanted:
            self._factor = wanted / first
        self._factor *= asked.times[0] if asked.times is not None else 1.0

    def before_step(self, optimizer: Optimizer) -> None:
        """Set the rate, turn or clip the gradient."""
        if id(optimizer) not in self._first:
            return
        asked = self._asked
        self._own[id(optimizer)] = [group["lr"] for group in optimizer.param_groups]
        firsts = self._first[id(optimizer)]
        for place, group in enumerate(optimizer.param_groups):
            rate = firsts[place] if asked.keep is not None and place < len(firsts) else group["lr"]
            if asked.keep is not None and rate != group["lr"]:
                asked.keep.took_hold()
            group["lr"] = rate * self._factor
        for one in (asked.rate, asked.times, asked.kind):
            if one is not None:
                one[1].took_hold()
        gradients = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        if asked.flip is not None:
            for parameter in gradients:
                parameter.grad.neg_()
            _took_hold_of(asked.flip, gradients)
        if asked.clip is not None:
            nn.utils.clip_grad_norm_(gradients, asked.clip[0])
            _took_hold_of(asked.clip[1], gradients)

    def after_step(self, optimizer: Optimizer) -> None:
        """Give the rate back."""
        for group, own in zip(optimizer.param_groups, self._own.pop(id(optimizer), []), strict=False):
            group["lr"] = own
        self._stepped = True

    def _around_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *arguments: Any, **options: Any) -> Any:
            asked = self._asked
            if self._stepped or asked.step is not None:
                for optimizer in self._optimizers:
                    if asked.clear is not None and _has_gradients(optimizer):
                        asked.clear.took_hold()
                    optimizer.zero_grad()
            self._stepped = False
            result = original(tensors, *arguments, **options)
            if asked.step is not None and isinstance(tensors, Tensor):
                for optimizer in self._optimizers:
                    optimizer.step()
                    asked.step.took_hold()
            return result

        return backward


def _first_rate(group: dict[str, Any]) -> float:
    return float(group.get("initial_lr", group["lr"]))


def _took_hold_of(application: Application, gradients: Sequence[Any]) -> None:
    if gradients:
        application.took_hold()
    else:
        application.reason = "the optimizer's parameters have no gradients"


def _has_gradients(optimizer: Optimizer) -> bool:
    return any(
        one.grad is not None and bool(one.grad.any()) for group in optimizer.param_groups for one in group["params"]
    )


def fresh_optimizer(kind: str, groups: Sequence[dict[str, Any]]) -> Optimizer:
    """An optimizer of a kind with its usual options."""
    options: dict[str, Any] = {"lr": SGD_RATE, "momentum": MOMENTUM} if kind == "sgd" else {}
    made: Optimizer = KINDS[kind](list(groups), **options)
    return made


def _set_decay(optimizers: Sequence[Optimizer], value: float, application: Application, hooks: Hooks) -> None:
    groups = [group for one in optimizers for group in one.param_groups if "weight_decay" in group]
    # No decay where the optimizer has none is what was asked for.
    if not groups and value:
        application.reason = "the optimizer has no weight decay"
        return
    for group in groups:
        hooks.at_the_end(group.__setitem__, "weight_decay", group["weight_decay"])
        group["weight_decay"] = value
    application.took_hold()


def _become(optimizer: Optimizer, kind: str, hooks: Hooks) -> float:
    """Make an optimizer another one, in place, since the script holds it. Returns the new kind's usual rate."""
    groups = [
        {"params": group["params"], "weight_decay": group.get("weight_decay", 0)} for group in optimizer.param_groups
    ]
    fresh = fresh_optimizer(kind, groups)
    usual = float(fresh.defaults["lr"])
    for group, before in zip(fresh.param_groups, optimizer.param_groups, strict=True):
        group |= {name: before[name] for name in ("lr", "initial_lr") if name in before}
    hooks.at_the_end(_become_again, optimizer, type(optimizer), dict(vars(optimizer)))
    optimizer.__class__ = type(fresh)
    optimizer.__dict__.pop("step", None)  # a schedule's wrapper around the old kind's
    for name in ("defaults", "param_groups", "state"):
        setattr(optimizer, name, getattr(fresh, name))
    return usual


def _become_again(optimizer: Optimizer, kind: type[Optimizer], attributes: dict[str, Any]) -> None:
    """What it was, with the rate that a schedule has given it meanwhile."""
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.__class__ = kind
    vars(optimizer).clear()
    vars(optimizer).update(attributes)
    for group, rate in zip(optimizer.param_groups, rates, strict=False):
        group["lr"] = rate
