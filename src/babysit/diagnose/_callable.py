"""Lets a room be called by the name of its main function.

`import babysit` gives names lazily, and once any part of babysit has imported the room `diagnose`, Python binds that
name to the room. Calling the room does what calling the function does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

from babysit.diagnose._rank import diagnose
from babysit.record import Finding, Trace


class CallableRoom(ModuleType):
    """A module that can be called."""

    def __call__(self, trace: Trace, *, ignore: Sequence[str] = ()) -> list[Finding]:
        """What `diagnose` does."""
        return diagnose(trace, ignore=ignore)


def make_callable(name: str) -> None:
    """Make the module of that name callable."""
    sys.modules[name].__class__ = CallableRoom
