"""`impute-inputs`: missing and infinite inputs replaced by the feature's mean."""

from __future__ import annotations

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._input_scaling import STATISTICS, learn_from
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState


class ImputeInputs(RemedyKind):
    """Missing and infinite inputs replaced by the feature's mean."""

    name = "impute-inputs"
    summary = "replace missing and infinite inputs by the feature's mean"
    advice = (
        "before the training loop: inputs = torch.where(inputs.isfinite(), inputs, mean), with the mean of each"
        f" feature's finite numbers, {STATISTICS}"
    )
    unmet = "every input that was seen is a finite number"
    not_recipe = "the preprocessing of a recipe replaces missing and infinite numbers already"
    not_source = "the script's text does not tell which tensor holds the training rows"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """With means over the first batches."""
        self.script(remedy, state.applied, application)
        learn_from(state)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """On their way into the network."""
        applied.inputs.impute(application)
