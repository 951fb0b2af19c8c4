"""`remove-softmax`: no softmax in front of a loss that applies one."""

from __future__ import annotations

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._script_text import ScriptText


class RemoveSoftmax(RemedyKind):
    """No softmax in front of a loss that applies one."""

    name = "remove-softmax"
    summary = "take the softmax off the outputs: the loss applies it"
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

    def source(self, remedy: Remedy, text: ScriptText) -> bool:
        """Without it."""
        return text.remove_softmax()
