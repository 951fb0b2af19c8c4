"""Trace: what was measured during a stretch of training.

Rows (step, phase, layer, quantity, value), histograms and events. Values are as they were measured: a NaN or an
infinity stays one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

TRACE_SCHEMA = 1


class Row(NamedTuple):
    """One number: a quantity of a layer (empty: the whole network) at a step; phase is train, validation or test."""

    step: int
    phase: str
    layer: str
    quantity: str
    value: float


class Histogram(NamedTuple):
    """Counts of a quantity's values between edges; `len(edges) == len(counts) + 1`."""

    step: int
    phase: str
    layer: str
    quantity: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Event(NamedTuple):
    """Something that happened: `kind` in a word, `text` for people."""

    step: int
    kind: str
    text: str


class Series(NamedTuple):
    """One quantity over steps."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Trace:
    """What was measured during a stretch of training.

    Example:
        >>> trace = Trace(rows=(Row(0, "train", "", "loss", 2.3), Row(1, "train", "", "loss", 1.9)))
        >>> trace.series("loss")
        Series(steps=(0, 1), values=(2.3, 1.9))
    """

    rows: tuple[Row, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    events: tuple[Event, ...] = ()
    schema: int = TRACE_SCHEMA

    def series(self, quantity: str, *, phase: str = "train", layer: str = "") -> Series:
        """One quantity over steps, in order of steps; empty when it was not measured."""
        found = sorted(
            (row.step, row.value)
            for row in self.rows
            if row.quantity == quantity and row.phase == phase and row.layer == layer
        )
        return Series(tuple(step for step, _ in found), tuple(value for _, value in found))
