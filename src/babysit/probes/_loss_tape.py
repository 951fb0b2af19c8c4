"""The way from a network's outputs to the loss, recorded so that it can be gone again with other outputs.

A mode of PyTorch's functions writes down which functions are called on the outputs, and on what is made from them,
until the backward pass begins. It computes nothing and changes nothing. What was recorded is replayed afterwards: with
the targets in the place of the outputs, with a constant answer, with the rows in another order.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C import _len_torch_function_stack
from torch.overrides import (
    TorchFunctionMode,
    _get_current_function_mode_stack,
    _pop_mode,
    _push_mode,
)

from babysit.probes._calls import WarningsAsWithout, passed_on
from babysit.probes._fence import Aside, unnoticed
from babysit.probes._interception import unwrapped_function

MOST_CALLS = 600  # of functions: a way that is longer is not followed
MOST_NUMBERS = 2**20  # of a tensor that is kept as it was before it was changed
CLOSE = 1e-4  # of the loss: a replay with the same outputs has to give it
# Their results are kept as they were: a replay draws no numbers.
DRAWN = frozenset(
    "rand_like randn_like randint_like bernoulli bernoulli_ multinomial normal normal_ uniform_ poisson dropout"
    " alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d rrelu gumbel_softmax exponential_".split()
)

_REPLAYING = contextvars.ContextVar("replaying", default=False)


class Call(NamedTuple):
    """One function that was called."""

    func: Callable[..., Any]
    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    result: Any
    in_place: bool
    before: Tensor | None  # what it changed in place, as it was


class LossTape(TorchFunctionMode):
    """Records from a network's outputs to the loss.

    Attributes:
        roots: The outputs: tensors that gradients flow back from.
        calls: Functions called on them, in order.
        followed: Whether the record is whole.

    Example:
        >>> outputs, targets = torch.ones(3, requires_grad=True), torch.zeros(3)
        >>> tape = LossTape()
        >>> tape.start()
        True
        >>> tape.outputs(outputs)
        >>> loss = ((outputs - targets) ** 2).mean()
        >>> tape.stop()
        >>> float(tape.replay({id(outputs): 2 * outputs.detach()}, loss))
        4.0
    """

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Tensor] = []
        self.calls: list[Call] = []
        self.followed = True
        self.paused = False  # within the network's own pass
        self.of_weights = False  # where no network is called: what is made from any leaf that is trained counts
        self._known: dict[int, Tensor] = {}
        self._constants: dict[int, list[Tensor]] = {}  # what a constant was made of, by its identity
        self._alive: list[Tensor] = []
        self._thread = 0
        self._cast = (False, torch.get_autocast_dtype("cpu"), "cpu")
        self._put_on = False
        self._warnings: WarningsAsWithout | None = None

    def start(self) -> bool:
        """Begin to record, unless somebody else's mode is at work or the compiler is."""
        modes = [mode for mode in _get_current_function_mode_stack() if type(mode).__name__ != "DeviceContext"]
        if modes or self._put_on:
            return False
        self._thread = threading.get_ident()
        _push_mode(self)
        self._put_on, self._warnings = True, WarningsAsWithout()
        return True

    @property
    def is_of_this_thread(self) -> bool:
        """Whether it was begun in the thread that asks."""
        return threading.get_ident() == self._thread

    def stop(self) -> None:
        """Record no more, whatever was put on top of this mode meanwhile."""
        self.paused = True
        if self._warnings is not None:
            self._warnings.end()
        if not self._put_on or threading.get_ident() != self._thread:
            return
        above = []
        while _len_torch_function_stack():
            mode = _pop_mode()
            if mode is self:
                self._put_on = False
                break
            above.append(mode)
        for mode in reversed(above):
            _push_mode(mode)

    def outputs(self, given: object) -> None:
        """A pass of the network is over."""
        for one in tensors_in(given):
            if one.requires_grad and one.is_floating_point() and id(one) not in self._known:
                self.roots.append(one)
                self._known[id(one)] = one

    def made_from_outputs(self, tensor: Tensor) -> bool:
        """Whether a tensor is one of the outputs, or was made from them."""
        return id(tensor) in self._known

    def constants(self) -> list[Tensor]:
        """Tensors that meet the outputs and are not made from them, in the order in which they came; and what these
        were made of after the outputs were there."""
        found: dict[int, Tensor] = {}
        for call in self.calls:
            waiting = [one for one in tensors_in((call.arguments, call.options)) if id(one) not in self._known]
            while waiting:
                one = waiting.pop(0)
                if id(one) not in found:
                    found[id(one)] = one
                    waiting += self._constants.get(id(one), [])
        return list(found.values())

    @unnoticed
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options, caller = kwargs or {}, sys._getframe(1)
        unseen = self.paused or not self.followed or not torch._C.is_grad_enabled()
        if unseen or torch.compiler.is_compiling():
            return passed_on(func, args, options, caller)
        before = None
        try:
            with Aside():
                before = self._before_change(func, args)
        except Exception:
            self.followed = False
        # PyTorch calls a wrapped loss function by its name: who listens to it has been told by then.
        result = passed_on(unwrapped_function(func), args, options, caller)
        try:
            with Aside():
                self._record(func, args, options, result, before)
        except Exception:
            self.followed = False
        return result

    def _before_change(self, func: Any, args: Any) -> Tensor | None:
        """What a function changes in place, if that is not made from outputs yet."""
        name = getattr(func, "__name__", "")
        if not args or not isinstance(args[0], Tensor) or id(args[0]) in self._known or not _in_place(name):
            return None
        return args[0].detach().clone() if args[0].numel() <= MOST_NUMBERS else None

    def _record(self, func: Any, args: Any, options: dict[str, Any], result: Any, before: Tensor | None) -> None:
        name, given = getattr(func, "__name__", ""), tensors_in((args, options))
        if name == "__get__" and getattr(func.__self__, "__name__", "") in ("grad", "data"):
            return  # what weights are changed with by hand is not on the way to the loss
        made = tensors_in(result) or (given[:1] if name == "__setitem__" else [])
        if not made:
            return
        if self.of_weights and name not in ("requires_grad_", "zero_"):
            for one in given:
                if one.requires_grad and one.is_leaf and id(one) not in self._known:
                    self.roots.append(one)
                    self._known[id(one)] = one
        if not any(id(one) in self._known for one in given):
            if len(self._constants) < MOST_CALLS:
                self._constants |= {id(one): given for one in made}
                self._alive += made
            return
        if len(self.calls) >= MOST_CALLS:
            self.followed = False
            return
        in_place = bool(args) and isinstance(args[0], Tensor) and _in_place(name)
        if in_place and id(args[0]) not in self._known and before is None:
            self.followed = False
            return
        if not self.calls:
            device = made[0].device.type
            self._cast = (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device), device)
        self.calls.append(Call(unwrapped_function(func), name, args, options, result, in_place, before))
        for one in [*made, *(args[:1] if in_place else ())]:
            self._known[id(one)] = one

    def replay(self, instead: Mapping[int, Tensor], *wanted: Tensor) -> Any:
        """Go the same way again.

        Args:
            instead: Tensors in the place of others, by the identity of those: outputs, or anything made from them.
            *wanted: What to compute; all of it was computed on the way.

        Returns:
            One tensor, or a list where several are wanted.
        """
        values: dict[int, Any] = dict(instead)
        enabled, dtype, device = self._cast
        before = _REPLAYING.set(True)
        try:
            with torch.autocast(device, dtype=dtype, enabled=True) if enabled else contextlib.nullcontext():
                for call in self.calls:
                    self._again(call, values, instead)
        finally:
            _REPLAYING.reset(before)
        found = [values.get(id(one), one) for one in wanted]
        return found[0] if len(found) == 1 else found

    def _again(self, call: Call, values: dict[int, Any], instead: Mapping[int, Tensor]) -> None:
        given = tensors_in((call.arguments, call.options))
        if call.name in DRAWN or not any(id(one) in values for one in given):
            return
        if all(id(one) in instead for one in tensors_in(call.result)):
            return
        first = call.arguments[0] if call.in_place else None
        if first is not None and id(first) in values:
            values[id(first)] = values[id(first)].clone()
        elif first is not None:
            values[id(first)] = call.before.clone() if call.before is not None else first.detach().clone()
        arguments = _with(call.arguments, values)
        options = {name: _with(value, values) for name, value in call.options.items()}
        result = call.func(*arguments, **options)
        if first is not None and not isinstance(result, Tensor):
            return
        for old, new in zip(tensors_in(call.result), tensors_in(result), strict=True):
            if id(old) not in instead:
                values[id(old)] = new

    def equal_to(self, tensor: Tensor) -> list[Tensor]:
        """What was made from outputs and has the same numbers: a program may take the same column twice."""
        same = [one for one in self._known.values() if one.shape == tensor.shape and one.dtype == tensor.dtype]
        return [one for one in same if one is tensor or bool(torch.equal(one.detach(), tensor.detach()))]

    def is_true_to(self, loss: Tensor) -> bool:
        """Whether a replay with the same outputs gives the same loss."""
        if not self.followed or not self.calls or not self.made_from_outputs(loss):
            return False
        again = self.replay({id(root): root.detach().clone() for root in self.roots}, loss)
        old, new = float(loss.detach()), float(again)
        return abs(old - new) <= CLOSE * max(abs(old), 1e-8)


