"""`match-shapes`: outputs and targets of one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class MatchShapes(RemedyKind):
    """Outputs and targets of one shape."""

    name = "match-shapes"
    summary = "give outputs and targets one shape"
    behind_probes = True
    advice = "before the loss: targets = targets.reshape(outputs.shape)"
    place = "loss"
    unmet = "outputs and targets have one shape already"
    written_with = "loss"
    held_in = frozenset({"training"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Reshape the targets before the loss function, or the outputs before a loss written by hand."""
        applied.loss.match_shapes(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The reshaping before the loss."""
        from babysit.remedies.source import write_match_shapes

        return write_match_shapes(edits)
