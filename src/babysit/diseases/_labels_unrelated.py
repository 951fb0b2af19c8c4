"""Labels that have nothing to do with the inputs: only memorising works."""

from __future__ import annotations

from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest, observed, whole_number
from babysit.record import TARGETS, Finding, Severity, Trace

MEMORISED = 0.5  # of the way from the commonest class's share to 1, or of the variance, in training
# So much where memorising has only begun, which is a warning: measured on digits and sensors with strange labels, .12
# after 20 epochs and an R2 of .10 after 30; of 200 training batches the standard error of either is below .01.
BEGUN, BEGUN_NUMBERS = 0.1, 0.05
NOT_BELOW = 0.97  # of the labels' entropy: the best validation loss ever seen. Learning anything dips below it first
CHANCE = 0.03  # above the commonest class's share, in the best epoch of all: a standard error of 300 rows at one half
NOTHING = 0.02  # R2 in validation, in the best epoch of all
LEAST_EPOCHS = 3
# With fewer rows an honest task is memorised before it is learned: 20 pictures of CIFAR-10 teach nothing of the others.
LEAST_ROWS, LEAST_ROWS_A_CLASS = 500, 50

# Rows that came again, of which so few more than any two rows agree that their targets say nothing of the inputs. Of
# 100 rows whose targets are drawn anew, a share of 0.1 above chance is three standard errors and more.
LEAST_AGAIN, BY_CHANCE, MOST_CHANCE = 100, 0.1, 0.8


def find(trace: Trace) -> list[Finding]:
    """Training is far better than chance, and validation never is."""
    if of_the_same_rows := _of_the_same_rows(trace):
        return of_the_same_rows
    rows = _rows(trace)
    if rows < LEAST_ROWS:
        return []
    found = _classes(trace, rows) or _numbers(trace)
    if found is None:
        return []
    severity, evidence = found
    return [DISEASE.finding("targets", evidence=evidence | {"training rows": round(rows)}, severity=severity)]


def _of_the_same_rows(trace: Trace) -> list[Finding]:
    """Rows that come again have other targets each time, as often as any two rows have."""
    again, same, chance = (
        latest(trace, name, layer=TARGETS) or 0.0
        for name in ("recurring-rows", "same-target-share", "same-target-chance")
    )
    classes = trace.facts.get("target-kind") == "classes"  # numbers may be bootstrapped, as those of a critic are
    if not classes or again < LEAST_AGAIN or chance > MOST_CHANCE or same > chance + BY_CHANCE * (1 - chance):
        return []
    evidence = {
        "rows that came again": round(again),
        "share of them with the same target": same,
        "share of any two rows with the same target": chance,
        "threshold": chance + BY_CHANCE * (1 - chance),
    }
    return [DISEASE.finding("targets", evidence=evidence)]


def _rows(trace: Trace) -> float:
    """Different training rows; 0 where that is unknown."""
    return whole_number(trace, "rows") or whole_number(trace, "steps-per-epoch") * whole_number(trace, "batch-size")


def _classes(trace: Trace, rows: float) -> tuple[Severity, dict[str, Any]] | None:
    entropy = latest(trace, "label-entropy", layer=TARGETS)
    top = latest(trace, "label-top-share", layer=TARGETS)
    classes = latest(trace, "classes-seen", layer=TARGETS)
    if not entropy or top is None or classes is None or classes < 2 or rows < LEAST_ROWS_A_CLASS * classes:
        return None
    learned, chance, least, name = _learned(trace, top, 1 / classes)
    accuracies = observed(trace, "accuracy", phase="validation").values
    losses = observed(trace, "data-loss", phase="validation").values
    if learned is None or len(accuracies) < LEAST_EPOCHS or learned < chance + least * (1 - chance):
        return None
    if max(accuracies) > top + CHANCE or (losses and min(losses) < NOT_BELOW * entropy):
        return None
    sure = learned >= chance + MEMORISED * (1 - chance)
    evidence = {
        name: learned,
        "of chance": chance,
        "best validation accuracy": max(accuracies),
        "share of the commonest class": top,
        "threshold": top + CHANCE,
    }
    if losses:
        evidence |= {"best validation loss": min(losses), "entropy of the labels": entropy}
    return ("sick" if sure else "warning"), evidence


def _learned(trace: Trace, top: float, even: float) -> tuple[float | None, float, float, str]:
    """Accuracy in training, that of a constant answer, and how much of the way between it and 1 says something.

    Balanced accuracy, where only that is known, is over so many answers that even a little of the way is not chance.
    """
    accuracy = latest(trace, "accuracy")
    if accuracy is not None:
        return accuracy, top, MEMORISED, "training accuracy"
    return latest(trace, "balanced-accuracy"), even, BEGUN, "balanced accuracy in training"


def _numbers(trace: Trace) -> tuple[Severity, dict[str, Any]] | None:
    learned = latest(trace, "r2")
    scores = observed(trace, "r2", phase="validation").values
    if learned is None or learned < BEGUN_NUMBERS or len(scores) < LEAST_EPOCHS or max(scores) > NOTHING:
        return None
    evidence = {"training R2": learned, "best validation R2": max(scores), "threshold": NOTHING}
    return ("sick" if learned >= MEMORISED else "warning"), evidence


DISEASE = Disease(
    name="labels-unrelated",
    group="data",
    severity="sick",
    seen_as="Training rows are memorised, while validation is never better than an answer that ignores the inputs.",
    threshold=(
        f"Of at least {LEAST_AGAIN} rows that come again, at most {BY_CHANCE:g} of the way from chance to all have the"
        " same class again. Or training accuracy over half of the way from the commonest class's share to 1, while in"
        f" all of at least {LEAST_EPOCHS} epochs validation accuracy stays within {CHANCE:g} of that share and"
        f" validation loss above {NOT_BELOW:g} of the labels' entropy; or R2 above {MEMORISED:g} in training, at most"
        f" {NOTHING:g} in validation. A warning where balanced accuracy in training came {BEGUN:g} of the way, or R2 to"
        f" {BEGUN_NUMBERS:g}. From {LEAST_ROWS} training rows and {LEAST_ROWS_A_CLASS} a class on."
    ),
    source=(
        "Zhang et al. 2017, Understanding deep learning requires rethinking generalization: random labels are memorised"
        " at validation accuracy of chance. The entropy of the labels is the loss of the best constant answer."
    ),
    why=(
        "What is learned about one row says nothing about other rows. The labels were shuffled against the inputs"
        " or come from the wrong column, or the validation rows were prepared differently."
    ),
    remedies=(),
    explained_by=(
        "batch-norm-statistics-stale",
        "batches-not-shuffled",
        "inputs-not-finite",
        "labels-out-of-range",
        "rows-mixed",
        "softmax-wrong-axis",
        "training-mode-in-evaluation",
    ),
    reads=(
        "accuracy",
        "balanced-accuracy",
        "classes-seen",
        "data-loss",
        "label-entropy",
        "label-top-share",
        "r2",
        "recurring-rows",
        "same-target-chance",
        "same-target-share",
        "fact:batch-size",
        "fact:rows",
        "fact:steps-per-epoch",
        "fact:target-kind",
    ),
    find=find,
)
