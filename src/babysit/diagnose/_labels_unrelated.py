"""Labels that have nothing to do with the inputs: only memorising works."""

from __future__ import annotations

from typing import Any

from babysit.diagnose._disease import Disease
from babysit.diagnose._fact import whole_number
from babysit.diagnose._observed import latest, observed
from babysit.record import TARGETS, Finding, Trace

MEMORISED = 0.5  # of the way from the commonest class's share to 1, or of the variance, in training
NOT_BELOW = 0.97  # of the labels' entropy: the best validation loss ever seen. Learning anything dips below it first
CHANCE = 0.03  # above the commonest class's share, in the best epoch of all: a standard error of 300 rows at one half
NOTHING = 0.02  # R2 in validation, in the best epoch of all
LEAST_EPOCHS = 3
# With fewer rows an honest task is memorised before it is learned: 20 pictures of CIFAR-10 teach nothing of the others.
LEAST_ROWS, LEAST_ROWS_A_CLASS = 500, 50


def find(trace: Trace) -> list[Finding]:
    """Training far better than chance, validation never."""
    rows = _rows(trace)
    if rows < LEAST_ROWS:
        return []
    evidence = _classes(trace, rows) or _numbers(trace)
    return [DISEASE.finding("targets", evidence=evidence | {"training rows": round(rows)})] if evidence else []


def _rows(trace: Trace) -> float:
    """Different training rows; 0 where nobody knows."""
    return whole_number(trace, "rows") or whole_number(trace, "steps-per-epoch") * whole_number(trace, "batch-size")


def _classes(trace: Trace, rows: float) -> dict[str, Any]:
    entropy = latest(trace, "label-entropy", layer=TARGETS)
    top = latest(trace, "label-top-share", layer=TARGETS)
    classes = latest(trace, "classes-seen", layer=TARGETS)
    learned = latest(trace, "accuracy")
    accuracies = observed(trace, "accuracy", phase="validation").values
    losses = observed(trace, "data-loss", phase="validation").values
    if not entropy or top is None or classes is None or learned is None or rows < LEAST_ROWS_A_CLASS * classes:
        return {}
    if min(len(accuracies), len(losses)) < LEAST_EPOCHS or learned < top + MEMORISED * (1 - top):
        return {}
    if max(accuracies) > top + CHANCE or min(losses) < NOT_BELOW * entropy:
        return {}
    return {
        "training accuracy": learned, "best validation accuracy": max(accuracies),
        "share of the commonest class": top, "threshold": top + CHANCE,
        "best validation loss": min(losses), "entropy of the labels": entropy,
    }  # fmt: skip


def _numbers(trace: Trace) -> dict[str, Any]:
    learned = latest(trace, "r2")
    scores = observed(trace, "r2", phase="validation").values
    if learned is None or learned < MEMORISED or len(scores) < LEAST_EPOCHS or max(scores) > NOTHING:
        return {}
    return {"training R2": learned, "best validation R2": max(scores), "threshold": NOTHING}


DISEASE = Disease(
    name="labels-unrelated",
    group="data",
    severity="sick",
    seen_as="Training rows are memorised while validation never does better than an answer that ignores the inputs.",
    threshold=(
        f"Training accuracy over half of the way from the commonest class's share to 1, while in all of at least"
        f" {LEAST_EPOCHS} epochs validation accuracy stays within {CHANCE:g} of that share and validation loss above"
        f" {NOT_BELOW:g} of the labels' entropy; or R2 above {MEMORISED:g} in training, at most {NOTHING:g} in"
        f" validation. From {LEAST_ROWS} training rows and {LEAST_ROWS_A_CLASS} a class on."
    ),
    source=(
        "Zhang et al. 2017, Understanding deep learning requires rethinking generalization: random labels are memorised"
        " at validation accuracy of chance. The entropy of the labels is the loss of the best constant answer."
    ),
    why=(
        "What is learned row by row says nothing about other rows. Labels were shuffled against the inputs, come from"
        " the wrong column, or the validation rows were prepared in another way than the training rows."
    ),
    remedies=(),
    explained_by=(
        "batch-norm-statistics-stale", "inputs-not-finite", "labels-out-of-range", "training-mode-in-evaluation",
    ),
    find=find,
)  # fmt: skip
