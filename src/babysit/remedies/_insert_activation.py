"""`insert-activation`: an activation between linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.nn import activation
from babysit.record import NotAppliedError, Recipe, Remedy
from babysit.remedies._activation import AnActivation
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class InsertActivation(RemedyKind):
    """An activation between linear layers."""

    name = "insert-activation"
    summary = "put an activation between linear layers: insert-activation=relu"
    values = AnActivation("relu")
    settings = ("model.activation={value}",)
    advice = "in the network: {value} behind each layer with weights but the last"
    place = "network"
    unmet = "no two layers with weights were called in the network"
    written_with = "network"
    written_apart = frozenset({"activation", "insert-batch-norm"})
    held_in = frozenset({"network"})

    def recipe(self, remedy: Remedy, recipe: Recipe) -> Recipe | None:
        """Another activation than none at all."""
        if recipe.model.factory is None and recipe.model.activation != "identity":
            raise NotAppliedError.of([(str(remedy), f"the recipe has {recipe.model.activation} between its layers")])
        return super().recipe(remedy, recipe) if recipe.model.factory is None else None

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Behind each layer with weights but the last."""
        self.values.check(remedy)
        applied.activations.insert(activation(remedy.value or "relu"), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """One more layer, or call."""
        from babysit.remedies.source import write_insert_activation

        return write_insert_activation(edits, remedy.value or "relu")
