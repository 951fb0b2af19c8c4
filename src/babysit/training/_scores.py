"""Scores from arrays: scikit-learn's arithmetic, a 95 % interval for each, and the constant answer beside them.

Names are fixed: accuracy, balanced accuracy, F1 (macro), AUC, log loss, Brier, calibration error; R2, MAE, RMSE,
median error.

Accuracy is a share of rows and has Wilson's interval: 36 right of 36 give 0.904 to 1, where a bootstrap gives 1 to 1.
Balanced accuracy is a mean of shares, one for each class, and has the interval that follows from theirs. All other
scores have the interval of a bootstrap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babysit.record import CalibrationBin, ClassScores, Evaluation, Score
from babysit.training import _bootstrap
from babysit.training._bootstrap import Floats, Weighted

BINS = 15  # of equal width, as Guo et al. 2017 take
SMALLEST = 1e-7  # probabilities are kept this far from 0 and 1 in the log loss, float32's own distance from 1
SHOWN_RESIDUALS = 2000
BETTER_LOW = {"log loss", "Brier", "calibration error", "MAE", "RMSE", "median error"}
Ints = npt.NDArray[np.int64]


def score_classes(
    true: Ints, probabilities: Floats, classes: tuple[str, ...], *, phase: str, seed: int = 0
) -> Evaluation:
    """Scores of class probabilities.

    Args:
        true: Class numbers [N].
        probabilities: [N, C], rows that sum to one.
        classes: Names of the C classes.
        phase: Which rows these are.
        seed: Of the bootstrap.

    Example:
        >>> sure = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> score_classes(np.array([0, 1]), sure, ("no", "yes"), phase="test").score("accuracy").value
        1.0
    """
    from sklearn import metrics

    rows = len(true)
    finite = np.isfinite(probabilities).all(axis=1)
    notes = _not_finite(rows, int(finite.sum()))
    true, probabilities = true[finite], probabilities[finite].astype(np.float64)
    if not len(true):
        return Evaluation(phase=phase, rows=rows, scores=(), classes=classes, notes=notes)
    predicted = probabilities.argmax(axis=1)
    weighted = _class_scores(true, predicted, probabilities, len(classes))
    values = _class_values(true, predicted, probabilities)
    absent = [name for number, name in enumerate(classes) if number not in set(true.tolist())]
    if absent:
        which = ", ".join(absent[:5])
        notes = (*notes, f"no row is of class {which}{', ...' if len(absent) > 5 else ''}: AUC is over the others")
    most = int(np.bincount(true).argmax())
    share = float((true == most).mean())
    notes = (*notes, f"the constant answer '{classes[most]}' has an accuracy of {share:.4f}")
    ends = _bootstrap.intervals(weighted, len(true), seed=seed) if len(true) > 1 else {}
    if len(true) > 1:
        ends |= _share_intervals(true, predicted)
    return Evaluation(
        phase=phase,
        rows=rows,
        scores=_with_intervals(values, ends),
        classes=classes,
        confusion=tuple(map(tuple, metrics.confusion_matrix(true, predicted, labels=range(len(classes))).tolist())),
        by_class=_by_class(true, predicted, classes),
        calibration=calibration_bins(true, predicted, probabilities),
        notes=notes,
    )


def _class_values(true: Ints, predicted: Ints, probabilities: Floats) -> dict[str, float]:
    """Each score on the rows as they are; what is undefined is left out."""
    from sklearn import metrics

    labels = np.unique(true)
    right = predicted == true
    values = {
        "accuracy": float(metrics.accuracy_score(true, predicted)),
        "balanced accuracy": float(metrics.recall_score(true, predicted, labels=labels, average="macro")),
        "F1": float(metrics.f1_score(true, predicted, labels=labels, average="macro", zero_division=0.0)),
    }
    if len(labels) > 1:
        areas = [
            metrics.roc_auc_score(true == label, probabilities[:, label]) for label in _judged(labels, probabilities)
        ]
        values["AUC"] = float(np.mean(areas))
    values["log loss"] = float(_log_losses(true, probabilities).mean())
    values["Brier"] = float(_brier(true, probabilities).mean())
    confidence = probabilities.max(axis=1)
    values["calibration error"] = float(_calibration_error(confidence, right)(np.ones((1, len(true))))[0])
    return values


def _class_scores(true: Ints, predicted: Ints, probabilities: Floats, classes: int) -> dict[str, Weighted]:
    """The scores that are not shares, as functions of row weights, for the bootstrap."""
    labels = np.unique(true)
    right = predicted == true
    cells = true * classes + predicted
    scores: dict[str, Weighted] = {
        "F1": _bootstrap.from_cells(cells, classes**2, lambda sums: _f1(sums, classes)),
        "log loss": _bootstrap.mean_of(_log_losses(true, probabilities)),
        "Brier": _bootstrap.mean_of(_brier(true, probabilities)),
        "calibration error": _calibration_error(probabilities.max(axis=1), right),
    }
    if len(labels) > 1:
        areas = [
            _bootstrap.area_under(true == label, probabilities[:, label]) for label in _judged(labels, probabilities)
        ]
        scores["AUC"] = lambda weights: _bootstrap.mean_of_defined(np.stack([area(weights) for area in areas], axis=1))
    return scores


def _judged(labels: Ints, probabilities: Floats) -> list[int]:
    """Classes whose AUC is averaged: the second of two, each against the rest of more."""
    return [1] if probabilities.shape[1] == 2 else labels.tolist()


def wilson(right: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share of rows (Wilson 1927).

    Example:
        >>> low, high = wilson(36, 36)
        >>> round(low, 3), high
        (0.904, 1.0)
    """
    from scipy.stats import binomtest  # here, as importing it takes a second that no training needs

    found = binomtest(right, rows).proportion_ci(_bootstrap.LEVEL, method="wilson")
    return float(found.low), float(found.high)


