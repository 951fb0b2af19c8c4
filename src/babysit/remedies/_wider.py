"""`wider`: more units a layer."""

from __future__ import annotations

from babysit.record import NotAppliedError, Recipe, Remedy, Trace, with_settings
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._values import Number


class Wider(RemedyKind):
    """More units a layer."""

    name = "wider"
    summary = "more units a layer: wider=2 doubles them"
    values = Number("2", above=0, of="a factor above 0")
    settings = ("model.widths={value}",)
    advice = "in the network: {value} times as many units in each hidden layer"
    place = "network"
    not_live = "layers that exist have their number of units, and more would need other weights"
    not_script = "layers that a script has made have their number of units, and more would need other weights"
    not_source = "which numbers of the script are units of layers is not certain"

    def worth_trying(self, remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
        """Twice as wide, where the finding names no factor."""
        return [remedy if remedy.value is not None else Remedy(self.name, self.values.usual[0])]

    def recipe(self, remedy: Remedy, recipe: Recipe) -> Recipe | None:
        """The units of each hidden layer times a factor."""
        assert isinstance(self.values, Number)
        factor = self.values.number(remedy)
        widths = recipe.model.widths
        if not widths:
            reason = "the recipe has no hidden layers" if widths is not None else "the recipe leaves the widths open"
            raise NotAppliedError.of([(str(remedy), reason)])
        wider = [max(1, round(factor * width)) for width in widths]
        changed = with_settings(recipe, [f"model.widths={wider}"])
        if changed == recipe:
            raise NotAppliedError.of([(str(remedy), "no layer becomes wider by it")])
        return changed
