"""Lets the room be called by the name of its main function, as the room `diagnose` does.

`babysit.tune(...)` is done from beginning to end in `procedure`, which needs every room above it, this one too. So the
call goes through babysit's public names, which load when they are used.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import babysit


class CallableRoom(ModuleType):
    """A module that can be called."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What `babysit.tune` does."""
        function: Any = babysit.__getattr__("tune")
        return function(*arguments, **named)


def make_callable(name: str) -> None:
    """Make the module of that name callable."""
    sys.modules[name].__class__ = CallableRoom
