"""A loss that is not made for these outputs and targets."""

from __future__ import annotations

from babysit.diseases._at_the_loss import (
    READS_AT_THE_LOSS,
    of_outputs,
    output_range,
    output_width,
    target_range,
    target_value,
    whole_numbers,
)
from babysit.diseases._disease import Disease
from babysit.diseases._learned import SQUARED_OR_ABSOLUTE
from babysit.diseases._reading import always, latest, shape_of, written
from babysit.record import Finding, Severity, Trace

ROUNDING = 1e-3
FAR_OUTSIDE = 0.5  # targets of 1.2 are soft labels taken too far; of 2, -1 or 255 they are not probabilities
LOG_PROBABILITY_LIMIT = 0.5  # logarithms of probabilities are at most 0; this leaves room for smoothing
NEARLY_ALL = 0.99
FEW_CLASSES = 20  # whole numbers from 0 up to here may be classes; years and counts go further
COMPARED = 0.8  # accuracy of rounded answers below which they are not good classes; ratings are read so, too
MANY_ROWS = 100  # by then a mean of 1 / width is not chance


def find(trace: Trace) -> list[Finding]:
    """One rule for each loss that takes special targets or outputs."""
    loss = trace.facts.get("loss", "")
    if loss in SQUARED_OR_ABSOLUTE:
        return _classes_as_numbers(trace, loss)
    if loss in ("bce", "bce-with-logits"):
        return _no_probabilities(trace, loss)
    if loss == "cross-entropy":
        return _one_output(trace) or _numbers_as_shares(trace)
    return _no_log_probabilities(trace) if loss == "nll" else []


def _classes_as_numbers(trace: Trace, loss: str) -> list[Finding]:
    """Counts and ages are whole numbers as well: with one output they are left alone."""
    width, limits = output_width(trace), target_range(trace)
    if limits is None or not whole_numbers(trace):
        return []
    output, target = shape_of(trace, "output-shape"), shape_of(trace, "target-shape")
    evidence: dict[str, float | str] = {
        "loss": loss,
        "outputs a row": width,
        "smallest target": limits[0],
        "largest target": limits[1],
    }
    if width < 2 or output is None or target is None:
        if width == 1 and limits == (0.0, 1.0):
            evidence["threshold"] = "targets are 0 and 1, nothing between"
            return [DISEASE.finding("targets", evidence=evidence, severity="note", remedies=("loss=bce-with-logits",))]
        return _compared(trace, width, limits, evidence)
    if target in ((output[0],), (output[0], 1)):
        labels = limits[0] >= 0 and limits[1] <= width - 1
        evidence |= {"outputs": written(output), "targets": written(target)}
        evidence["threshold"] = "one label a row, below the number of outputs"
        return [DISEASE.finding("targets", evidence=evidence)] if labels else []
    if output != target or limits != (0.0, 1.0) or not _one_hot(trace, width):
        return []
    evidence["threshold"] = "every row of the targets has a single 1"
    # Squared error of probabilities is Brier's score, a sound loss though a slow one.
    softmax = always(of_outputs(trace, "row-sum-one-share").values, lambda share: share >= NEARLY_ALL)
    remedies = ("remove-softmax", "loss=cross-entropy") if softmax else DISEASE.remedies
    return [DISEASE.finding("targets", evidence=evidence, severity="note" if softmax else "warning", remedies=remedies)]


def _compared(trace: Trace, width: int, limits: tuple[float, float], evidence: dict[str, float | str]) -> list[Finding]:
    """Whole numbers that an evaluation asks to be hit exactly are classes, whatever else they could be."""
    accuracy = latest(trace, "accuracy", phase="validation")
    classes = limits[0] == 0 and 2 <= limits[1] < FEW_CLASSES
    if width != 1 or accuracy is None or accuracy >= COMPARED or not classes:
        return []
    evidence |= {"evaluated by equal answers": accuracy, "threshold": f"whole numbers from 0 to below {FEW_CLASSES}"}
    return [DISEASE.finding("targets", evidence=evidence, severity="warning")]


def _one_hot(trace: Trace, width: int) -> bool:
    rows, mean = target_value(trace, "rows-seen") or 0, target_value(trace, "value-mean")
    return mean is not None and rows >= MANY_ROWS and abs(mean * width - 1) <= ROUNDING


