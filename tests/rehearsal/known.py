"""A subject whose accuracy follows from the remedies by a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from babysit.record import BabysitError, InputError, Remedy, Row, Trace
from babysit.rehearsal import LiveParts, Probes, Subject

STEPS = 90


class Known(Subject):
    """Its loss falls in a line to 2 - accuracy; the accuracy is told at the end, as a script's answers are."""

    own_end = True
    has_live_parts = False

    def __init__(
        self, accuracy: Callable[[dict[str, str], int], float | BabysitError], facts: dict[str, str] | None = None
    ) -> None:
        self._accuracy = accuracy
        self._facts = {"loss": "cross-entropy", **(facts or {})}
        self.asked: list[tuple[dict[str, str], int, int]] = []

    @property
    def name(self) -> str:
        return "known"

    def rehearse(
        self,
        steps: int,
        remedies: Sequence[Remedy] = (),
        *,
        seed: int = 0,
        probes: Probes = "all",
        seconds: float | None = None,
    ) -> Trace:
        names = {one.name: one.value or "" for one in remedies}
        count = min(steps, STEPS)
        self.asked.append((names, count, seed))
        reached = self._accuracy(names, seed)
        if isinstance(reached, BabysitError):
            raise reached
        rows = [Row(step, "train", "", "loss", 2.0 - reached * step / STEPS) for step in range(count)]
        rows += [Row(step, "train", "", "lr", 0.1) for step in range(count)]
        rows.append(Row(count - 1, "train", "", "balanced-accuracy", reached))
        return Trace(tuple(rows), facts=self._facts)

    def live_parts(self) -> LiveParts:
        raise InputError("a function has no live parts")
