"""`copy-state`: kept states of a network that are copies of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class CopyState(RemedyKind):
    """Kept states of a network that are copies of its weights."""

    name = "copy-state"
    summary = "keep a copy of the weights, not the weights themselves"
    advice = "best = copy.deepcopy(model.state_dict()): a state_dict refers to the weights and changes with them"
    place = "evaluation"
    unmet = "no state of a network was taken"
    held_in = frozenset({"training"})
    not_recipe = "the training of a recipe keeps copies already"
    not_live = "a rehearsal of live objects keeps no states"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Give the script copies where it asks for a network's state."""
        applied.steps.copy_states(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """A copy of each value of a state that is given a name."""
        from babysit.remedies.source import write_copy_state

        return write_copy_state(edits)