def _no_probabilities(trace: Trace, loss: str) -> list[Finding]:
    seen = output_range(trace)
    if loss == "bce" and seen is not None and (seen[0] < -ROUNDING or seen[1] > 1 + ROUNDING):
        evidence: dict[str, float | str] = {
            "loss": loss,
            "smallest output": seen[0],
            "largest output": seen[1],
            "threshold": "0 to 1",
        }
        return [DISEASE.finding("outputs", evidence=evidence, remedies=("loss=bce-with-logits",))]
    limits = target_range(trace)
    if limits is None:
        return []
    outside = max(-limits[0], limits[1] - 1)
    if outside <= ROUNDING:
        return []
    evidence = {
        "loss": loss,
        "smallest target": limits[0],
        "largest target": limits[1],
        "threshold": "0 to 1",
        "threshold for sick": f"{FAR_OUTSIDE} outside",
    }
    # Whole numbers are labels of another coding (-1 and 1, 1 and 2, 0 and 255), which no other loss puts right.
    remedies = () if whole_numbers(trace) else ("loss=mse",)
    severity: Severity = "sick" if outside > FAR_OUTSIDE else "warning"
    return [DISEASE.finding("targets", evidence=evidence, severity=severity, remedies=remedies)]


def _one_output(trace: Trace) -> list[Finding]:
    """A softmax over one class, or over the rows of a batch whose outputs lost a dimension."""
    output, target = shape_of(trace, "output-shape"), shape_of(trace, "target-shape")
    if output is None:
        return []
    evidence = {"loss": "cross-entropy", "outputs": written(output)}
    remedies = ("loss=bce-with-logits",)
    if len(output) > 1 and output[1] == 1:
        evidence["threshold"] = "two classes at least"
        return [DISEASE.finding("outputs", evidence=evidence, remedies=remedies)]
    mean = target_value(trace, "value-mean")
    if len(output) != 1 or output[0] < 2 or target != output or mean is None:
        return []
    # One row without a batch has this shape too, and its targets sum to one.
    if abs(mean * output[0] - 1) <= 10 * ROUNDING:
        return []
    evidence |= {"targets": written(target), "threshold": "targets of one row sum to one; these do not"}
    return [DISEASE.finding("outputs", evidence=evidence, remedies=remedies)]


def _numbers_as_shares(trace: Trace) -> list[Finding]:
    limits, same = target_range(trace), shape_of(trace, "output-shape") == shape_of(trace, "target-shape") is not None
    if limits is None or not same or trace.facts.get("target-kind") == "classes":
        return []
    if limits[0] >= -ROUNDING and limits[1] <= 1 + ROUNDING:
        return []
    evidence = {
        "loss": "cross-entropy",
        "smallest target": limits[0],
        "largest target": limits[1],
        "threshold": "0 to 1",
    }
    return [DISEASE.finding("targets", evidence=evidence, remedies=("loss=mse",))]


def _no_log_probabilities(trace: Trace) -> list[Finding]:
    """Raw outputs under a negative log-likelihood: the loss falls without end as they grow."""
    steps, shares = of_outputs(trace, "log-normalised-share")
    seen = output_range(trace)
    rows = of_outputs(trace, "row-sum-one-share").values
    if not always(shares, lambda share: share <= 1 - NEARLY_ALL) or seen is None or seen[1] <= LOG_PROBABILITY_LIMIT:
        return []
    if always(rows, lambda share: share >= NEARLY_ALL):  # probabilities: the activation is wrong, not the loss
        return []
    evidence = {
        "loss": "nll",
        "rows of log-probabilities": max(shares),
        "threshold": 1 - NEARLY_ALL,
        "largest output": seen[1],
        "largest log-probability": 0,
        "batches": len(steps),
    }
    return [DISEASE.finding("outputs", evidence=evidence)]


DISEASE = Disease(
    name="wrong-loss",
    group="wiring",
    severity="sick",
    seen_as="A squared error on labels, a cross-entropy on one output, or a loss of probabilities on other values.",
    threshold=(
        "One label a row against several outputs under a squared or absolute error (one-hot targets: a warning; 0 and 1"
        " against one output: a note; whole numbers from 0 to below 20 against one output, which an evaluation compares"
        " for equality with an accuracy below 0.8: a warning). Cross-entropy over a single class. Binary cross-entropy"
        " with values outside [0, 1], sick from 0.5 outside on. A negative log-likelihood"
        " of rows that are not log-probabilities."
    ),
    source=(
        "PyTorch's documentation of each loss says what it takes. That one-hot targets under a squared error are no"
        " worse than a warning: Hui and Belkin 2021, arXiv:2006.07322, where it does as well as cross-entropy."
    ),
    why=(
        "The loss measures something else than the mistake that should become small. Its minimum, if it has one,"
        " is not where the answers are right."
    ),
    remedies=("loss=cross-entropy",),
    explained_by=("softmax-over-one-unit", "loss-impossible"),
    reads=(
        "accuracy",
        "integer-share",
        "label-max",
        "label-min",
        "log-normalised-share",
        "row-sum-one-share",
        "value-max",
        "value-mean",
        "value-min",
        "fact:loss",
        "fact:output-shape",
        "fact:target-kind",
        "fact:target-shape",
        *READS_AT_THE_LOSS,
    ),
    find=find,
)
