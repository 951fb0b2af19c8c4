"""The fence between babysit and the training that it watches: an error of babysit's own ends here.

Whatever is called by the user's program (hooks, wrapped functions) catches its own errors and gives them to a Fence,
which tells of them as events of kind `unseen`; whoever owns the fence then stops measuring. What is raised on purpose
is raised outside of the code that is fenced. A `try` that catches nothing costs nothing.
"""

from __future__ import annotations

import contextlib
import traceback
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import _disable_current_modes

from babysit.record import Event

_IGNORED = ("ignore", None, Warning, None, 0)
Wrapper = TypeVar("Wrapper", bound=Callable[..., Any])
# Code whose file has such a name is left out where Python looks for the line that a warning is about: as its own
# import system is.
_LEFT_OUT = " (as importlib._bootstrap)"


def unnoticed(function: Wrapper) -> Wrapper:
    """A wrapper of ours, so that warnings which are raised below it name the line of the script that calls it.

    PyTorch counts frames from where it warns to the line that it warns of; ours are not counted.
    """
    code = getattr(function, "__code__", None)
    if code is not None and not code.co_filename.endswith(_LEFT_OUT):
        function.__code__ = code.replace(co_filename=code.co_filename + _LEFT_OUT)
    return function


class Aside:
    """What is done within it is seen by no mode and by no subclass of Tensor of the user's, and warns of nothing.

    Example:
        >>> from torch.utils._python_dispatch import TorchDispatchMode
        >>> class Counts(TorchDispatchMode):
        ...     def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        ...         seen.append(func)
        ...         return func(*args, **(kwargs or {}))
        >>> seen = []
        >>> with Counts(), Aside():
        ...     _ = torch.ones(2) + 1
        >>> seen
        []
    """

    __slots__ = ("_filters", "_functions", "_modes")

    def __enter__(self) -> None:
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        self._modes = _disable_current_modes() if torch._C._len_torch_dispatch_stack() else None
        if self._modes is not None:
            self._modes.__enter__()
        # Not by `warnings.catch_warnings`, after which Python shows warnings again that it has shown.
        self._filters = warnings.filters
        self._filters.insert(0, _IGNORED)  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError):
            self._filters.remove(_IGNORED)  # type: ignore[attr-defined]
        if self._modes is not None:
            self._modes.__exit__(None, None, None)
        self._functions.__exit__(None, None, None)


class Fence:
    """Tells of errors of babysit's own, of each kind once.

    Args:
        tell: Where events go.

    Example:
        >>> events = []
        >>> fence = Fence(events.extend)
        >>> for step in range(2):
        ...     try:
        ...         len(0)
        ...     except TypeError as error:
        ...         fence.caught(step, "nothing more is measured", error)
        >>> [(event.step, event.kind) for event in events]
        [(0, 'unseen')]
        >>> events[0].text.partition(" (")[0]
        "nothing more is measured, because babysit itself failed: TypeError: object of type 'int' has no len()"
    """

    def __init__(self, tell: Callable[[Iterable[Event]], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, type[Exception]]] = set()

    def caught(self, step: int, what: str, error: Exception) -> None:
        """An error was caught.

        Args:
            step: The step under way.
            what: What is not measured any more, as a sentence.
            error: The error.
        """
        kind = what, type(error)
        if kind in self._told:
            return
        self._told.add(kind)
        with contextlib.suppress(Exception):  # an error whose text cannot be made, a store that cannot be written
            *_, last = traceback.extract_tb(error.__traceback__)
            where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
            text = f"{what}, because babysit itself failed: {type(error).__name__}: {error} ({where})"
            self._tell([Event(step, "unseen", text)])
