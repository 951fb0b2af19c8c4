"""One thing that is searched: a range or a choice, and how a point between 0 and 1 becomes its value.

A unit coordinate of 0 is the lower end of the range, 1 the upper; a search that widens a range goes beyond them. Of a
choice with k options the first is what lies below 1/k, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from babysit.record import InputError

Scale = Literal["linear", "log"]
Value = float | int | str | bool | tuple[int, ...]
WIDEN = 1.0  # decades of a logarithmic range, or halves of a linear one, that a search may go beyond an end
SNAP = 1e-9  # of a unit coordinate; a point this near to an end is at the end


@dataclass(frozen=True)
class Condition:
    """A parameter counts only where another one has one of these values.

    Attributes:
        path: Of the other parameter.
        values: That make this one count.
    """

    path: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """Numbers between two ends.

    Attributes:
        path: Recipe path, or the name of a script's argument.
        low: Lower end.
        high: Upper end.
        scale: `log` draws every decade alike.
        whole: Whole numbers only.
        lowest: A search that widens stops here; None takes `low`.
        highest: And here; None takes `high`.
        when: Where it counts; None is everywhere.

    Example:
        >>> rate = Range("optimizer.lr", 1e-5, 1e-1, scale="log")
        >>> f"{rate.value(0.5):.3g}", round(rate.unit(1e-2), 3)
        ('0.001', 0.75)
    """

    path: str
    low: float
    high: float
    scale: Scale = "linear"
    whole: bool = False
    lowest: float | None = None
    highest: float | None = None
    when: Condition | None = None

    def __post_init__(self) -> None:
        ends = f"{self.path} from {self.low:g} to {self.high:g}"
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise InputError(f"{ends} has an end that is not a finite number", write=f"{self.path}=1e-5:1e-1:log")
        swapped = self.low > self.high
        if self.low >= self.high:
            raise InputError(
                f"{ends} is not a range",
                legal="a lower end below the upper one",
                cause="the ends are swapped" if swapped else "a fixed value is not searched; set it with --settings",
                write=f"{self.path}={self.high:g}:{self.low:g}" if swapped else f"--settings {self.path}={self.low:g}",
            )
        if self.scale == "log" and self.low <= 0:
            raise InputError(
                f"{ends} on a logarithmic scale",
                legal="ends above zero",
                cause="zero is infinitely many decades away",
                write=f"{self.path}={self.high / 1e4:g}:{self.high:g}:log",
            )
        if self.whole and (self.low != round(self.low) or self.high != round(self.high)):
            raise InputError(
                f"{ends} is to be whole numbers",
                legal="whole ends",
                write=f"{self.path}={math.floor(self.low)}:{math.ceil(self.high)}",
            )

    @property
    def width(self) -> int:
        """Coordinates that stand for it where a distance is measured."""
        return 1

    def value(self, unit: float) -> Value:
        """The value at a unit coordinate."""
        low, high = self.scaled_ends
        scaled = low + unit * (high - low)
        value = math.exp(scaled) if self.scale == "log" else scaled
        if self.whole:
            bottom = self.low if self.lowest is None else self.lowest
            top = self.high if self.highest is None else self.highest
            return int(min(max(round(value), bottom), top))
        if abs(unit) < SNAP:
            return self.low
        if abs(unit - 1) < SNAP:
            return self.high
        return value

    def unit(self, value: Value) -> float:
        """The unit coordinate of a value."""
        assert isinstance(value, int | float)
        low, high = self.scaled_ends
        return (self._scaled(float(value)) - low) / (high - low)

    @property
    def scaled_ends(self) -> tuple[float, float]:
        """Ends on the scale that is drawn from evenly. Each whole number gets an equal part: half a number more."""
        half = 0.5 if self.whole else 0.0
        # On a logarithmic scale nothing lies at zero or below.
        lower = self.low - half if self.scale == "linear" or self.low > half else self.low
        return self._scaled(lower), self._scaled(self.high + half)

    def place(self, value: Value) -> tuple[float, ...]:
        """Its coordinates where a distance is measured."""
        return (self.unit(value),)

    @property
    def unit_limits(self) -> tuple[float, float]:
        """Unit coordinates that a widened search may reach: (0, 1) where it may not be widened."""
        low = 0.0 if self.lowest is None or self.lowest >= self.low else self.unit(self.lowest)
        high = 1.0 if self.highest is None or self.highest <= self.high else self.unit(self.highest)
        return low, high

    def at_edge(self, value: Value) -> Literal["low", "high"] | None:
        """Whether a value lies at an end: in the outer twentieth, or the first or last of few whole numbers."""
        unit = self.unit(value)
        if self.whole and self.high - self.low < FEW:
            assert isinstance(value, int | float)
            return "low" if value <= self.low else "high" if value >= self.high else None
        return "low" if unit <= EDGE else "high" if unit >= 1 - EDGE else None

    def text(self) -> str:
        """Its text form."""
        kind = (":log-integer" if self.whole else ":log") if self.scale == "log" else ":integer" if self.whole else ""
        return f"{self.path}={self.low:.6g}:{self.high:.6g}{kind}{_condition_text(self.when)}"

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.scale == "log" else value


# The outer twentieth: of 20 uniform points the best lies there once by chance alone, so a search of fewer says nothing.
EDGE = 0.05
FEW = 20  # whole numbers; of fewer the first and the last are the edge


@dataclass(frozen=True)
class Choice:
    """One of several options.

    Attributes:
        path: Recipe path, or the name of a script's argument.
        options: In the order given.
        when: Where it counts; None is everywhere.

    Example:
        >>> Choice("model.activation", ("relu", "tanh")).value(0.7)
        'tanh'
    """

    path: str
    options: tuple[Value, ...]
    when: Condition | None = None

    def __post_init__(self) -> None:
        if len(set(map(repr, self.options))) < max(2, len(self.options)):
            raise InputError(
                f"{self.path} has options {', '.join(map(text_of, self.options)) or 'none'}",
                legal="two or more, each once",
                cause="one option leaves nothing to choose; fix it with --settings",
                write=f"--settings {self.path}={text_of(self.options[0])}" if self.options else None,
            )

    @property
    def width(self) -> int:
        """Coordinates that stand for it where a distance is measured."""
        return len(self.options)

    def value(self, unit: float) -> Value:
        """The option at a unit coordinate."""
        return self.options[min(len(self.options) - 1, max(0, math.floor(unit * len(self.options))))]

    def unit(self, value: Value) -> float:
        """The middle of an option's part."""
        return (self.options.index(value) + 0.5) / len(self.options)

    def place(self, value: Value) -> tuple[float, ...]:
        """Its coordinates where a distance is measured: any two options are equally far apart."""
        return tuple(0.5 * (option == value) for option in self.options)

    @property
    def unit_limits(self) -> tuple[float, float]:
        """A choice cannot be widened."""
        return 0.0, 1.0

    def at_edge(self, value: Value) -> None:
        """A choice has no ends."""
        return

    def text(self) -> str:
        """Its text form."""
        return f"{self.path}={','.join(map(text_of, self.options))}{_condition_text(self.when)}"


