"""The tree of errors, and how every error message is put together.

    BabysitError
    ├── InputError                what the user gave cannot be used (exit code 2)
    │   ├── DataError             a file, a column, a target, an array
    │   ├── NotAppliedError            a remedy that could not be applied to this training
    │   ├── RecipeError           a recipe or a setting
    │   └── RunFolderError        a Run folder
    │       ├── RunLockedError    another process is writing to it
    │       └── RunVersionError   it was written by another version
    ├── MissingExtraError         an optional dependency is not installed (exit code 2)
    ├── NotFiniteError            the loss became NaN or infinite, and the caller asked for an error
    ├── RehearsalError            the training itself failed while it was rehearsed
    ├── SickError                 a finding is sick, and the caller asked for an error
    └── StorageError              the disk refused a write (exit code 2)

Every message answers up to four questions, in this order: what was given, what is legal, the likely cause,
and what to write instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from babysit.record._printable import printable

if TYPE_CHECKING:
    from babysit.record._trace import Trace

LONGEST_LINE, KEPT_AT_END = 1000, 200  # characters of a line of a message, and of them those of its end


class BabysitError(Exception):
    """Base of everything babysit raises on purpose.

    Args:
        given: What was given and is wrong, as a full sentence without the final full stop.
        legal: What would have been legal.
        cause: The likely cause.
        write: What to write instead, literally.

    Example:
        >>> print(BabysitError("no column 'prise'", legal="price, size", write="--target price"))
        no column 'prise'
          legal: price, size
          write: --target price
    """

    def __init__(
        self,
        given: str,
        *,
        legal: str | None = None,
        cause: str | None = None,
        write: str | None = None,
    ) -> None:
        self.given = given
        self.legal = legal
        self.cause = cause
        self.write = write
        super().__init__(given)

    def __str__(self) -> str:
        parts = (("legal", self.legal), ("likely cause", self.cause), ("write", self.write))
        text = "\n".join([self.given, *(f"  {label}: {text}" for label, text in parts if text is not None)])
        return "\n".join(map(_shortened, printable(text).split("\n")))

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with `args` alone and lose the keyword parts between processes.
        return (_rebuild, (type(self), self.given, self.legal, self.cause, self.write))


def _shortened(line: str) -> str:
    """A line that can be read: what was given can be as long as a file."""
    if len(line) <= LONGEST_LINE:
        return line
    left_out = len(line) - LONGEST_LINE
    return f"{line[: LONGEST_LINE - KEPT_AT_END]} ... ({left_out:,} characters) ... {line[-KEPT_AT_END:]}"


def _rebuild(
    kind: type[BabysitError], given: str, legal: str | None, cause: str | None, write: str | None
) -> BabysitError:
    return kind(given, legal=legal, cause=cause, write=write)


class InputError(BabysitError):
    """What the user gave cannot be used."""


class DataError(InputError):
    """A file, a column, a target or an array cannot be used."""


class RecipeError(InputError):
    """A recipe or one of its settings cannot be used."""


class NotAppliedError(InputError):
    """A remedy could not be applied to a training, so that nothing is known of what it would do.

    Attributes:
        missing: The remedies in their text form, each with the reason.
    """

    missing: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, missing: Sequence[tuple[str, str]], failed: str = "") -> NotAppliedError:
        """Of remedies in their text form, each with the reason.

        Args:
            missing: The remedies and the reasons.
            failed: The error that the training ended by; empty where it ended by none.

        Example:
            >>> print(NotAppliedError.of([("dropout=0.2", "the network has no dropout")]))
            dropout=0.2 could not be applied: the network has no dropout
        """
        told = "; ".join(f"{remedy} could not be applied: {reason}" for remedy, reason in missing)
        made = cls(f"{told}; the training failed: {failed}" if failed else told)
        made.missing = tuple(missing)
        return made


class RunFolderError(InputError):
    """A Run folder cannot be used."""


class RunLockedError(RunFolderError):
    """Another process is writing to the Run folder."""


class RunVersionError(RunFolderError):
    """The Run folder was written by a version this one cannot read."""


class MissingExtraError(BabysitError):
    """An optional dependency is not installed."""


class StorageError(BabysitError):
    """The disk refused a write: full, read-only or gone."""


class NotFiniteError(BabysitError):
    """The loss became NaN or infinite, and the caller asked for an error in that case."""


class SickError(BabysitError):
    """A finding makes a sound training impossible, and the caller asked for an error in that case."""


class OutOfTimeError(BabysitError):
    """A rehearsal was not begun, since no time was left for it."""


class RehearsalError(BabysitError):
    """The training itself failed while it was rehearsed: its error is the cause (`__cause__`).

    Attributes:
        trace: What was measured until then.
    """

    trace: Trace | None = None
