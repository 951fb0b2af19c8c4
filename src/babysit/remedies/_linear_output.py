"""`linear-output`: no activation on the outputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from babysit.record import Remedy, Trace, losses_that
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

TAKE_SCORES = ("cross-entropy", "bce-with-logits")  # losses that apply their activation themselves


class LinearOutput(RemedyKind):
    """No activation on the outputs."""

    name = "linear-output"
    summary = "take the activation off the outputs"
    behind_probes = True
    advice = "in the network: no activation on what it gives back"
    place = "network"
    unmet = "the network's outputs come from no activation"
    written_with = "network"
    alike = "output activation"
    held_in = frozenset({"network"})

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """Where the loss wants any number."""
        wants = losses_that(distance=True) | set(TAKE_SCORES)
        return ((8, None),) if trace.facts.get("loss", "") in wants else ()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Pass over the call that gives the outputs."""
        applied.activations.on_outputs("linear", application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without it."""
        from babysit.remedies.source import write_linear_output

        return write_linear_output(edits)
