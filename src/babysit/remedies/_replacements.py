"""Attributes of somebody else's modules and classes, replaced for a while."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from babysit.probes import unnoticed

_INHERITED = object()

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


class Replacements:
    """Puts wrappers in the place of functions, and takes them away again in the opposite order.

    What a class inherits is wrapped on the class itself. Where somebody has put something of theirs over a wrapper
    since then, it stays: theirs calls ours, and ours has to let everything through by then.

    Example:
        >>> import math
        >>> replaced = Replacements()
        >>> replaced.put(math, "sqrt", lambda original: lambda value: original(value) + 1)
        >>> math.sqrt(4)
        3.0
        >>> replaced.take_back()
        >>> math.sqrt(4)
        2.0
    """

    def __init__(self) -> None:
        self._put: list[tuple[Any, str, Any, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._put)

    def put(self, owner: Any, name: str, wrap: Wrap) -> None:
        """Replace `owner.name` by what `wrap` makes of it."""
        original = getattr(owner, name)
        made = unnoticed(wrap(original))
        with contextlib.suppress(AttributeError, TypeError):  # who follows a network's calls goes by their names
            functools.update_wrapper(made, original)
        self._put.append((owner, name, vars(owner).get(name, _INHERITED), made))
        setattr(owner, name, made)

    def take_back(self) -> None:
        """Everything as it was."""
        while self._put:
            owner, name, original, made = self._put.pop()
            if vars(owner).get(name) is not made:
                continue
            if original is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
