"""One class has nearly all rows, and the network answers nothing else."""

from __future__ import annotations

import math
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._learned import CLASS_LOSSES, loss_over_constant
from babysit.diseases._reading import latest, observed, whole_number
from babysit.record import TARGETS, Finding, Severity, Trace

TOP_OF_TWO = 0.9  # a usual line for strong imbalance of two classes
# Entropy over that of even classes carries the line to any number of classes: 0.469 for 90 % of two. Ten classes reach
# it when the commonest holds 76 % and the rest are even, a hundred with 67 %; Zipf's law over 1000 classes gives 0.75.
EVENNESS = -(TOP_OF_TWO * math.log(TOP_OF_TWO) + (1 - TOP_OF_TWO) * math.log(1 - TOP_OF_TWO)) / math.log(2)
LEAST_ROWS = 100
LEARNED = 0.9  # of the loss of a constant answer; below it, inputs are made use of
UNLEARNED = 0.97  # of it; above, a constant answer is all that was learned. Evaluated rows differ a little in shares
SAME = 0.005  # accuracy and share: "equal"
EPOCHS = 3  # that it stays
# Of the way from 1 / classes, which a constant answer has, to 1: a network that has come so far knows the rare classes.
RARE_KNOWN = 0.5
# Below the commonest class's share, of evaluated rows: had they the shares of the training rows, that class alone would
# give it. Measured: 3,000 digits of which 86 % are zeros, evaluated on even ones: .86 and .55.
BELOW_SHARE = 0.1


def find(trace: Trace) -> list[Finding]:
    """Imbalance alone is a warning; sick where the commonest class is all that was learned."""
    top = latest(trace, "label-top-share", layer=TARGETS)
    entropy = latest(trace, "label-entropy", layer=TARGETS)
    classes = latest(trace, "classes-seen", layer=TARGETS)
    rows = latest(trace, "rows-seen", layer=TARGETS)
    if top is None or entropy is None or classes is None or rows is None:
        return []
    if rows < LEAST_ROWS or trace.facts.get("loss") not in CLASS_LOSSES:
        return []
    evidence: dict[str, Any] = {"share of the commonest class": top, "classes seen": round(classes)}
    evidence["rows seen"] = round(rows)
    if classes < 2:
        return _one_class(trace, rows, evidence)
    evenness = entropy / math.log(classes)
    if evenness > EVENNESS:
        return []
    evidence |= {"entropy over that of even classes": evenness, "threshold": EVENNESS}
    severity: Severity = "warning"
    accuracy = _stays_at(trace, top)
    share = loss_over_constant(trace)
    if share is not None:
        evidence["loss over a constant answer's"] = share
    if accuracy is not None and (share is None or share >= UNLEARNED):
        evidence |= {"accuracy": accuracy, "stays for epochs": EPOCHS}
        severity = "sick"
    elif (share is not None and share < LEARNED) or _above(trace, top):
        severity = "note"
    balanced = latest(trace, "balanced-accuracy")
    if balanced is not None:
        evidence["balanced accuracy at the end"] = balanced
        way = (balanced - 1 / classes) / (1 - 1 / classes)
        severity = "note" if way >= RARE_KNOWN else "warning" if severity == "note" else severity
    evaluated = latest(trace, "accuracy", phase="validation")
    if evaluated is not None and evaluated < top - BELOW_SHARE and severity != "sick":
        evidence |= {"accuracy in validation": evaluated, "threshold of it": top - BELOW_SHARE}
        severity = "sick" if severity == "warning" else "warning"
    return [DISEASE.finding("targets", evidence=evidence, severity=severity)]


def _one_class(trace: Trace, rows: float, evidence: dict[str, Any]) -> list[Finding]:
    """Once all rows were seen, one class is all there is; before, rows may only come in order."""
    there = whole_number(trace, "rows")
    if rows < there or there < LEAST_ROWS:
        return []
    return [DISEASE.finding("targets", evidence=evidence | {"threshold": "2 classes"}, severity="sick", remedies=())]


def _stays_at(trace: Trace, top: float) -> float | None:
    """The accuracy, where training's last ones all equal the commonest class's share."""
    values = observed(trace, "accuracy").values[-EPOCHS:]
    if len(values) < EPOCHS or any(abs(value - top) > SAME for value in values):
        return None
    return values[-1]


def _above(trace: Trace, top: float) -> bool:
    """Whether accuracy has left the share behind: half of the way up to 1."""
    value = latest(trace, "accuracy")
    return value is not None and value > top + (1 - top) / 2


DISEASE = Disease(
    name="labels-imbalanced",
    group="data",
    severity="warning",
    seen_as="One class has nearly all rows; at worst, accuracy equals the share of that class and stays there.",
    threshold=(
        f"Entropy of the classes' shares at most {EVENNESS:.3f} of that of even classes, as {TOP_OF_TWO:.0%} of two"
        f" have: a warning. A note where the loss is under {LEARNED:g} of a constant answer's or accuracy is far above"
        f" the share; where balanced accuracy is known, a note if it came {RARE_KNOWN:g} of the way from chance to 1,"
        f" else a warning. Sick where accuracy equals the share within {SAME:g} for {EPOCHS} epochs and the loss is not"
        f" below {UNLEARNED:g} of a constant answer's; a step worse where accuracy in validation is {BELOW_SHARE:g}"
        " and more below that share, so that evaluated rows have other shares, and the rare classes are not known;"
        " and where all rows are of one class."
    ),
    source=(
        "Entropy is the loss of the best constant answer. The line is the usual 90:10 of two classes, carried to more"
        " by their entropy: 76 % for ten, 67 % for a hundred; Zipf's law over 1000 classes stays far above it at 0.75."
    ),
    why=(
        "Always answering the commonest class already gives a high accuracy and a low loss, and the rare classes"
        " have little weight in the gradient. Look at the recall of each class, since accuracy says little here."
    ),
    remedies=("class-weights",),
    explained_by=(),
    reads=(
        "accuracy",
        "balanced-accuracy",
        "classes-seen",
        "constant-answer-loss",
        "label-entropy",
        "label-top-share",
        "loss",
        "rows-seen",
        "fact:loss",
        "fact:loss-reduction",
        "fact:rows",
    ),
    find=find,
)
