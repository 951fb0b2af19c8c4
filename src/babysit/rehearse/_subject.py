"""Subject: what can be rehearsed. A Rehearsal: a short training of it that leaves it as it was, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from babysit.record import Remedy, Trace
from babysit.rehearse._bench import Bench

Probes = Literal["all", "start", "budget", "losses"]


class Subject(Protocol):
    """Something that can be trained: a Recipe, live objects, a script."""

    @property
    def name(self) -> str:
        """What to call it, in a few words."""

    def rehearse(
        self,
        steps: int,
        remedies: Sequence[Remedy] = (),
        *,
        seed: int = 0,
        probes: Probes = "all",
        seconds: float | None = None,
    ) -> Trace:
        """Train for some steps, and be afterwards as before: weights, optimizer, random streams, loader, all of it.

        Args:
            steps: Optimizer steps, at least 1.
            remedies: Changes that hold for this rehearsal alone.
            seed: Of the order of rows and of all that is drawn at random.
            probes: `all` measures every step, `start` the first fifty and every fifth of the later ones,
                `budget` as often as one percent of the time allows, `losses` the loss and the rate only.
            seconds: Stop early when they are spent.

        Returns:
            What was measured; a loss that is no number ends the rehearsal after it is written down.

        Raises:
            InputError: A remedy that this subject cannot take.
        """

    def bench(self) -> Bench | None:
        """The live network, loss and batches to work on, where there are any: a script has none outside itself."""
