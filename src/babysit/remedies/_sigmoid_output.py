"""`sigmoid-output`: a sigmoid instead of a softmax over one output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class SigmoidOutput(RemedyKind):
    """A sigmoid instead of a softmax over one output."""

    name = "sigmoid-output"
    summary = "a sigmoid instead of a softmax over one output"
    behind_probes = True
    advice = "in the network: torch.sigmoid in the place of the softmax over one output"
    place = "network"
    unmet = "no softmax gives the network's outputs"
    written_with = "network"
    alike = "output activation"
    held_in = frozenset({"network"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """In the place of the call that gives the outputs."""
        applied.activations.on_outputs("sigmoid", application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another name where it is called."""
        from babysit.remedies.source import write_sigmoid_output

        return write_sigmoid_output(edits)
