"""What may stand behind the = of a remedy, and which values are worth trying where a finding names none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from babysit.record import InputError, Remedy


class Values:
    """The values of one remedy.

    Args:
        usual: Worth trying where a finding recommends the remedy by name alone.
        default: What a remedy without a value means; None where a value must be given.
    """

    def __init__(self, *usual: str, default: str | None = None) -> None:
        self.usual = usual
        self.default = default

    legal = ""  # in words; empty where there is no value

    def check(self, remedy: Remedy) -> None:
        """Refuse a value that is not legal.

        Raises:
            InputError: It is not.
        """

    def of(self, remedy: Remedy) -> str:
        """The remedy's value, or its default."""
        return remedy.value or self.default or ""


class NoValue(Values):
    """A remedy that is applied or not."""


class Number(Values):
    """A number within limits.

    Example:
        >>> Number("0.1", above=0).number(Remedy("lr", "0.01"))
        0.01
    """

    def __init__(
        self,
        *usual: str,
        least: float | None = None,
        above: float | None = None,
        below: float = math.inf,
        whole: bool = False,
        of: str = "a number",
        default: str | None = None,
    ) -> None:
        super().__init__(*usual, default=default)
        self._least, self._above, self._below, self._whole, self._of = least, above, below, whole, of
        low = f"above {above:g}" if above is not None else f"{least or 0:g} or more"
        high = f" and below {below:g}" if math.isfinite(below) else ""
        self.legal = f"{'a whole number, ' if whole else ''}{low}{high}"

    def check(self, remedy: Remedy) -> None:
        """Refuse what is not such a number."""
        self.number(remedy)

    def number(self, remedy: Remedy) -> float:
        """The remedy's value.

        Raises:
            InputError: It is not a number, or lies outside the limits.
        """
        text = self.of(remedy)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        legal = math.isfinite(value) and value < self._below
        legal &= self._least is None or value >= self._least
        legal &= self._above is None or value > self._above
        legal &= not self._whole or text.isdecimal()
        if not legal:
            raise InputError(
                f"the remedy '{remedy}' needs {self._of}",
                legal=self.legal,
                write=f"{remedy.name}={self.usual[0] if self.usual else '1'}",
            )
        return value


class OneOf(Values):
    """One of several names.

    Example:
        >>> OneOf(("adam", "sgd"), "adam", of="optimizer").check(Remedy("optimizer", "newton"))
        Traceback (most recent call last):
            ...
        babysit.record._errors.InputError: there is no optimizer 'newton'
          legal: adam, sgd
          write: optimizer=adam
    """

    def __init__(self, names: Sequence[str], *usual: str, of: str, default: str | None = None) -> None:
        super().__init__(*usual, default=default)
        self.names, self._of = tuple(names), of
        self.legal = ", ".join(self.names)

    def check(self, remedy: Remedy) -> None:
        """Refuse another name."""
        if self.of(remedy) not in self.names:
            usual = self.usual[0] if self.usual else self.names[0]
            raise InputError(
                f"there is no {self._of} '{self.of(remedy)}'",
                legal=self.legal,
                write=f"{remedy.name}={usual}",
            )
