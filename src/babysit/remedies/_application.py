"""Application: whether a remedy was really applied to one training, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from babysit.record import NotAppliedError, Remedy


class Application:
    """One remedy, applied to one training.

    Args:
        remedy: Which.
        reason: Why it was not applied, if nothing says that it was.

    Example:
        >>> done = Application(Remedy("lr", "0.1"), "no optimizer took a step")
        >>> done.held, done.reason
        (False, 'no optimizer took a step')
        >>> done.took_hold()
        >>> done.held
        True
    """

    def __init__(self, remedy: Remedy, reason: str) -> None:
        self.remedy = remedy
        self.reason = reason
        self.held = False

    def took_hold(self) -> None:
        """It was applied: a number, the network or the optimizer differs by it."""
        self.held = True

    def fail(self, reason: str) -> NoReturn:
        """It cannot be applied.

        Raises:
            NotAppliedError: Always.
        """
        self.reason = reason
        raise NotAppliedError.of([(str(self.remedy), reason)])


def check_applied(applications: Sequence[Application], failed: str = "") -> None:
    """Refuse a training that was to be held under remedies and was not under all of them.

    Args:
        applications: Of its remedies.
        failed: The error that the training ended by; empty where it ended by none.

    Raises:
        NotAppliedError: At least one was not applied.
    """
    missing = [(str(one.remedy), one.reason) for one in applications if not one.held]
    if missing:
        raise NotAppliedError.of(missing, failed)
