"""What the remedies of the inputs' scale have in common: statistics of the training rows, applied on the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_inputs import Scaling
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState, arguments_of

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

BATCHES = 32  # that statistics are taken from
STATISTICS = "with the training rows' numbers for the other rows, too"


class InputScaling(RemedyKind):
    """Base of the remedies of the inputs' scale.

    Attributes:
        how: What is done to each feature.
    """

    how: ClassVar[Scaling]
    searched = True
    alike = "input scaling"
    place = "loop"
    unmet = "no network was trained"
    held_in = frozenset({"loader", "training"})

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """With statistics of the first batches."""
        self.script(remedy, state.applied, application)
        learn_from(state)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """On their way into the network, with statistics of the first rows that are trained on."""
        applied.inputs.scale(self.how, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Where the tensors of rows are made, where the text shows which they are."""
        from babysit.remedies.source import write_input_scaling

        return write_input_scaling(edits, self.how)


def learn_from(state: RehearsalState) -> None:
    """Take statistics of the inputs from the first batches of a rehearsal."""
    for batch in state.first_batches(BATCHES):
        arguments = arguments_of(batch)
        if arguments and isinstance(arguments[0], Tensor) and arguments[0].is_floating_point():
            state.applied.inputs.learn(arguments[0])
