"""`batch-size`: another number of rows a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._redealt import redealt
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState
from babysit.remedies._values import Number

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

USUAL = "32"


class BatchSize(RemedyKind):
    """Another number of rows a batch."""

    name = "batch-size"
    summary = "use another number of rows a batch: batch-size=64"
    values = Number(USUAL, "64", least=1, whole=True, of="a number of rows")
    settings = ("budget.batch_size={value}",)
    searched = True
    advice = "where batches are made: {value} rows in each, as in DataLoader(..., batch_size={value})"
    place = "loader"
    unmet = "no DataLoader was gone through"
    held_in = frozenset({"loader"})

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """The usual size, where the training has another one."""
        return ((17, USUAL),) if trace.facts.get("batch-size", USUAL) != USUAL else ()

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """The rows of the batches, in their order, dealt into batches of another size."""
        self.values.check(remedy)
        state.batches = redealt(state.batches, int(self.values.of(remedy)), application)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Give every loader another size."""
        self.values.check(remedy)
        applied.batches.size(int(self.values.of(remedy)), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another size where loaders are made."""
        from babysit.remedies.source import write_batch_size

        return write_batch_size(edits, self.values.of(remedy))
