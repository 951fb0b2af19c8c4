"""The optimizer's steps: their rate, their kind, clipping, what comes before and after."""

from __future__ import annotations

import copy
import functools
import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import OptState
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from babysit.probes import leaves_of
from babysit.remedies._application import Application
from babysit.remedies._hooks import Hooks
from babysit.remedies._replacements import Replacements

KINDS: dict[str, Any] = {"adagrad": Adagrad, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}
FRESH_RATE = 1e-3  # of the Adam that steps a training that has no optimizer
MOMENTUM = 0.9  # of an SGD that stands in the place of another kind; its usual rate is 0.01
SGD_RATE = 0.01
BY_HAND = "the weights are changed by hand, and were not seen to move by a rate times their gradient"


Called = tuple[Any, ...]
Options = Mapping[str, Any]
Instead = tuple[Called, dict[str, Any]]
NONE: Options = MappingProxyType({})


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
    copy: Application | None = None
    unscale: Application | None = None
    decay: tuple[float, Application] | None = None


class AtSteps:
    """What is done at steps.

    Rates are changed while the optimizer steps and are afterwards the script's own, so that its schedules go on as they
    are. It needs no network: a training of bare tensors has steps, too.

    Args:
        hooks: What takes back what is done to an optimizer.
        highest_rate: The highest rate that the training takes by itself, where that is known: what a schedule that is
            written by hand rises to.
    """

    def __init__(self, hooks: Hooks, highest_rate: float | None = None) -> None:
        self._hooks, self._highest = hooks, highest_rate
        self._asked = _StepsAsked()
        self._optimizers: list[Optimizer] = []
        self._factor: float | None = None  # of every rate; known at the first step
        self._usual: float | None = None  # rate of the kind that optimizers have become
        self._made: weakref.WeakKeyDictionary[Optimizer, list[float]] = weakref.WeakKeyDictionary()
        self._own: dict[int, list[Any]] = {}
        self._turned: list[Tensor] = []  # parameters whose gradients are turned for the step under way
        self._replaced: Replacements | None = None
        self._wrapped: set[type[Optimizer]] = set()
        self._seen: list[Tensor] = []  # weights that are changed by hand, as they were at the last backward pass
        self._stepped = True
        self._scaler: Any = None  # that scaled the latest loss

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

    def copy_states(self, application: Application) -> None:
        """Give whoever asks for a network's state a copy of it."""
        self._asked.copy = application

    def unscale(self, application: Application) -> None:
        """Divide gradients by a scaler's scale before they are clipped."""
        self._asked.unscale = application

    @property
    def _wanted(self) -> bool:
        return any(one is not None for one in vars(self._asked).values())

    def install(self, replaced: Replacements) -> None:
        """Wrap `backward`, where something is done around it."""
        self._replaced = replaced
        if self._wanted:
            replaced.put(torch.autograd, "backward", self._around_backward)
        if self._asked.copy is not None:
            replaced.put(nn.Module, "state_dict", self._copying)
        if self._asked.unscale is not None:
            replaced.put(torch.amp.GradScaler, "scale", self._scaling)
            for owner in (nn.utils, nn.utils.clip_grad):
                replaced.put(owner, "clip_grad_norm_", self._clipping)

    def constructed(self, optimizer: Optimizer) -> None:
        """An optimizer was made: its rates are those that a schedule, or the script itself, goes on from."""
        if not self._wanted:
            return
        self._made[optimizer] = _rates(optimizer)
        kind = type(optimizer)
        if self._asked.kind is not None and self._replaced is not None and kind not in self._wrapped:
            # A step with a closure calls the network within: the optimizer has to be another one before.
            self._wrapped.add(kind)
            self._replaced.put(kind, "step", self._becoming)

    def _becoming(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def step(optimizer: Optimizer, *arguments: Any, **options: Any) -> Any:
            if all(optimizer is not one for one in self._optimizers) and self._wanted:
                self.begin(None, [optimizer])
            now = type(optimizer).step
            return (original if now is step else now)(optimizer, *arguments, **options)

        step.becomes = True  # type: ignore[attr-defined]
        return step

    def begin(self, network: nn.Module | None, optimizers: Sequence[Optimizer]) -> None:
        """Before the first step of some optimizers; `network` is None where it is not known, or there is none."""
        new = [one for one in optimizers if all(one is not known for known in self._optimizers)]
        if not self._wanted or (not new and self._optimizers):
            return
        if not new and self._asked.step is not None and network is not None:
            new = [self._fresh(network.parameters())]
        if not new:
            # What was asked for is told as not applied. No decay where nothing decays is what was asked for.
            if self._asked.decay is not None and not self._asked.decay[0]:
                self._asked.decay[1].took_hold()
            return
        for optimizer in new:
            self._made.setdefault(optimizer, [_first_rate(group) for group in optimizer.param_groups])
            if self._asked.kind is not None:
                self._usual = _become(optimizer, self._asked.kind[0], self._hooks)
        if self._asked.decay is not None:
            _set_decay(new, *self._asked.decay, self._hooks)
        self._optimizers += new

    def _fresh(self, parameters: Iterable[Tensor]) -> Optimizer:
        """An optimizer for a training that has none; `begin` makes it the kind that is asked for."""
        return Adam(parameters, lr=self._asked.rate[0] if self._asked.rate is not None else FRESH_RATE)

    def _set_factor(self) -> float:
        asked, optimizer = self._asked, self._optimizers[0]
        wanted = asked.rate[0] if asked.rate is not None else self._usual
        factor = 1.0 if wanted is None else wanted / self._base(optimizer)
        return factor * (asked.times[0] if asked.times is not None else 1.0)

    def _base(self, optimizer: Optimizer) -> float:
        """The rate that a training is said to have: a schedule's highest or first one, else the one it was made with.

        A warm-up that is written by hand has set a lower one by the first step.
        """
        for place, group in enumerate(optimizer.param_groups):
            scheduled = float(group.get("max_lr", group.get("initial_lr", 0.0)))
            made, now = self._made_with(optimizer, place), float(group["lr"])
            if scheduled:
                return scheduled
            if now == made and now:
                return now
            by_hand = self._highest or max(made, now)
            if by_hand and math.isfinite(by_hand):
                return by_hand
        return float(optimizer.defaults.get("lr", 0) or 1)

    def _made_with(self, optimizer: Optimizer, place: int) -> float:
        made = self._made.get(optimizer, [])
        return made[place] if place < len(made) else _first_rate(optimizer.param_groups[place])

    def before_step(self, optimizer: Optimizer, arguments: Called = (), options: Options = NONE) -> Instead | None:
        """Set the rate, turn or clip the gradient.

        Returns:
            Of a step with a closure, whose backward pass is still to come: what the step is to be called with instead.
        """
        if not self._wanted:
            return None
        if all(optimizer is not one for one in self._optimizers):
            # The network is called within the step, by its closure, or is another one than the first.
            self.begin(None, [optimizer])
        if self._factor is None:
            self._factor = self._set_factor()
        asked = self._asked
        self._own[id(optimizer)] = [group["lr"] for group in optimizer.param_groups]
        for place, group in enumerate(optimizer.param_groups):
            rate = group["lr"] if asked.keep is None else self._made_with(optimizer, place)
            if asked.keep is not None and rate != group["lr"]:
                asked.keep.took_hold()
            group["lr"] = rate * self._factor
        for one in (asked.rate, asked.times, asked.kind):
            if one is not None:
                one[1].took_hold()
        if asked.flip is None and asked.clip is None:
            return None
        if any(map(callable, (*arguments[1:], *options.values()))):
            instead = tuple(self._closing(optimizer, one) if place else one for place, one in enumerate(arguments))
            return instead, {name: self._closing(optimizer, one) for name, one in options.items()}
        self._change_gradients(optimizer)
        return None

    def _closing(self, optimizer: Optimizer, given: Any) -> Any:
        """A closure after which the gradient is turned and clipped; some optimizers call it several times a step."""
        if not callable(given):
            return given

        def closure() -> Any:
            self._turn_back()
            loss = given()
            self._change_gradients(optimizer)
            return loss

        return closure

    def _change_gradients(self, optimizer: Optimizer) -> None:
        asked = self._asked
        gradients = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        if asked.flip is not None:
            _turn(gradients)
            self._turned = gradients
            _took_hold_of(asked.flip, gradients)
        if asked.clip is not None:
            # An optimizer that unscales by itself, as fused ones do, has gradients times the scaler's factor.
            scale = float(getattr(optimizer, "grad_scale", None) or 1.0)
            nn.utils.clip_grad_norm_(gradients, asked.clip[0] * scale)
            _took_hold_of(asked.clip[1], gradients)

    def after_step(self, optimizer: Optimizer) -> None:
        """Give the rate back, and the gradient its sign: what is added to it next is added to the script's own."""
        own = self._own.pop(id(optimizer), None)
        if own is None:
            return
        for group, rate in zip(optimizer.param_groups, own, strict=False):
            group["lr"] = rate
        self._turn_back()
        self._stepped = True

    def _turn_back(self) -> None:
        _turn(self._turned)
        self._turned = []

    def _copying(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def state_dict(module: nn.Module, *arguments: Any, **options: Any) -> Any:
            state = original(module, *arguments, **options)
            if arguments or options.get("destination") is not None or self._asked.copy is None:
                return state  # of a part, whose whole is asked for
            self._asked.copy.took_hold()
            return copy.deepcopy(state)

        return state_dict

    def _scaling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: Any, outputs: Any) -> Any:
            self._scaler = scaler if scaler.is_enabled() else None
            return original(scaler, outputs)

        return scale

    def _clipping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def clip(parameters: Any, *arguments: Any, **options: Any) -> Any:
            clipped = [parameters] if isinstance(parameters, Tensor) else list(parameters)
            for optimizer in self._optimizers:
                owned = {id(one) for group in optimizer.param_groups for one in group["params"]}
                scaler, asked = self._scaler, self._asked.unscale
                if scaler is None or asked is None or not any(id(one) in owned for one in clipped):
                    continue
                if scaler._per_optimizer_states[id(optimizer)]["stage"] is OptState.READY:
                    scaler.unscale_(optimizer)
                    asked.took_hold()
            return original(clipped, *arguments, **options)

        return clip

    def _around_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *arguments: Any, **options: Any) -> Any:
            asked = self._asked
            if not self._optimizers and not self._made and isinstance(tensors, Tensor):
                if asked.step is None:
                    return self._by_hand(tensors, lambda: original(tensors, *arguments, **options))
                self.begin(None, [self._fresh(leaves_of(tensors))])
            if (self._stepped and asked.clear is not None) or asked.step is not None:
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

    def _by_hand(self, loss: Tensor, backward: Callable[[], Any]) -> Any:
        """A backward pass of a training that changes its weights by hand: another rate is another gradient."""
        asked, leaves = self._asked, leaves_of(loss)
        moved = [not torch.equal(now, then) for now, then in zip(leaves, self._seen, strict=False)]
        if asked.clear is not None and any(moved):
            for leaf in leaves:
                if leaf.grad is not None and bool(leaf.grad.any()):
                    leaf.grad = torch.zeros_like(leaf.grad)
                    asked.clear.took_hold()
        before = [None if leaf.grad is None else leaf.grad.clone() for leaf in leaves]
        result = backward()
        factor = self._factor_by_hand()
        with torch.no_grad():
            for leaf, old in zip(leaves, before, strict=True):
                if leaf.grad is None:
                    continue
                new = leaf.grad if old is None else leaf.grad - old
                if asked.decay is not None:
                    new = new + asked.decay[0] * leaf
                leaf.grad = factor * new if old is None else old + factor * new
            if asked.clip is not None:
                nn.utils.clip_grad_norm_(leaves, asked.clip[0] * abs(factor))
        for one in (asked.flip, *(pair[1] for pair in (asked.clip, asked.decay) if pair is not None)):
            if one is not None:
                one.took_hold()
        self._seen = [leaf.detach().clone() for leaf in leaves] if asked.clear is not None else []
        return result

    def _factor_by_hand(self) -> float:
        """What the gradient is multiplied by, so that the script's own rate times it is what is asked for."""
        asked, factor = self._asked, 1.0 if self._asked.flip is None else -1.0
        for pair in (asked.rate, asked.times):
            if pair is None:
                continue
            if self._highest is None:
                pair[1].reason = BY_HAND
                continue
            factor *= pair[0] / (self._highest if pair is asked.rate else 1.0)
            pair[1].took_hold()
        return factor


def _turn(parameters: Sequence[Tensor]) -> None:
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.neg_()


def _rates(optimizer: Optimizer) -> list[float]:
    return [float(group.get("lr", 0.0)) for group in optimizer.param_groups]


def _first_rate(group: dict[str, Any]) -> float:
    return float(group.get("initial_lr", group.get("lr", 0.0)))


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
        # What the old kind has and the new one has not, schedules may go by.
        group |= {name: before[name] for name in before if name not in group or name == "lr"}
    hooks.at_the_end(_become_again, optimizer, type(optimizer), dict(vars(optimizer)))
    optimizer.__class__ = type(fresh)
    if not getattr(optimizer.__dict__.get("step"), "becomes", False):
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