def is_replay() -> bool:
    """Whether a call is one of a replay: whoever learns from the training's calls leaves it out."""
    return _REPLAYING.get()


def tensors_in(given: object, depth: int = 4) -> list[Tensor]:
    """All tensors in arguments or results of any make."""
    if isinstance(given, Tensor):
        return [given]
    if depth == 0:
        return []
    if isinstance(given, Mapping):
        return [one for item in list(given.values()) for one in tensors_in(item, depth - 1)]
    if isinstance(given, tuple | list):
        return [one for item in given for one in tensors_in(item, depth - 1)]
    return []


@contextlib.contextmanager
def nothing_drawn(tensor: Tensor) -> Iterator[None]:
    """Whatever is computed within it leaves the streams of random numbers as they were."""
    devices = [tensor.device.index or 0] if tensor.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def _in_place(name: str) -> bool:
    whole = name.startswith("__") and name.endswith("__")
    return (
        name == "__setitem__"
        or (name.startswith("__i") and whole and name not in ("__index__", "__int__", "__invert__"))
        or (name.endswith("_") and not whole)
    )


def _with(given: Any, values: Mapping[int, Any]) -> Any:
    """The same with other tensors in it."""
    if isinstance(given, Tensor):
        return values.get(id(given), given)
    if isinstance(given, dict):
        return {name: _with(value, values) for name, value in given.items()}
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return type(given)(*(_with(one, values) for one in given))
    if isinstance(given, tuple | list):
        return type(given)(_with(one, values) for one in given)
    return given
