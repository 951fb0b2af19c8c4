"""`recalibrate-batch-norm`: batch normalisation's running statistics taken again from training rows.

Wu and Johnson 2021, Rethinking "Batch" in BatchNorm, arXiv:2105.07576, section 3 (PreciseBN).
"""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.nn import recalibrate_batch_norm
from babysit.record import InputError, Remedy, Row
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import Batch, RehearsalState, inputs_and_targets

EVERY = 20  # steps of a rehearsal between two recalibrations
BATCHES = 8  # that each is taken from


class RecalibrateBatchNorm(RemedyKind):
    """Batch normalisation's running statistics taken again from training rows."""

    name = "recalibrate-batch-norm"
    summary = "take batch normalisation's running statistics again from the training rows"
    advice = "before each evaluation: babysit.recalibrate_batch_norm(model, batches), with batches of training rows"
    place = "evaluation"
    unmet = "no evaluation in evaluation mode followed a step"
    not_source = "the script's text does not tell which batches are training rows"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Every few steps, from the batches before."""
        if not any(isinstance(one, _BatchNorm) and one.track_running_stats for one in state.network.modules()):
            application.fail("the network has no batch normalisation with running statistics")
        kept: list[Batch] = []
        after_step = state.after_step

        def recalibrate(step: int, batch: Batch) -> tuple[list[Row], bool]:
            kept.append(batch)
            del kept[:-BATCHES]
            if (step + 1) % EVERY == 0 or step == 0:
                _recalibrate(state.network, kept, application)
            return after_step(step, batch) if after_step is not None else ([], False)

        state.after_step = recalibrate

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Before each evaluation, from the training batches before it."""
        applied.network.recalibrate(application)


def _recalibrate(network: nn.Module, batches: list[Batch], application: Application) -> None:
    parts = [inputs_and_targets(batch) for batch in batches]
    given = [batch if one is None else one[0] for batch, one in zip(batches, parts, strict=True)]
    try:
        done = recalibrate_batch_norm(network, given)
    except InputError as error:
        application.fail(error.given)
    if done:
        application.took_hold()
