"""Hooks on somebody's network that come off again, also those that copies of the network took with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from torch import nn


class Hook:
    """A hook that does nothing any more once it is closed.

    A copy of a network holds the same hook; a pickled network holds one that does nothing.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function: Callable[..., Any] | None = function

    def __call__(self, *arguments: Any) -> Any:
        return None if self._function is None else self._function(*arguments)

    def close(self) -> None:
        """Do nothing from now on."""
        self._function = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Hook:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (_nothing, ())


def _nothing() -> Hook:
    made = Hook(lambda *_: None)
    made.close()
    return made


class Hooks:
    """Hooks that are put on, and taken off together.

    Example:
        >>> import torch
        >>> net, hooks = nn.Identity(), Hooks()
        >>> hooks.before(net, lambda module, arguments: (arguments[0] + 1,))
        >>> float(net(torch.zeros(())))
        1.0
        >>> hooks.close()
        >>> float(net(torch.zeros(())))
        0.0
    """

    def __init__(self) -> None:
        self._undo = contextlib.ExitStack()

    def before(self, module: nn.Module, function: Callable[..., Any]) -> None:
        """Call it before each forward pass, before all other hooks: who measures inputs sees what the network sees."""
        hook = Hook(function)
        self._undo.callback(module.register_forward_pre_hook(hook, prepend=True).remove)
        self._undo.callback(hook.close)

    def after(self, module: nn.Module, function: Callable[..., Any], *, always: bool = False) -> None:
        """Call it after each forward pass; `always` also where that ended by an error."""
        hook = Hook(function)
        self._undo.callback(module.register_forward_hook(hook, always_call=always).remove)
        self._undo.callback(hook.close)

    def at_the_end(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call it when the hooks are taken off."""
        self._undo.callback(function, *arguments)

    def close(self) -> None:
        """Take all of them off, the last one first."""
        self._undo.close()
