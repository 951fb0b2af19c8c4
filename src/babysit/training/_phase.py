"""The loss and the score of a network on some rows, in evaluation mode; and the first loss, before any step.

The first loss is held against what a network that knows nothing should have, CS231n's first sanity check: ten classes
cost ln 10 = 2.30 at the start, an SVM loss C - 1. What is expected follows from the loss itself: it is the loss of
outputs that are all zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from babysit.record import Check
from babysit.training._batches import Examples, in_order

ROWS = 1000  # for the first loss; enough for a mean to within a few percent
# Outputs of unit variance add half of it to a cross-entropy (second order in the outputs): an ordinary start stays
# within that, a badly scaled one is far beyond.
TOLERANCE = 0.5


class PhaseNumbers(NamedTuple):
    """Mean loss over the rows (penalties left out), and accuracy for classes or R2 for numbers."""

    loss: float
    score_name: str
    score: float


@torch.no_grad()
def measure_phase(network: nn.Module, loss: nn.Module, examples: Examples, rows: Tensor) -> PhaseNumbers:
    """Forward all rows (int64 [n], at least one) and measure; the network's mode is as it was afterwards."""
    was_training = network.training
    network.eval()
    classes = not examples.targets.is_floating_point()
    total = torch.zeros((), dtype=torch.float64, device=examples.device)
    errors = torch.zeros_like(total)  # right answers, or squared errors
    try:
        for inputs, targets in _pieces(examples, rows):
            outputs = network(inputs)
            total += loss(outputs, targets).double() * len(targets)
            if classes:
                errors += (predicted_classes(outputs) == targets).sum()
            else:
                errors += (examples.link(outputs[:, 0]) - targets).double().square().sum()
    finally:
        network.train(was_training)
    mean = float(total) / len(rows)
    if classes:
        return PhaseNumbers(mean, "accuracy", float(errors) / len(rows))
    wanted = examples.targets[rows.to(examples.targets.device)].double()
    spread = float((wanted - wanted.mean()).square().sum())
    return PhaseNumbers(mean, "r2", 1 - float(errors) / spread if spread else float("nan"))


def _pieces(examples: Examples, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Preprocessed inputs and targets; those of the validation rows are kept."""
    kept = examples.held_out if rows is examples.validation else None
    if kept is None:
        yield from (examples.cut(part) for part in in_order(rows))
        return
    targets = examples.targets[rows.to(examples.targets.device)]
    yield from zip(in_order(kept), in_order(targets), strict=True)


def predicted_classes(outputs: Tensor) -> Tensor:
    """Class numbers int64 [N] from outputs [N, C], or [N, 1] for one logit of the second class."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).long()
    return outputs.argmax(dim=1)


@torch.no_grad()
def check_first_loss(network: nn.Module, loss: nn.Module, examples: Examples) -> Check:
    """Measure the loss of the untrained network on training rows; mode and statistics are as before afterwards."""
    was_training = network.training
    network.eval()
    try:
        inputs, targets = examples.cut(examples.train[:ROWS])
        outputs = network(inputs)
    finally:
        network.train(was_training)
    measured = float(loss(outputs, targets))
    expected = float(loss(torch.zeros_like(outputs), targets))
    sound = abs(measured - expected) <= TOLERANCE
    return Check(
        name="first loss",
        verdict="pass" if sound else "warn",
        measured=measured,
        expected=expected,
        why="an untrained network should do as well as one that says nothing"
        if sound
        else "the outputs are far from zero before anything is learned: inputs or first weights are badly scaled",
    )
