"""The one place where PyTorch's functions are wrapped: modules' calls, loss functions, `backward`, scaling of losses.

Nothing is wrapped before the first listener comes; all is restored after the last. No hook is set on a module for it:
copies, pickles and scripted forms of a network are its own. Optimizers' steps have hooks and are not touched.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch._C import _is_tracing as is_tracing
from torch.compiler import is_compiling
from torch.nn import functional
from torch.nn._reduction import legacy_get_string

from babysit.probes._fence import Aside, unnoticed
from babysit.record import LOSS_FUNCTIONS, losses_that


class Listening(Protocol):
    """Who wants to know. Each method fences its own errors; what it raises stops the training on purpose."""

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """A loss function was called; there is no value when it raised an error."""

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """A loss function was called on outputs that no gradient flows back from."""

    def backward_begins(self, loss: Tensor, scale: float | Tensor) -> None:
        """A backward pass begins at `loss`, which was multiplied by `scale` before."""


EITHER_WAY = losses_that(distance=True)  # whichever of their arguments stands first


class ListeningToPasses(Listening, Protocol):
    """Who wants to know of a module's passes, too."""

    listened_to: nn.Module

    def forward_called(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
        """The module is about to be called. Returns whether its end is to be told."""

    def forward_ends(self, outputs: Any) -> None:
        """The pass is over; no outputs where it failed."""

    @property
    def measuring(self) -> bool:
        """Whether a pass is under way whose parts are measured."""

    def through(self, original: Callable[..., Any], module: nn.Module, given: tuple[Any, ...], by_name: Any) -> Any:
        """Call a module within such a pass."""


# `__main__` is the user's own, whatever the list of Python's modules says.
_NOT_THEIRS = (sys.stdlib_module_names | {"torch", "babysit"}) - {"__main__"}
_listeners: tuple[Listening, ...] = ()  # replaced as a whole: whoever goes through it needs no copy
_of_passes: tuple[ListeningToPasses, ...] = ()
_originals: list[tuple[Any, str, Any, Any]] = []  # owner, name, what was there, what is there now
_of_calls: list[tuple[Any, str, Any, Any]] = []
_own: dict[Any, Any] = {}  # what each wrapped loss function wraps
_lock = threading.RLock()


def listen(listener: Listening) -> None:
    """Tell this one, too."""
    global _listeners
    with _lock:
        if not _listeners:
            _wrap_all()
        _listeners = (*_listeners, listener)


def listen_to_passes(listener: ListeningToPasses) -> None:
    """Tell this one of its module's passes, too."""
    global _of_passes
    with _lock:
        listen(listener)
        if not _of_passes:
            _replace(nn.Module, "__call__", _wrapped_call(nn.Module.__call__), _of_calls)
        _of_passes = (*_of_passes, listener)


def stop_listening(listener: Listening) -> None:
    """Tell this one no more; the last to go leaves PyTorch as it was."""
    global _listeners, _of_passes
    with _lock:
        if listener in _listeners:
            at = _listeners.index(listener)
            _listeners = _listeners[:at] + _listeners[at + 1 :]
        _of_passes = tuple(one for one in _of_passes if one is not listener)
        if not _of_passes:
            _take_back(_of_calls)
        if not _listeners:
            _take_back(_originals)
            _own.clear()


def _take_back(replaced: list[tuple[Any, str, Any, Any]]) -> None:
    """What somebody has put over a wrapper since then stays: theirs calls ours, which lets everything through."""
    while replaced:
        owner, name, original, ours = replaced.pop()
        if vars(owner).get(name) is ours:
            setattr(owner, name, original)


def unwrapped_function(called: Any) -> Any:
    """PyTorch's own function where a wrapped one was called.

    Example:
        >>> unwrapped_function(torch.add) is torch.add
        True
    """
    return _own.get(called, called) if _own else called


def _wrap_all() -> None:
    wrapped: dict[int, Callable[..., Any]] = {}  # by the identity of a loss function, which lives as long as PyTorch
    for name, called in LOSS_FUNCTIONS.items():
        original = getattr(functional, name)
        wrapped[id(original)] = _wrapped_loss(called, original)
        _own[wrapped[id(original)]] = original
        _replace(functional, name, wrapped[id(original)])
    # `from torch.nn.functional import cross_entropy` has given a function a name elsewhere, too. Modules are many: all
    # functions are looked for in one pass.
    for module in _modules_of_others():
        for alias, value in [item for item in list(vars(module).items()) if id(item[1]) in wrapped]:
            _replace(module, alias, wrapped[id(value)])
    _replace(torch.autograd, "backward", _wrapped_backward(torch.autograd.backward))
    _replace(torch.amp.GradScaler, "scale", _wrapped_scale(torch.amp.GradScaler.scale))


def _replace(
    owner: Any, name: str, ours: Callable[..., Any], replaced: list[tuple[Any, str, Any, Any]] = _originals
) -> None:
    unnoticed(ours)
    replaced.append((owner, name, getattr(owner, name), ours))
    setattr(owner, name, ours)


def _modules_of_others() -> list[ModuleType]:
    """Modules that do not belong to PyTorch or Python and may have imported a loss function by name."""
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and name.partition(".")[0] not in _NOT_THEIRS
    ]


