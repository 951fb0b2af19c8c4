"""The first loss, before any step, against what a network that knows nothing should have.

CS231n's first sanity check: ten classes cost ln 10 = 2.30 at the start, an SVM loss C - 1. What is expected follows
from the loss itself: it is the loss of outputs that are all zero.
"""

from __future__ import annotations

import torch
from torch import nn

from babysit.record import Check
from babysit.training._batches import Examples

ROWS = 1000  # enough for a mean to within a few percent
# Outputs of unit variance add half of it to a cross-entropy (second order in the outputs): an ordinary start stays
# within that, a badly scaled one is far beyond.
TOLERANCE = 0.5


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
