"""A trace that notes what is asked of it: quantities, facts and events, as `Disease.reads` declares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from babysit.record import Event, Series, Trace


class NotedFacts(Mapping[str, str]):
    """Facts that note which of them are looked up."""

    def __init__(self, facts: Mapping[str, str], asked: set[str]) -> None:
        self._facts = facts
        self._asked = asked

    def __getitem__(self, name: str) -> str:
        self._asked.add(f"fact:{name}")
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a disease names the facts that it reads")

    def __len__(self) -> int:
        return len(self._facts)


class NotedTrace(Trace):
    """A trace that notes what is asked of it, in `asked`."""

    asked: set[str]

    @classmethod
    def of(cls, trace: Trace, facts: Mapping[str, str] | None = None) -> NotedTrace:
        """A copy that notes, with further facts."""
        asked: set[str] = set()
        noted_facts = NotedFacts({**trace.facts, **(facts or {})}, asked)
        noted = cls(trace.rows, trace.histograms, trace.events, trace.layers, noted_facts)
        object.__setattr__(noted, "asked", asked)
        return noted

    def series(self, quantity: str, *, phase: str = "train", layer: str = "") -> Series:
        self.asked.add(quantity)
        return super().series(quantity, phase=phase, layer=layer)

    def layers_with(self, quantity: str, *, phase: str = "train") -> tuple[str, ...]:
        self.asked.add(quantity)
        return super().layers_with(quantity, phase=phase)

    def happened(self, kind: str) -> tuple[Event, ...]:
        self.asked.add(f"event:{kind}")
        return super().happened(kind)
