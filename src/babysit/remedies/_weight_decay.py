"""`weight-decay`: another weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn

from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState
from babysit.remedies._values import Number

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class OtherWeightDecay(RemedyKind):
    """Another weight decay."""

    name = "weight-decay"
    summary = "another weight decay: weight-decay=0.01"
    values = Number("0", "0.0001", least=0)
    settings = ("regularisation.l2={value}",)
    too_strong = "weight-decay-too-strong"
    searched = True
    advice = "where the optimizer is made: weight_decay={value}"
    place = "optimizer"
    unmet = "no optimizer of torch.optim took a step"
    held_in = frozenset({"optimizer"})

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """None, where there is some."""
        return ((15, self.off),) if self.in_use(trace) else ()

    def in_use(self, trace: Trace, network: nn.Module | None = None) -> bool:
        """Whether an optimizer decays weights."""
        return float(trace.facts.get("weight-decay", "0") or 0) > 0

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Of every group that knows of it."""
        wanted = self.values.number(remedy)
        groups = [group for group in state.groups() if "weight_decay" in group]
        # No decay where the optimizer has none is what was asked for.
        if not groups and wanted:
            application.fail("the optimizer has no weight decay")
        for group in groups:
            group["weight_decay"] = wanted
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Of every group that knows of it, before the first step."""
        applied.steps.weight_decay(self.values.number(remedy), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another one where the optimizer is made."""
        from babysit.remedies.source import write_weight_decay

        return write_weight_decay(edits, self.values.of(remedy))
