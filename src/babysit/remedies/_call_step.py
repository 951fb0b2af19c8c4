"""`call-step`: the optimizer's step called after each backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class CallStep(RemedyKind):
    """The optimizer's step called after each backward pass."""

    name = "call-step"
    summary = "call the optimizer's step after backward"
    advice = "after the backward pass: optimizer.step(), and before it optimizer.zero_grad()"
    place = "backward"
    unmet = "no backward pass was seen"
    written_with = "steps"
    held_in = frozenset({"optimizer", "training"})
    not_recipe = "the training of a recipe always steps"
    not_live = "a rehearsal of live objects always steps"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Step after each backward pass, with an Adam where there is no optimizer."""
        applied.steps.call_step(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The call, and an optimizer where there is none."""
        from babysit.remedies.source import write_call_step

        return write_call_step(edits)
