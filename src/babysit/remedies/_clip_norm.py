"""`clip-norm`: the gradient's norm clipped before each step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState
from babysit.remedies._values import Number

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class ClipNorm(RemedyKind):
    """The gradient's norm clipped before each step."""

    name = "clip-norm"
    summary = "clip the gradient's norm: clip-norm=1"
    values = Number("1", above=0, of="a number above 0")
    settings = ("regularisation.clip_norm={value}",)
    keeps_network = True
    searched = True
    advice = "between the backward pass and the step: torch.nn.utils.clip_grad_norm_(model.parameters(), {value})"
    place = "step"
    unmet = "no optimizer took a step"
    held_in = frozenset({"training"})

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """At 1."""
        return ((13, "1"),)

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Before each step of the rehearsal."""
        state.clip_norm = self.values.number(remedy)
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before each step of the optimizers."""
        applied.steps.clip(self.values.number(remedy), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """The call before the step."""
        from babysit.remedies.source import write_clip_norm

        return write_clip_norm(edits, self.values.of(remedy))
