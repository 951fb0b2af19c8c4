"""`unscale-gradients`: gradients divided by the scaler's scale before they are clipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class UnscaleGradients(RemedyKind):
    """Gradients divided by the scaler's scale before they are clipped."""

    name = "unscale-gradients"
    summary = "divide gradients by the scaler's scale before clipping them"
    advice = "before clip_grad_norm_: scaler.unscale_(optimizer)"
    place = "step"
    unmet = "no gradients were clipped while a scaler had multiplied them"
    held_in = frozenset({"training", "optimizer"})
    not_recipe = "the training of a recipe has no scaler"
    not_live = "a rehearsal of live objects has no scaler"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Unscale before each clipping."""
        applied.steps.unscale(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The call before the clipping."""
        from babysit.remedies.source import write_unscale_gradients

        return write_unscale_gradients(edits)
