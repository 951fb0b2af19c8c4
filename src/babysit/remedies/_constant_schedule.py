"""`constant-schedule`: a learning rate that stays what it was at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class ConstantSchedule(RemedyKind):
    """A learning rate that stays what it was at the start."""

    name = "constant-schedule"
    summary = "keep the learning rate constant"
    settings = ("schedule.name=constant", "schedule.warm_up=0")
    searched = True
    advice = "leave out the schedule's step(), so that the rate stays what it was made with"
    place = "optimizer"
    unmet = "no schedule changed the rate"
    held_in = frozenset({"schedule"})
    unseen = "a rehearsal keeps the learning rate constant already"
    not_live = "a rehearsal of live objects keeps the learning rate constant already"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Step with the first rate, whatever a schedule does to it."""
        applied.steps.keep_rate(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without the schedule's steps."""
        from babysit.remedies.source import write_constant_schedule

        return write_constant_schedule(edits)
