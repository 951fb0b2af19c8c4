"""`move-batch-norm`: no batch normalisation on the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class MoveBatchNorm(RemedyKind):
    """No batch normalisation on the outputs."""

    name = "move-batch-norm"
    summary = "take batch normalisation off the outputs"
    advice = "in the network: no batch normalisation behind the last layer"
    place = "network"
    unmet = "no network was trained"
    written_with = "network"
    written_apart = frozenset({"insert-batch-norm"})
    held_in = frozenset({"network"})

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before the first step, the last one of the network does nothing any more."""

        def begin(training: BeforeTraining, application: Application) -> None:
            found = [
                (parent, name)
                for parent in training.network.modules()
                for name, child in parent.named_children()
                if isinstance(child, _BatchNorm)
            ]
            if not found:
                application.fail("the network has no batch normalisation")
            parent, name = found[-1]
            parent._modules[name] = nn.Identity()
            application.took_hold()

        applied.network.at_start(begin, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without it."""
        from babysit.remedies.source import write_move_batch_norm

        return write_move_batch_norm(edits)