# What follows runs in every step of a training, between kernels that leave no Python in the processor's caches: a call
# of a function costs about half a microsecond there, five times what it costs in a loop of its own.


def _reduction(options: dict[str, Any]) -> str:
    """How a loss function is told to make one number of many: by today's word, or by those of before PyTorch 1.0."""
    if "size_average" in options or "reduce" in options:
        return str(legacy_get_string(options.get("size_average"), options.get("reduce"), emit_warning=False))
    return str(options.get("reduction", "mean"))


def _wrapped_call(original: Callable[..., Any]) -> Callable[..., Any]:
    compiling = torch.compiler.is_dynamo_compiling

    def call(module: nn.Module, *arguments: Any, **options: Any) -> Any:
        # The compiler asks first, and then follows no further than the original.
        if compiling() or is_tracing():
            return original(module, *arguments, **options)
        for listener in _of_passes:
            if listener.listened_to is module:
                break
            if listener.measuring:
                return listener.through(original, module, arguments, options)
        else:
            return original(module, *arguments, **options)
        if not listener.forward_called(arguments, options):
            return original(module, *arguments, **options)
        outputs = None
        try:
            outputs = listener.through(original, module, arguments, options)
            return outputs
        finally:
            listener.forward_ends(outputs)

    return call


def _wrapped_loss(called: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def loss(input: Any, target: Any, *arguments: Any, **options: Any) -> Any:  # noqa: A002  its callers name it so
        if is_compiling() or is_tracing():
            return original(input, target, *arguments, **options)
        value = None
        try:
            value = original(input, target, *arguments, **options)
            return value
        finally:
            # Also when it raises: a label that is not a class is worth reporting.
            if _listeners and isinstance(input, Tensor) and isinstance(target, Tensor):
                with Aside():
                    if not input.requires_grad and target.requires_grad and called in EITHER_WAY:
                        input, target = target, input  # noqa: A001  the outputs are what gradients flow back from
                    if input.requires_grad:
                        for listener in _listeners:
                            listener.loss_computed(called, input, target, value, _reduction(options))
                    else:
                        for listener in _listeners:
                            listener.loss_evaluated(called, input, target, value)

    # torch.jit.script compiles the original, whose names are found where it was written.
    loss.__prepare_scriptable__ = lambda: original  # type: ignore[attr-defined]
    return loss


class _Scaled:
    """The last product of a GradScaler, and what it was multiplied by."""

    product: weakref.ref[Tensor] | None = None
    by: Tensor | float = 1.0


def _wrapped_backward(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def backward(tensors: Any, *arguments: Any, **options: Any) -> Any:
        if is_compiling() or not _listeners:
            return original(tensors, *arguments, **options)
        loss = tensors
        if not isinstance(loss, Tensor) and isinstance(loss, tuple | list) and len(loss) == 1:
            loss = loss[0]
        if isinstance(loss, Tensor):
            product = _Scaled.product
            scale = _Scaled.by if product is not None and product() is loss else 1.0
            with Aside():
                for listener in _listeners:
                    listener.backward_begins(loss, scale)
        return original(tensors, *arguments, **options)

    return backward


def _wrapped_scale(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def scale(self: Any, outputs: Any) -> Any:
        result = original(self, outputs)
        if isinstance(outputs, Tensor) and self.is_enabled():
            with contextlib.suppress(Exception), Aside():  # a scaler of the user's own may keep its scale elsewhere
                _Scaled.product, _Scaled.by = weakref.ref(result), self._scale.detach().clone()
        return result

    return scale
