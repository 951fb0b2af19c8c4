"""`remove-softmax`: no softmax in front of a loss that applies one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class RemoveSoftmax(RemedyKind):
    """No softmax in front of a loss that applies one."""

    name = "remove-softmax"
    summary = "take the softmax off the outputs: the loss applies it"
    behind_probes = True
    new_loss = True
    new_scale = True
    advice = (
        "the loss is to be given what enters the softmax: nn.CrossEntropyLoss() applies it; apply softmax(1) where"
        " answers are read"
    )
    place = "loss"
    unmet = "no loss function of PyTorch was called"
    written_with = "loss"
    held_in = frozenset({"network", "training"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Give the loss function what entered the softmax."""
        applied.loss.take_off("softmax", application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without it."""
        from babysit.remedies.source import write_remove_softmax

        return write_remove_softmax(edits)
