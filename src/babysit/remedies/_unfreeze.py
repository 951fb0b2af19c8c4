"""`unfreeze`: gradients that reach every parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._optimise_all_parameters import give_missing
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class Unfreeze(RemedyKind):
    """Gradients that reach every parameter."""

    name = "unfreeze"
    summary = "let gradients reach every parameter"
    advice = "before the optimizer is made: model.requires_grad_(True); and give it model.parameters()"
    place = "network"
    unmet = "no network was trained"
    written_with = "parameters"
    held_in = frozenset({"network", "optimizer"})
    for_tiny_batch = (6, None)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before the first step; the first optimizer takes what none has."""

        def begin(training: BeforeTraining, application: Application) -> None:
            if not training.optimizers:
                application.fail("there is no optimizer that would train them")
            frozen = [parameter for parameter in training.network.parameters() if not parameter.requires_grad]
            for parameter in frozen:
                training.hooks.at_the_end(parameter.requires_grad_, False)
                parameter.requires_grad_(True)
            if not give_missing(training) and not frozen:
                application.fail("every parameter learns already")
            application.took_hold()

        applied.network.at_start(begin, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without what freezes them."""
        from babysit.remedies.source import write_unfreeze

        return write_unfreeze(edits)