def _share_intervals(true: Ints, predicted: Ints) -> dict[str, tuple[float, float]]:
    """Of accuracy, Wilson's; of balanced accuracy, the mean of the classes' shares, what follows from theirs.

    Distances from a mean of independent shares to its limits are the root of the shares' squared distances to theirs,
    over their number (Zou and Donner 2008, "the method of variance estimates recovery").
    """
    right = predicted == true
    distances = []
    for label in np.unique(true):
        inside = right[true == label]
        low, high = wilson(int(inside.sum()), len(inside))
        share = float(inside.mean())
        distances.append((share, share - low, high - share))
    shares, below, above = np.array(distances).T
    mean, count = float(shares.mean()), len(shares)
    balanced = (mean - float(np.sqrt((below**2).sum())) / count, mean + float(np.sqrt((above**2).sum())) / count)
    return {"accuracy": wilson(int(right.sum()), len(true)), "balanced accuracy": balanced}


def _f1(sums: Floats, classes: int) -> Floats:
    matrix = sums.reshape(-1, classes, classes)
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    rows = matrix.sum(axis=2)
    ends = rows + matrix.sum(axis=1)
    f1 = np.divide(2 * hits, ends, out=np.zeros_like(hits), where=ends > 0)
    return _bootstrap.mean_of_defined(np.where(rows > 0, f1, np.nan))


def _log_losses(true: Ints, probabilities: Floats) -> Floats:
    return -np.log(np.clip(probabilities[np.arange(len(true)), true], SMALLEST, 1.0))


def _brier(true: Ints, probabilities: Floats) -> Floats:
    """Squared distance of the probabilities from the truth, over all classes (Brier 1950)."""
    distance = probabilities.copy()
    distance[np.arange(len(true)), true] -= 1
    return np.asarray((distance**2).sum(axis=1))


def _bin_of(confidence: Floats) -> Ints:
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def _calibration_error(confidence: Floats, right: npt.NDArray[np.bool_]) -> Weighted:
    """Expected calibration error (Guo et al. 2017, equation 3): sum over bins of |right - confidence| rows, over N."""
    gap = right.astype(np.float64) - confidence
    order = np.argsort(_bin_of(confidence), kind="stable")
    _, starts = np.unique(_bin_of(confidence)[order], return_index=True)

    def score(weights: Floats) -> Floats:
        gaps = np.add.reduceat(weights[:, order] * gap[order], starts, axis=1)
        return np.asarray(np.abs(gaps).sum(axis=1) / weights.sum(axis=1))

    return score


