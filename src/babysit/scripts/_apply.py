"""apply_remedies: what a remedy changes, done from within a script that is run plainly."""

from __future__ import annotations

import atexit
import contextlib
import sys

from babysit.record import InputError, Remedy, TraceStore, printable
from babysit.rehearsal import KINDS
from babysit.remedies import applied_to_script, kind_of
from babysit.scripts._as_main import Enough
from babysit.scripts._patcher import Patcher


class Lasting(Patcher):
    """A patcher that ends no script, whatever its loss becomes."""

    def end_step(self) -> None:
        """A step was taken."""
        with contextlib.suppress(Enough):
            super().end_step()


_applied: list[Lasting] = []


def apply_remedies(*remedies: str | Remedy) -> None:
    """Change the training that follows in this process, as `babysit run --remedy` would.

    To be called once, before anything of the training is made. The network's inputs, its layers, the loss and the
    optimizer are changed when the first batch is trained on; it lasts until the process ends.

    Args:
        *remedies: As `NAME` or `NAME=VALUE`.

    Raises:
        InputError: A remedy that cannot be applied to a script from within, or that was applied before.

    Example:
        >>> apply_remedies("epochs=30")
        Traceback (most recent call last):
            ...
        babysit.record._errors.InputError: the remedy 'epochs=30' cannot be applied from within a script
          legal: all that do not change its text
          write: for epoch in range(30):
    """
    asked = [one if isinstance(one, Remedy) else Remedy.parse(one) for one in remedies]
    if not asked:
        raise InputError("no remedy was given to apply_remedies", write='apply_remedies("standardise-inputs")')
    for remedy in asked:
        if kind_of(remedy, KINDS).of_the_text:
            raise InputError(
                f"the remedy '{remedy}' cannot be applied from within a script",
                legal="all that do not change its text",
                write=f"for epoch in range({remedy.value or 30}):",
            )
    if _applied:
        raise InputError(
            "remedies are applied already in this process",
            cause="apply_remedies was called twice",
            write="one call with all of them",
        )
    patcher = Lasting(TraceStore(None), remedies=applied_to_script(asked, kinds=KINDS), probes="losses", scores=False)
    patcher.__enter__()
    _applied.append(patcher)
    atexit.register(_take_away)


def _take_away() -> None:
    while _applied:
        patcher = _applied.pop()
        patcher.__exit__(None, None, None)
        for remedy, reason in patcher.not_applied():
            print(printable(f"babysit: {remedy} could not be applied: {reason}"), file=sys.stderr)
        patcher.store.close()
