"""Figures as numbers: what is drawn, before anything is drawn. Tests assert these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from babysit.record import Evaluation, RunSummary, Trace

MOST_POINTS = 2000  # points a curve is drawn with; a screen has no more columns than that


class Curve(NamedTuple):
    """A line: steps and values of equal length."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


class Curves(NamedTuple):
    """Lines over steps, and the steps at which a value was NaN or infinite."""

    curves: tuple[Curve, ...]
    not_finite: tuple[float, ...] = ()
    best_step: float | None = None
    over: str = "step"  # what is counted along the axis: of a log perhaps epochs or records


SCORES = {"accuracy": "accuracy", "balanced-accuracy": "balanced accuracy", "r2": "R²"}  # as figures name them


class Bars(NamedTuple):
    """Counts by name."""

    names: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]  # by series


class Confusion(NamedTuple):
    """Rows by true class (first axis) and predicted class (second)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]  # of the true class


class Reliability(NamedTuple):
    """Accuracy against confidence, bin by bin."""

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    rows: tuple[int, ...]


class Residuals(NamedTuple):
    """True against predicted values, and their difference."""

    true: tuple[float, ...]
    predicted: tuple[float, ...]
    error: tuple[float, ...]


def thin(steps: Sequence[float], values: Sequence[float], most: int = MOST_POINTS) -> tuple[list[float], list[float]]:
    """At most about `most` points that keep every extreme: the lowest and the highest of each stretch of steps.

    Example:
        >>> thin(range(6), [0, 9, 1, 2, -5, 3], most=4)
        ([0, 1, 4, 5], [0, 9, -5, 3])
    """
    if len(steps) <= most:
        return list(steps), list(values)
    stretches = max(1, most // 2)
    kept: list[int] = []
    for number in range(stretches):
        part = range(number * len(steps) // stretches, (number + 1) * len(steps) // stretches)
        if part:
            kept += sorted({min(part, key=values.__getitem__), max(part, key=values.__getitem__)})
    return [steps[index] for index in kept], [values[index] for index in kept]


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """An exponential average, its start corrected as in Adam (Kingma and Ba 2015, section 3).

    Example:
        >>> smooth([1.0, 1.0, 1.0], 0.9)
        [1.0, 1.0, 1.0]
    """
    average, result = 0.0, []
    for count, value in enumerate(values, start=1):
        average = weight * average + (1 - weight) * value
        result.append(round(average / (1 - weight**count), 12))
    return result


def loss_curves(trace: Trace) -> Curves:
    """The loss of each batch as it was, smoothed beside it, and that of the validation rows after each epoch.

    Of a log that tells a number an epoch, that is the training's line: there is nothing to smooth.
    """
    steps, values = trace.series("loss")
    finite = [(step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    bad = tuple(float(step) for step, value in zip(steps, values, strict=True) if not math.isfinite(value))
    curves = []
    if finite:
        each, losses = zip(*finite, strict=True)
        if _over(trace) == "epoch":
            curves.append(Curve("train", *map(tuple, thin(each, losses))))
        else:
            curves.append(Curve("each batch", *map(tuple, thin(each, losses))))
            weight = 1 - 1 / max(2, len(losses) // 50)
            curves.append(Curve("train, smoothed", *map(tuple, thin(each, smooth(losses, weight)))))
    validation = _epochs(trace, "data-loss", "validation")
    if validation.steps:
        curves.append(Curve("validation", *map(tuple, thin(validation.steps, validation.values))))
    return Curves(tuple(curves), bad, _best(validation), _over(trace))


def score_curves(trace: Trace) -> tuple[str, Curves]:
    """The score's name, and its curves on training and validation rows after each epoch.

    Of several scores that which most phases have; a log may tell that of the validation rows alone.
    """
    known = {name: [_epochs(trace, name, phase) for phase in ("train", "validation")] for name in SCORES}
    name = max(SCORES, key=lambda one: sum(bool(curve.steps) for curve in known[one]))
    curves = [Curve(curve.name, *map(tuple, thin(curve.steps, curve.values))) for curve in known[name] if curve.steps]
    return SCORES[name], Curves(
        tuple(curves), best_step=_best(_epochs(trace, "data-loss", "validation")), over=_over(trace)
    )


def single_curve(trace: Trace, quantity: str) -> Curves:
    """A quantity of the training, such as the rate, over steps; empty when it was not measured."""
    found = _epochs(trace, quantity, "train")
    curves = (Curve(quantity, *map(tuple, thin(found.steps, found.values))),) if found.steps else ()
    return Curves(curves, over=_over(trace))


def _over(trace: Trace) -> str:
    return trace.facts.get("log", "step")


def _epochs(trace: Trace, quantity: str, phase: str) -> Curve:
    steps, values = trace.series(quantity, phase=phase)
    finite = [(float(step), value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    return Curve(phase, tuple(step for step, _ in finite), tuple(value for _, value in finite))


def _best(validation: Curve) -> float | None:
    if not validation.steps:
        return None
    return min(zip(validation.values, validation.steps, strict=True))[1]


def class_bars(summary: RunSummary) -> Bars | None:
    """Rows of each class by phase; None for numbers, and where they were not counted."""
    data = summary.data
    counts = {phase: rows for phase, rows in data.class_counts.items() if any(rows)}
    return Bars(data.classes, counts) if data.classes and counts else None


def confusion(evaluation: Evaluation) -> Confusion | None:
    """Counts and shares of the true class; None without a confusion matrix."""
    if not evaluation.confusion:
        return None
    shares = tuple(tuple(count / max(1, sum(row)) for count in row) for row in evaluation.confusion)
    return Confusion(evaluation.classes, evaluation.confusion, shares)


def reliability(evaluation: Evaluation) -> Reliability | None:
    """Accuracy against confidence in the bins that hold rows; None without."""
    bins = [found for found in evaluation.calibration if found.rows]
    if not bins:
        return None
    return Reliability(
        tuple(found.confidence for found in bins),
        tuple(found.accuracy for found in bins),
        tuple(found.rows for found in bins),
    )


def residuals(evaluation: Evaluation) -> Residuals | None:
    """True, predicted and their difference; None for classes."""
    pairs = [pair for pair in evaluation.residuals if all(map(math.isfinite, pair))]
    if not pairs:
        return None
    true, predicted = zip(*pairs, strict=True)
    return Residuals(true, predicted, tuple(guess - fact for fact, guess in pairs))
