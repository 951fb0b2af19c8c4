"""`softmax-axis`: the softmax taken over the classes, not over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class SoftmaxAxis(RemedyKind):
    """The softmax taken over the classes, not over the rows."""

    name = "softmax-axis"
    summary = "take the softmax over the classes, not over the rows"
    behind_probes = True
    advice = "in the network: softmax over the classes, dim=1 (dim=-1 of sequences)"
    place = "network"
    unmet = "no softmax gives the network's outputs"
    written_with = "network"
    alike = "output activation"
    held_in = frozenset({"network"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """In the call that gives the outputs."""
        applied.activations.on_outputs("axis", application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another axis where it is called."""
        from babysit.remedies.source import write_softmax_axis

        return write_softmax_axis(edits)
