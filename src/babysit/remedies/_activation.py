"""`activation`: another activation between the layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from babysit.nn import activation
from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._values import Values

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class AnActivation(Values):
    """The name of an activation; what does not exist is refused with what does."""

    def check(self, remedy: Remedy) -> None:
        """Refuse a name that no activation has."""
        activation(self.of(remedy) or "relu")


class OtherActivation(RemedyKind):
    """Another activation between the layers."""

    name = "activation"
    summary = "use another activation: activation=relu"
    behind_probes = True
    values = AnActivation("relu", "selu")
    settings = ("model.activation={value}",)
    searched = True
    advice = "in the network, between its layers: {value} in the place of the activations there"
    place = "network"
    unmet = "the network calls no activation between its layers"
    written_with = "network"
    written_apart = frozenset({"insert-activation"})
    held_in = frozenset({"network"})
    for_tiny_batch = (5, "relu")

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """ReLU, and later SELU."""
        return ((7, "relu"), (14, "selu"))

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Swap every activation but that on the outputs."""
        self.values.check(remedy)
        applied.activations.swap(activation(remedy.value or "relu"), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another name where it is called."""
        from babysit.remedies.source import write_activation

        return write_activation(edits, remedy.value or "relu")
