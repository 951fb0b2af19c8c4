"""`loss`: another loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from babysit.record import LOSS_FACTS, LossSection, NotAppliedError, Recipe, Remedy, losses_that
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._values import OneOf

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

# Losses of shares, which no recipe gives; it has the loss of the scores that they are made from.
OF_SCORES = {"nll": "cross-entropy", "bce": "bce-with-logits"}

RECIPES = tuple(name for name in get_args(LossSection.model_fields["name"].annotation) if name in LOSS_FACTS)


class OtherLoss(RemedyKind):
    """Another loss."""

    name = "loss"
    summary = "use another loss: loss=cross-entropy"
    behind_probes = True
    values = OneOf(sorted(losses_that(plain=True)), of="loss")
    settings = ("loss.name={value}",)
    new_loss = True
    new_scale = True
    advice = "{value} as the loss, with outputs and targets as it takes them"
    place = "loss"
    unmet = "no loss function of PyTorch was called"
    written_with = "loss"
    held_in = frozenset({"training"})

    def told(self, value: str) -> str:
        """The module of PyTorch."""
        return f"nn.{LOSS_FACTS[value].module}()" if value in LOSS_FACTS else value

    def recipe(self, remedy: Remedy, recipe: Recipe) -> Recipe | None:
        """Another name, of those that recipes have."""
        self.values.check(remedy)
        value = self.values.of(remedy)
        if value in OF_SCORES:
            reason = f"the networks of a recipe give scores, for which the loss is {OF_SCORES[value]}"
            raise NotAppliedError.of([(str(remedy), reason)])
        if value not in RECIPES:
            raise NotAppliedError.of([(str(remedy), f"a recipe has no such loss, but {', '.join(RECIPES)}")])
        return super().recipe(remedy, recipe)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Call another loss function in the place of the script's."""
        self.values.check(remedy)
        applied.loss.use(self.values.of(remedy), application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another name where the loss is made or called."""
        from babysit.remedies.source import write_loss

        return write_loss(edits, self.values.of(remedy))
