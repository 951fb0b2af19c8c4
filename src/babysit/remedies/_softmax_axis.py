"""`softmax-axis`: the softmax taken over the classes, not over the rows."""

from __future__ import annotations

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._script_text import ScriptText


class SoftmaxAxis(RemedyKind):
    """The softmax taken over the classes, not over the rows."""

    name = "softmax-axis"
    summary = "take the softmax over the classes, not over the rows"
    advice = "in the network: softmax over the classes, dim=1 (dim=-1 of sequences)"
    place = "network"
    unmet = "no softmax gives the network's outputs"
    written_with = "network"
    held_in = frozenset({"network"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """In the call that gives the outputs."""
        applied.activations.on_outputs("axis", application)

    def source(self, remedy: Remedy, text: ScriptText) -> bool:
        """Another axis where it is called."""
        return text.set_softmax_axis()
