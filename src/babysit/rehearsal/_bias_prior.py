"""Output biases that start at what the targets are on average: a constant answer's loss before the first step.

Lin et al. 2017 (focal loss, arXiv:1708.02002, section 3.3) start the bias of a rare class at the logit of its share.
"""

from __future__ import annotations

from itertools import chain, islice

import torch
from torch import Tensor, nn

from babysit.probes import listen, stop_listening
from babysit.record import InputError, losses_that
from babysit.rehearsal._answers import Answers, Ear, answers_of
from babysit.rehearsal._live_parts import Batch
from babysit.rehearsal._state import RehearsalState

BATCHES = 32  # that the targets are counted over
LEAST_SHARE = 1e-4  # of a class that was not seen among them


def set_bias_prior(state: RehearsalState) -> None:
    """Set the last linear layer's biases from the first batches' targets.

    Raises:
        InputError: No such layer, or a loss that says nothing of a constant answer.
    """
    kept = list(islice(state.batches, BATCHES))
    rest = state.batches

    state.batches = chain(kept, rest)
    heard = _heard(state, kept)
    linear = [module for module in state.network.modules() if isinstance(module, nn.Linear) and module.bias is not None]
    if not heard or not linear:
        raise InputError("bias-prior needs a known loss and a last linear layer with biases")
    prior = _prior(heard[0].name, torch.cat([one.targets.flatten(1) if one.targets.ndim > 1 else one.targets
                                             for one in heard]), heard[0].outputs)  # fmt: skip
    bias = linear[-1].bias
    if prior is None or prior.shape != bias.shape:
        raise InputError(f"bias-prior has no value for the {len(bias)} outputs of the last layer")
    with torch.no_grad():
        bias.copy_(prior)


def _heard(state: RehearsalState, batches: list[Batch]) -> list[Answers]:
    """What a known loss compares, batch by batch."""
    ear = Ear()
    listen(ear)
    try:
        found = [answers_of(state.network, state.loss_of, batch, ear)[0] for batch in batches]
    finally:
        stop_listening(ear)
    return [answers for answers in found if answers is not None]


def _prior(name: str, targets: Tensor, outputs: Tensor) -> Tensor | None:
    """The constant answer that costs least."""
    if name == "cross-entropy" and not targets.is_floating_point() and outputs.ndim > 1:
        counts = torch.bincount(targets[targets >= 0].flatten(), minlength=outputs.shape[1]).float()
        return (counts / counts.sum()).clamp_min(LEAST_SHARE).log()
    values = targets.float().reshape(len(targets), -1)
    if name == "bce-with-logits":
        return torch.logit(values.mean(0).clamp(LEAST_SHARE, 1 - LEAST_SHARE))
    return values.mean(0) if name in losses_that(distance=True) else None
