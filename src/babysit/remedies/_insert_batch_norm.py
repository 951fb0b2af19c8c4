"""`insert-batch-norm`: batch normalisation after each weighted layer but the last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from babysit.nn import insert_batch_norm
from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class InsertBatchNorm(RemedyKind):
    """Batch normalisation after each weighted layer but the last."""

    name = "insert-batch-norm"
    summary = "put batch normalisation after each weighted layer but the last"
    settings = ("model.batch_norm=true",)
    searched = True
    advice = (
        "in the network: nn.BatchNorm1d(units), or nn.BatchNorm2d(channels), between each layer with weights and its"
        " activation, but not behind the last layer"
    )
    place = "network"
    unmet = "no network was trained"
    written_with = "network"
    written_apart = frozenset({"insert-activation", "move-batch-norm"})
    held_in = frozenset({"network"})
    for_tiny_batch = (4, None)

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """Always."""
        return ((4, None),)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before the first step."""

        def begin(training: BeforeTraining, application: Application) -> None:
            if not training.optimizers:
                application.fail("there is no optimizer that would train it")
            network = training.network
            device = next(network.parameters()).device
            done = insert_batch_norm(network, optimizer=training.optimizers[0], sample=training.sample)
            network.to(device)
            if not done.inserted:
                reasons = "; ".join(dict.fromkeys(done.skipped.values())) or "it has no layers with weights"
                application.fail(f"no layer of the network can take it: {reasons}")
            application.took_hold()

        applied.network.at_start(begin, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """More layers."""
        from babysit.remedies.source import write_insert_batch_norm

        return write_insert_batch_norm(edits)
