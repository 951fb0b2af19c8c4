"""`class-weights`: each class weighed by the inverse of its share."""

from __future__ import annotations

from collections.abc import Iterable

from babysit.record import Remedy, Trace, losses_that
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind


class ClassWeights(RemedyKind):
    """Each class weighed by the inverse of its share."""

    name = "class-weights"
    summary = "weigh each class by the inverse of its share"
    behind_probes = True
    settings = ("loss.class_weights=balanced",)
    new_loss = True
    new_scale = True
    searched = True
    advice = "where the loss is made: weight=rows / (classes * counts), with counts = torch.bincount(targets_train)"
    place = "loss"
    unmet = "no loss function of PyTorch was called"
    written_with = "loss"
    not_source = "the script's text does not tell where the training rows' classes are"

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """Where classes are learned."""
        classes = losses_that(compares="classes") | losses_that(compares="shares", plain=True)
        return ((12, None),) if trace.facts.get("loss", "") in classes else ()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Give the loss function a weight for each class, counted from the first rows."""
        applied.loss.weigh_classes(application)
