"""What batches cost around an epoch's end, beside what the same network costs in evaluation mode there."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from babysit.diseases._observed import observed
from babysit.record import Trace

BATCHES = 20  # before an epoch's end, of which the median is taken


class EpochEnd(NamedTuple):
    """Losses at one epoch's end."""

    step: int
    batches: float  # median loss of the last batches, in training mode
    train: float  # mean loss over training rows, in evaluation mode
    validation: float | None


def epoch_ends(trace: Trace) -> list[EpochEnd]:
    """Every epoch's end at which both were measured, in order.

    Losses of batches are those of the loss function where they are known: penalties are in no mean over rows.
    """
    criterion = observed(trace, "criterion")
    batches = criterion if len(criterion.steps) >= BATCHES else observed(trace, "loss")
    validation = dict(zip(*observed(trace, "data-loss", phase="validation"), strict=True))
    found = []
    before = 0
    losses = list(zip(*batches, strict=True))
    for step, train in zip(*observed(trace, "data-loss"), strict=True):
        values = [value for at, value in losses if before <= at <= step][-BATCHES:]
        if values:
            found.append(EpochEnd(step, statistics.median(values), train, validation.get(step)))
        before = step + 1
    return found
