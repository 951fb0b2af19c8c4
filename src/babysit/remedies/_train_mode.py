"""`train-mode`: training mode wherever the network is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class TrainMode(RemedyKind):
    """Training mode wherever the network is trained."""

    name = "train-mode"
    summary = "call train() before training"
    advice = "before the batches of an epoch: model.train()"
    place = "backward"
    unmet = "the network is in training mode already wherever it is trained"
    held_in = frozenset({"training"})
    not_recipe = "a recipe is always trained in training mode"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Set the mode before each pass with gradients."""
        applied.network.train_mode(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The call."""
        from babysit.remedies.source import write_train_mode

        return write_train_mode(edits)
