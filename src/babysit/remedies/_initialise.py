"""`initialise`: the first weights drawn by another scheme."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from babysit.nn import SCHEMES, initialise
from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._values import OneOf

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

HE = 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")'
TOLD = {
    "auto": HE,
    "he": HE,
    "xavier": "nn.init.xavier_normal_(layer.weight)",
    "xavier-uniform": "nn.init.xavier_uniform_(layer.weight)",
    "orthogonal": "nn.init.orthogonal_(layer.weight)",
}


class Initialise(RemedyKind):
    """The first weights drawn by another scheme."""

    name = "initialise"
    summary = "initialise the weights by another scheme: initialise=he"
    values = OneOf(tuple(SCHEMES), of="initialisation", default="auto")
    settings = ("initialisation.scheme={value}",)
    searched = True
    advice = "once the network is made: for each layer with weights {value}"
    place = "initialisation"
    unmet = "no network was trained"
    held_in = frozenset({"optimizer"})
    for_tiny_batch = (2, "auto")

    def told(self, value: str) -> str:
        """PyTorch's own function, where there is one."""
        return TOLD.get(value, value)

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """By the scheme that suits each layer's activation."""
        return ((6, None),)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before the first step."""
        self.values.check(remedy)

        def begin(training: BeforeTraining, application: Application) -> None:
            scheme = cast(Any, self.values.of(remedy))
            initialise(training.network, scheme, sample=training.sample, seed=training.seed)
            application.took_hold()

        applied.network.at_start(begin, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Before the optimizer is made."""
        from babysit.remedies.source import write_initialise

        return write_initialise(edits, self.values.of(remedy))
