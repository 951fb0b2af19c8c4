"""`shuffle`: training rows in another order every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._redealt import shuffled
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class Shuffle(RemedyKind):
    """Training rows in another order every epoch."""

    name = "shuffle"
    summary = "shuffle the training rows every epoch"
    searched = True
    advice = "the training rows in another order every epoch: DataLoader(..., shuffle=True), or torch.randperm(rows)"
    place = "loader"
    unmet = "no DataLoader was gone through"
    held_in = frozenset({"loader"})
    not_recipe = "the training of a recipe shuffles its rows every epoch already"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """The rows of each epoch's batches, dealt anew."""
        if state.shuffled:
            application.fail("the loader shuffles the rows already")
        if state.epoch_steps is None:
            application.fail("the loader does not tell how many batches an epoch has")
        state.batches = shuffled(state.batches, state.epoch_steps, state.applied.seed, application)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Give loaders that go through their rows in order a random order."""
        applied.batches.shuffle(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """`shuffle=True` where the loader is made."""
        from babysit.remedies.source import write_shuffle

        return write_shuffle(edits)
