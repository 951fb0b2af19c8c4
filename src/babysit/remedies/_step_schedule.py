"""`step-schedule`: a schedule of the learning rate stepped once for each of the units that it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class StepSchedule(RemedyKind):
    """A schedule of the learning rate stepped once for each of the units that it counts."""

    name = "step-schedule"
    summary = "step the learning rate's schedule as often as it counts"
    advice = "schedule.step() after each epoch, or after each optimizer.step() where the schedule is made for batches"
    place = "step"
    unmet = "no schedule of torch.optim.lr_scheduler was made, or no second epoch began"
    held_in = frozenset({"schedule", "training"})
    not_recipe = "the training of a recipe steps its schedule"
    not_live = "a rehearsal of live objects keeps the learning rate constant"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Step the script's schedules in its place."""
        applied.schedules.step(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The call, at the end of the epoch or after the optimizer's step."""
        from babysit.remedies.source import write_step_schedule

        return write_step_schedule(edits)
