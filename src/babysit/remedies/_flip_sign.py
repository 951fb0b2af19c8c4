"""`flip-sign`: the loss made small, not large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class FlipSign(RemedyKind):
    """The loss made small, not large."""

    name = "flip-sign"
    summary = "make the loss small, not large"
    new_loss = True
    advice = "a loss that is to become small: without the minus before it, or (-loss).backward()"
    place = "backward"
    unmet = "no optimizer took a step"
    held_in = frozenset({"training"})
    not_recipe = "the training of a recipe makes its loss small already"
    for_tiny_batch = (7, None)

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """The loss with the other sign."""
        loss_of = state.loss_of
        state.loss_of = lambda network, batch: -loss_of(network, batch)
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Turn the gradient around before each step."""
        applied.steps.flip_sign(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without the minus."""
        from babysit.remedies.source import write_flip_sign

        return write_flip_sign(edits)
