"""Numbers at the ends of epochs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from babysit.diseases._observed import latest, observed
from babysit.record import TARGETS, Trace

WINDOW = 3  # epochs of which a median is taken: one epoch's weights may be lucky ones


class Score(NamedTuple):
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


def score_of_phases(trace: Trace) -> Score | None:
    """Accuracy, or else R2; None where there is none, or where chance is unknown."""
    share = latest(trace, "label-top-share", layer=TARGETS)
    for name, chance in (("accuracy", share), ("r2", 0.0)):
        train, validation = observed(trace, name).values, observed(trace, name, phase="validation").values
        if train and chance is not None:
            return Score(name, train, validation, chance)
    return None


def smooth(values: Sequence[float]) -> list[float]:
    """Running median of three; the ends as they are.

    Example:
        >>> smooth([3.0, 1.0, 2.0, 9.0, 2.0])
        [3.0, 2.0, 2.0, 2.0, 2.0]
    """
    inner = [statistics.median(values[place - 1 : place + 2]) for place in range(1, len(values) - 1)]
    return [*values[:1], *inner, *values[-1:]] if len(values) >= WINDOW else list(values)
