"""`lr`: another learning rate."""

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

# Times the training's own rate: half a decade and more is what a training notices.
LOWER, HIGHER, BOTH = (0.1, 0.3, 0.03, 0.01), (10.0, 3.0, 30.0, 100.0), (0.1, 10.0)
TOO_HIGH, TOO_LOW = "learning-rate-too-high", "learning-rate-too-low"  # diseases that say which way


class LearningRate(RemedyKind):
    """Another learning rate."""

    name = "lr"
    summary = "another learning rate: lr=0.001"
    values = Number(above=0, of="a number above 0")
    settings = ("optimizer.lr={value}",)
    keeps_network = True
    searched = True
    advice = "where the optimizer is made: lr={value}"
    place = "optimizer"
    unmet = "no optimizer of torch.optim took a step"
    written_with = "steps"
    held_in = frozenset({"optimizer"})

    def worth_trying(self, remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
        """Lower or higher ones than the training's, as the finding says."""
        if remedy.value is not None:
            return [remedy]
        factors = {TOO_HIGH: LOWER, TOO_LOW: HIGHER}.get(finding, BOTH)
        return [Remedy(self.name, value) for value in self.times(trace, factors)]

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """A decade both ways first, and others later."""
        near, far = self.times(trace, (10.0, 0.1)), self.times(trace, (3.0, 0.3, 0.01, 100.0))
        return [*((3, value) for value in near), *((10, value) for value in far)]

    def suspects(self, trace: Trace) -> Iterable[tuple[int, str, str]]:
        """A decade both ways."""
        way = zip(self.times(trace, (10.0, 0.1)), (TOO_LOW, TOO_HIGH), strict=False)  # none where no rate was seen
        return [(0, value, disease) for value, disease in way]

    def times(self, trace: Trace, factors: Iterable[float]) -> list[str]:
        """The training's rate times each factor; none where it is not known."""
        rate = rate_of(trace)
        return [] if rate is None else [f"{rate * factor:.3g}" for factor in factors]

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Of every group; rates of several groups keep their ratios."""
        wanted = self.values.number(remedy)
        first = float(state.optimizers[0].param_groups[0]["lr"])
        for group in state.groups():
            group["lr"] = wanted * float(group["lr"]) / first if first else wanted
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """While the optimizers step."""
        applied.steps.rate(self.values.number(remedy), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another rate where the optimizer is made."""
        from babysit.remedies.source import write_lr

        return write_lr(edits, self.values.of(remedy))


def rate_of(trace: Trace) -> float | None:
    """The rate that the training is meant to have: the highest it took, as schedules rise from and fall to nothing."""
    rates = [value for value in trace.series("lr").values if value > 0]
    return max(rates) if rates else None
