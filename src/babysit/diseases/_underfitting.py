"""A training whose loss no longer falls, with poor scores on training and validation rows."""

from __future__ import annotations

import statistics
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._epochs import WINDOW, losses_of_phases, score_of_phases
from babysit.diseases._explosion import lost
from babysit.diseases._learned import READS_LOSS
from babysit.record import Finding, Trace

LEAST_EPOCHS = 6
PLATEAU = 0.01  # of the training loss: what it falls by in the last third of the epochs, at most
GAP = 0.1  # of the training loss: what validation may lie above it, at most
POOR = 0.3  # of the way from chance to 1
NO_GAP = 0.05  # of the score


def find(trace: Trace) -> list[Finding]:
    """Low score, no gap, no movement."""
    train, validation = losses_of_phases(trace)
    score = score_of_phases(trace)
    if len(train) < LEAST_EPOCHS or score is None or not score.validation or lost(trace):
        return []
    third = len(train) // 3
    before, now = statistics.fmean(train[-2 * third : -third]), statistics.fmean(train[-third:])
    if now <= 0 or before - now > PLATEAU * now:
        return []
    on_train, on_others = (statistics.median(values[-WINDOW:]) for values in (score.train, score.validation))
    reached = (on_train - score.chance) / (1 - score.chance) if score.chance < 1 else 1.0
    behind = statistics.median(validation[-WINDOW:]) - statistics.median(train[-WINDOW:])
    if reached >= POOR or behind > GAP * now or on_train - on_others > NO_GAP:
        return []
    evidence: dict[str, Any] = {
        f"training {score.name}": on_train,
        f"validation {score.name}": on_others,
        "of chance": score.chance,
        "share of the way from chance to 1": reached,
        "threshold": POOR,
        "training loss": now,
        "a third of the epochs before": before,
        "epochs": len(train),
    }
    return [DISEASE.finding(evidence=evidence)]


DISEASE = Disease(
    name="underfitting",
    group="dynamics",
    severity="note",
    seen_as="Training and validation scores are equally poor, and the loss no longer falls.",
    threshold=(
        f"From {LEAST_EPOCHS} epochs on: training accuracy or R2 is below {POOR:g} of the way from chance to 1,"
        f" validation is within {NO_GAP:g} of it and its loss within {GAP:g}, and the training loss fell by"
        f" {PLATEAU:g} of itself at most between the last two thirds of the epochs."
    ),
    source=(
        "CS231n, lecture 6: no gap means that capacity may be raised. The share is our own choice; a note, because rows"
        " whose answer cannot be told from their inputs look the same."
    ),
    why=(
        "The network cannot fit even its training rows: it is too small, too strongly regularised, or the inputs"
        " do not hold the answer. More steps will not help."
    ),
    remedies=("wider", "dropout=0", "weight-decay=0", "lr"),
    explained_by=(
        "loss-ignores-outputs",
        "inputs-not-finite",
        "inputs-badly-scaled",
        "inputs-constant",
        "targets-badly-scaled",
        "labels-imbalanced",
        "batches-not-shuffled",
        "double-softmax",
        "sigmoid-before-logits-loss",
        "softmax-over-one-unit",
        "softmax-wrong-axis",
        "wrong-output-activation",
        "wrong-loss",
        "loss-broadcasts",
        "nonlinearity-missing",
        "parameters-not-optimised",
        "parameters-frozen",
        "gradients-not-cleared",
        "gradient-sign-flipped",
        "step-missing",
        "scheduler-misused",
        "evaluation-mode-in-training",
        "gradients-clipped-always",
        "weights-symmetric",
        "activations-vanish",
        "gradients-vanish",
        "units-saturated",
        "units-dead",
        "dropout-too-high",
        "weight-decay-too-strong",
        "capacity-too-low",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "stuck-at-chance",
        "oscillating",
    ),
    reads=("accuracy", "data-loss", "label-top-share", "r2", *READS_LOSS),
    find=find,
)
