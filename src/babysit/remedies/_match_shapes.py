"""`match-shapes`: outputs and targets of one shape."""

from __future__ import annotations

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._script_text import ScriptText


class MatchShapes(RemedyKind):
    """Outputs and targets of one shape."""

    name = "match-shapes"
    summary = "give outputs and targets one shape"
    advice = "before the loss: targets = targets.reshape(outputs.shape)"
    place = "loss"
    unmet = "outputs and targets have one shape already"
    written_with = "loss"
    held_in = frozenset({"training"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Reshape the targets before the loss function, or the outputs before a loss written by hand."""
        applied.loss.match_shapes(application)

    def source(self, remedy: Remedy, text: ScriptText) -> bool:
        """The reshaping before the loss."""
        return text.match_shapes()
