"""`optimise-all-parameters`: every parameter given to the optimizer, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class OptimiseAllParameters(RemedyKind):
    """Every parameter given to the optimizer, once."""

    name = "optimise-all-parameters"
    summary = "give the optimizer every parameter, once"
    advice = "where the optimizer is made: model.parameters(), all of them, once"
    place = "optimizer"
    unmet = "no network was trained"
    written_with = "parameters"
    held_in = frozenset({"optimizer"})
    not_recipe = "the optimizer of a recipe has every parameter"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before the first step, what no optimizer has joins the first one's first group."""

        def begin(training: BeforeTraining, application: Application) -> None:
            if not give_missing(training):
                application.fail("the optimizers have every parameter that learns already")
            application.took_hold()

        applied.network.at_start(begin, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The network's parameters where the optimizer is made."""
        from babysit.remedies.source import write_all_parameters

        return write_all_parameters(edits)


def give_missing(training: BeforeTraining) -> bool:
    """Give the first optimizer every parameter that learns and that none has; whether there was one."""
    if not training.optimizers:
        return False
    groups = [group for optimizer in training.optimizers for group in optimizer.param_groups]
    known = {id(one) for group in groups for one in group["params"]}
    missing = [one for one in training.network.parameters() if id(one) not in known and one.requires_grad]
    groups[0]["params"].extend(missing)
    return bool(missing)
