"""Numbers at the ends of epochs: losses and scores by phase, and what batches cost just before."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from babysit.diseases._reading import latest, observed
from babysit.record import TARGETS, Trace

WINDOW = 3  # epochs of which a median is taken: the weights of one epoch may be good by chance


class ScoreByEpoch(NamedTuple):
    """Accuracy or R2 by epoch; the larger the better."""

    name: str
    train: tuple[float, ...]
    validation: tuple[float, ...]
    chance: float  # of an answer that ignores the inputs


def losses_of_phases(trace: Trace) -> tuple[list[float], list[float]]:
    """Loss over the training rows and over the validation rows, at epochs where both are numbers."""
    train = dict(zip(*observed(trace, "data-loss"), strict=True))
    validation = dict(zip(*observed(trace, "data-loss", phase="validation"), strict=True))
    both = sorted(train.keys() & validation.keys())
    return [train[step] for step in both], [validation[step] for step in both]


def score_of_phases(trace: Trace) -> ScoreByEpoch | None:
    """Accuracy, or else R2; None where there is none, or where chance is unknown."""
    share = latest(trace, "label-top-share", layer=TARGETS)
    for name, chance in (("accuracy", share), ("r2", 0.0)):
        train, validation = observed(trace, name).values, observed(trace, name, phase="validation").values
        if train and chance is not None:
            return ScoreByEpoch(name, train, validation, chance)
    return None


def smooth(values: Sequence[float]) -> list[float]:
    """Running median of three; the ends as they are.

    Example:
        >>> smooth([3.0, 1.0, 2.0, 9.0, 2.0])
        [3.0, 2.0, 2.0, 2.0, 2.0]
    """
    inner = [statistics.median(values[place - 1 : place + 2]) for place in range(1, len(values) - 1)]
    return [*values[:1], *inner, *values[-1:]] if len(values) >= WINDOW else list(values)


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
