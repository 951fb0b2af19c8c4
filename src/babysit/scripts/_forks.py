"""Processes that a script forks are its own: nothing of what watches it is left in them."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Leaving(Protocol):
    """What is taken out of a process that was forked."""

    def forked(self) -> None:
        """Called in the new process, before anything else runs there."""


_watching: weakref.WeakSet[Leaving] = weakref.WeakSet()


def leave_when_forked(one: Leaving) -> None:
    """From now on it is told of forks."""
    _watching.add(one)


def forget_forks(one: Leaving) -> None:
    """It is told of none any more."""
    _watching.discard(one)


def watched_already() -> bool:
    """Whether a training of this process is watched by now."""
    return len(_watching) > 0


def _leave() -> None:
    for one in list(_watching):
        one.forked()


if hasattr(os, "register_at_fork"):  # where processes cannot be forked, no script does
    os.register_at_fork(after_in_child=_leave)
