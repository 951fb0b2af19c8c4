"""Processes that a script forks are its own: nothing of what watches it is left in them."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Leaving(Protocol):
    """What has to go."""

    def forked(self) -> None:
        """This process was forked off: take everything back, and write nothing."""


_watching: weakref.WeakSet[Leaving] = weakref.WeakSet()


def leave_when_forked(one: Leaving) -> None:
    """From now on."""
    _watching.add(one)


def stay(one: Leaving) -> None:
    """It has gone by itself."""
    _watching.discard(one)


def _leave() -> None:
    for one in list(_watching):
        one.forked()


# Where processes cannot be forked, no script does.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
