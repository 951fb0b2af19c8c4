"""Where what was measured goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from babysit.record import Event, Histogram, Row, TraceLayer

NotFinite = Callable[[int, float, str, str], None]  # step, loss, layer, sentence


class Sink(Protocol):
    """Where what was measured goes: a TraceStore, or anything like one."""

    def add(self, items: Iterable[Row | Histogram | Event]) -> None:
        """Take these."""

    def describe(self, layers: Iterable[TraceLayer] = (), facts: Mapping[str, str] | None = None) -> None:
        """Layers and facts."""
