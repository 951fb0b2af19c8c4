"""`evaluation-mode`: evaluation mode wherever the network is evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class EvaluationMode(RemedyKind):
    """Evaluation mode wherever the network is evaluated."""

    name = "evaluation-mode"
    summary = "call eval() before evaluating"
    advice = "before evaluating: model.eval(), and before training goes on: model.train()"
    place = "evaluation"
    unmet = "no evaluation without gradients was seen that was in training mode"
    held_in = frozenset({"training"})
    not_recipe = "a recipe is always evaluated in evaluation mode"
    not_live = "a rehearsal of live objects does not evaluate"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Set the mode before each pass without gradients."""
        applied.network.evaluation_mode(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The calls."""
        from babysit.remedies.source import write_evaluation_mode

        return write_evaluation_mode(edits)
