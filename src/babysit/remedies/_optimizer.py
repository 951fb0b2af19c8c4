"""`optimizer`: another kind of optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_steps import KINDS, MOMENTUM, fresh_optimizer
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState
from babysit.remedies._values import OneOf

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

USUAL = "adam"


class OtherOptimizer(RemedyKind):
    """Another kind of optimizer, with its usual rate where no other is asked for."""

    name = "optimizer"
    summary = "another optimizer: optimizer=adam"
    values = OneOf(tuple(KINDS), USUAL, of="optimizer")
    settings = ("optimizer.name={value}",)
    searched = True
    advice = "where the optimizer is made: {value}"
    place = "optimizer"
    unmet = "no optimizer of torch.optim took a step"
    written_with = "steps"
    held_in = frozenset({"optimizer"})
    for_tiny_batch = (1, "adam")

    def told(self, value: str) -> str:
        """The class of PyTorch."""
        made = f"torch.optim.{KINDS[value].__name__}" if value in KINDS else value
        return f"{made} with momentum={MOMENTUM:g}" if value == "sgd" else made

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """One that chooses the size of each weight's step itself."""
        return ((2, USUAL),)

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """A fresh one over every parameter that learns."""
        self.values.check(remedy)
        parameters = [parameter for parameter in state.network.parameters() if parameter.requires_grad]
        state.optimizers = [fresh_optimizer(self.values.of(remedy), [{"params": parameters}])]
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """The script's own becomes another kind, in place."""
        self.values.check(remedy)
        applied.steps.kind(self.values.of(remedy), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another class where it is made."""
        from babysit.remedies.source import write_optimizer

        return write_optimizer(edits, self.values.of(remedy))
