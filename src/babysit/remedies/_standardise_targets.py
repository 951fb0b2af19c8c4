"""`standardise-targets`: targets with mean 0 and standard deviation 1, undone in the answers."""

from __future__ import annotations

from collections.abc import Iterable

from babysit.record import Remedy, Trace, losses_that
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind


class StandardiseTargets(RemedyKind):
    """Targets with mean 0 and standard deviation 1, undone in the answers."""

    name = "standardise-targets"
    summary = "learn standardised targets; undo it in the answers"
    behind_probes = True
    settings = ("preprocessing.targets=standardise",)
    new_loss = True
    new_scale = True
    advice = (
        "before the training loop: targets = (targets - mean) / std, with mean and std of targets_train; answers are"
        " outputs * std + mean"
    )
    place = "loop"
    unmet = "no loss function of PyTorch was called"
    written_with = "loss"
    not_source = "the script's text does not tell which tensor holds the training targets"

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """Where numbers are learned."""
        return ((5, None),) if trace.facts.get("loss", "") in losses_that(distance=True) else ()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before the loss function; the network's outputs are brought back to scale."""
        applied.loss.scale_targets(application)