Parameter = Range | Choice


def log_uniform(low: float, high: float) -> Range:
    """Every decade alike, for a `Space`.

    Example:
        >>> log_uniform(1e-6, 1e-1).scale
        'log'
    """
    return Range("", low, high, "log")


def uniform(low: float, high: float) -> Range:
    """Every number alike, for a `Space`."""
    return Range("", low, high)


def integer(low: int, high: int, *, log: bool = False) -> Range:
    """Whole numbers, both ends among them, for a `Space`."""
    return Range("", low, high, "log" if log else "linear", whole=True)


def choice(*options: Value) -> Choice:
    """One of several options, for a `Space`."""
    return Choice("", options)


def only_if(parameter: Parameter, path: str, *values: Value) -> Parameter:
    """The parameter, counting only where the setting `path` has one of these values.

    Example:
        >>> only_if(uniform(0.5, 0.99), "optimizer.name", "sgd").when
        Condition(path='optimizer.name', values=('sgd',))
    """
    return replace(parameter, when=Condition(path, values))


def text_of(value: Any) -> str:
    """A value as `--set` and `--space` take it.

    Example:
        >>> text_of((64, 64)), text_of(True), text_of(0.001)
        ('[64,64]', 'true', '0.001')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(text_of, value)) + "]"
    return repr(value) if isinstance(value, float) else str(value)


def _condition_text(when: Condition | None) -> str:
    return "" if when is None else f" if {when.path}={','.join(map(text_of, when.values))}"
