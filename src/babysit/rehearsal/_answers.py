"""What entered the loss: outputs and targets of one batch, and how many of the answers are right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from babysit.probes import listen, stop_listening
from babysit.record import TARGETS, Row, losses_that
from babysit.remedies import Batch, LossOf

HALF = 0.5


@dataclass
class Answers:
    """Outputs and targets as they entered the first known loss function of a batch.

    Attributes:
        name: The loss function's, as facts call it.
        outputs: [N, ...].
        targets: [N, ...].
        loss: Of the batch, whatever was made of the function's value after.
    """

    name: str
    outputs: Tensor
    targets: Tensor
    loss: Tensor


class Ear:
    """Hears loss functions. It keeps the first call after `begin`.

    To put ears up and take them off costs some milliseconds: who asks often keeps one up.
    """

    def __init__(self) -> None:
        self.heard: tuple[str, Tensor, Tensor] | None = None
        self._open = False

    def begin(self) -> None:
        """Forget what was heard, and keep the next call."""
        self.heard, self._open = None, True

    def end(self) -> None:
        """Keep no more."""
        self._open = False

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        if self._open and self.heard is None:
            self.heard = (name, outputs, targets)

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """No gradient flows back from it: no loss to train on."""

    def backward_begins(self, loss: Tensor, scale: float | Tensor) -> None:
        """Nobody calls it here."""


def answers_of(
    network: nn.Module, loss_of: LossOf, batch: Batch, ear: Ear | None = None
) -> tuple[Answers | None, Tensor]:
    """One batch through network and loss.

    Args:
        network: As it is, mode included.
        loss_of: The loss of a batch.
        batch: The batch.
        ear: One that listens already; None listens for this batch alone.

    Returns:
        What entered a loss function that is known, None where none was called; and the loss.
    """
    own = Ear() if ear is None else ear
    if ear is None:
        listen(own)
    own.begin()
    try:
        loss = loss_of(network, batch)
    finally:
        own.end()
        if ear is None:
            stop_listening(own)
    if own.heard is None:
        return None, loss
    name, outputs, targets = own.heard
    return Answers(name, outputs.detach(), targets.detach(), loss.detach()), loss


@torch.no_grad()
def score(answers: Answers) -> tuple[str, float] | None:
    """The share of right classes ("accuracy") or the share of variance that is told ("r2").

    Returns:
        None where it is neither, or where all targets are one number.
    """
    outputs, targets = answers.outputs, answers.targets
    if not targets.is_floating_point():
        if outputs.ndim < 2:
            return None
        counted = targets >= 0  # class numbers below zero are left out of the loss
        right = (outputs.argmax(1) == targets) & counted
        return "accuracy", float(right.sum() / counted.sum().clamp_min(1))
    if outputs.shape != targets.shape:
        return None
    if answers.name in ("bce", "bce-with-logits"):
        border = HALF if answers.name == "bce" else 0.0
        return "accuracy", float(((outputs > border) == (targets > HALF)).float().mean())
    if answers.name in ("cross-entropy", "kl") and outputs.ndim > 1:
        return "accuracy", float((outputs.argmax(1) == targets.argmax(1)).float().mean())
    wanted = targets.double()
    spread = (wanted - wanted.mean(0)).square().sum()
    if answers.name not in losses_that(distance=True) or not float(spread) > 0:
        return None
    return "r2", float(1 - (outputs.double() - wanted).square().sum() / spread)


@torch.no_grad()
def target_rows(answers: Answers) -> list[Row]:
    """What tells the loss of a constant answer to these targets: their classes' entropy, or their spread."""
    targets = answers.targets
    if targets.is_floating_point() and answers.name not in ("bce", "bce-with-logits"):
        return [Row(0, "train", TARGETS, "value-std", float(targets.double().std(correction=0)))]
    _, counts = targets[targets >= 0].unique(return_counts=True)
    shares = counts.double() / counts.sum().clamp_min(1)
    entropy = float(-(shares * shares.log()).sum()) if len(counts) else math.nan
    return [Row(0, "train", TARGETS, "label-entropy", max(0.0, entropy))]
