"""Lets the room be called by the name of its main function, as the room `diagnose` does."""

from __future__ import annotations

import sys
from types import ModuleType

from babysit.explain._explain import explain
from babysit.report import Lesson


class CallableRoom(ModuleType):
    """A module that can be called."""

    def __call__(self, name: str) -> Lesson:
        """What `explain` does."""
        return explain(name)


def make_callable(name: str) -> None:
    """Make the module of that name callable."""
    sys.modules[name].__class__ = CallableRoom