def calibration_bins(true: Ints, predicted: Ints, probabilities: Floats) -> tuple[CalibrationBin, ...]:
    """Confidence and accuracy in each of the bins of equal width."""
    confidence = probabilities.max(axis=1)
    bins = _bin_of(confidence)
    found = []
    for number in range(BINS):
        inside = bins == number
        rows = int(inside.sum())
        found.append(
            CalibrationBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                rows=rows,
                confidence=float(confidence[inside].mean()) if rows else 0.0,
                accuracy=float((predicted == true)[inside].mean()) if rows else 0.0,
            )
        )
    return tuple(found)


def _by_class(true: Ints, predicted: Ints, classes: tuple[str, ...]) -> tuple[ClassScores, ...]:
    from sklearn import metrics

    parts = metrics.precision_recall_fscore_support(true, predicted, labels=range(len(classes)), zero_division=0.0)
    return tuple(
        ClassScores(name=name, rows=int(rows), precision=float(precision), recall=float(recall), f1=float(f1))
        for name, precision, recall, f1, rows in zip(classes, *parts, strict=True)
    )


def score_numbers(true: Floats, predicted: Floats, *, phase: str, unit: str = "", seed: int = 0) -> Evaluation:
    """Scores of predicted numbers.

    Args:
        true: Values [N].
        predicted: Values [N].
        phase: Which rows these are.
        unit: Of the target, when it is known.
        seed: Of the bootstrap.

    Example:
        >>> round(score_numbers(np.array([1.0, 2, 3]), np.array([1.0, 2, 4]), phase="test").score("R2").value, 6)
        0.5
    """
    from sklearn import metrics

    rows = len(true)
    finite = np.isfinite(predicted)
    notes = _not_finite(rows, int(finite.sum()))
    true, predicted = true[finite].astype(np.float64), predicted[finite].astype(np.float64)
    if not len(true):
        return Evaluation(phase=phase, rows=rows, scores=(), notes=notes)
    errors = np.abs(predicted - true)
    values = {
        "MAE": float(metrics.mean_absolute_error(true, predicted)),
        "RMSE": float(metrics.root_mean_squared_error(true, predicted)),
        "median error": float(metrics.median_absolute_error(true, predicted)),
    }
    weighted = {
        "R2": _bootstrap.explained(true, predicted),
        "MAE": _bootstrap.mean_of(errors),
        "RMSE": _bootstrap.root_mean_of(errors**2),
        "median error": _bootstrap.median_of(errors),
    }
    if np.ptp(true) > 0:
        values = {"R2": float(metrics.r2_score(true, predicted)), **values}
    else:
        notes = (*notes, "R2 is undefined: every row has the same true value")
    constant = float(np.abs(true - np.median(true)).mean())
    notes = (*notes, f"the best constant answer, the median {np.median(true):,.4f}, has an MAE of {constant:,.4f}")
    ends = _bootstrap.intervals(weighted, len(true), seed=seed) if len(true) > 1 else {}
    shown = np.random.default_rng(seed).permutation(len(true))[:SHOWN_RESIDUALS]
    return Evaluation(
        phase=phase,
        rows=rows,
        scores=_with_intervals(values, ends, unit),
        residuals=tuple(zip(true[shown].tolist(), predicted[shown].tolist(), strict=True)),
        notes=notes,
    )


def _not_finite(rows: int, finite: int) -> tuple[str, ...]:
    if finite == rows:
        return ()
    return (f"{rows - finite:,} of {rows:,} answers are NaN or infinite; scores are over the other {finite:,}",)


def _with_intervals(
    values: dict[str, float], ends: dict[str, tuple[float, float]], unit: str = ""
) -> tuple[Score, ...]:
    scores = []
    for name, value in values.items():
        low, high = ends.get(name, (None, None))
        better = "lower" if name in BETTER_LOW else "higher"
        own_unit = unit if name in {"MAE", "RMSE", "median error"} else ""
        scores.append(
            Score.model_validate(
                {"name": name, "value": value, "low": low, "high": high, "better": better, "unit": own_unit}
            )
        )
    return tuple(scores)
