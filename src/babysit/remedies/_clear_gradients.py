"""`clear-gradients`: gradients cleared before each backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class ClearGradients(RemedyKind):
    """Gradients cleared before each backward pass."""

    name = "clear-gradients"
    summary = "clear the gradients before each backward pass"
    advice = "before each backward pass: optimizer.zero_grad()"
    behind_probes = True  # what is left over is measured before the remedy clears it
    place = "backward"
    unmet = "the gradients are cleared already before each backward pass"
    written_with = "steps"
    held_in = frozenset({"training"})
    not_recipe = "the training of a recipe clears the gradients before each backward pass"
    not_live = "a rehearsal of live objects clears the gradients before each backward pass"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Clear them before the first backward pass after a step."""
        applied.steps.clear_gradients(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The call."""
        from babysit.remedies.source import write_clear_gradients

        return write_clear_gradients(edits)
