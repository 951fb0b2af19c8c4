"""A training that still improves on its training rows and gets worse on the validation rows."""

from __future__ import annotations

import statistics
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._epochs import WINDOW, losses_of_phases, score_of_phases, smooth
from babysit.record import Finding, Trace

LEAST_EPOCHS = 5
RISE = 0.1  # of the best validation loss, for three epochs at the end
OF_THE_START = 0.02  # of the first validation loss: a tenth more of a tiny loss means nothing
WORSE = 0.01  # of accuracy or R2 from its best: below it, only the confidence of wrong answers grew


def find(trace: Trace) -> list[Finding]:
    """Validation loss above its best while training loss is below what it was then."""
    train, validation = losses_of_phases(trace)
    if len(validation) < LEAST_EPOCHS or min(validation) <= 0:
        return []
    smoothed = smooth(validation)
    place = min(range(len(smoothed)), key=lambda epoch: smoothed[epoch])
    best, last = smoothed[place], validation[-WINDOW:]
    place = min(range(max(0, place - 1), min(len(validation), place + 2)), key=lambda epoch: validation[epoch])
    if place >= len(validation) - WINDOW or min(last) < best * (1 + RISE):
        return []
    if statistics.median(last) - best < OF_THE_START * validation[0]:
        return []
    learned = train[place] - statistics.median(train[-WINDOW:])
    if learned <= 0:
        return []
    evidence: dict[str, Any] = {
        "best validation loss": best,
        "in epoch": place + 1,
        "last validation loss": statistics.median(last),
        "of epochs": len(validation),
        "threshold": best * (1 + RISE),
        "training loss then": train[place],
        "last training loss": statistics.median(train[-WINDOW:]),
    }
    score = score_of_phases(trace)
    held = False
    if score is not None and len(score.validation) >= LEAST_EPOCHS:
        top, now = max(smooth(score.validation)), statistics.median(score.validation[-WINDOW:])
        evidence |= {f"best validation {score.name}": top, f"last validation {score.name}": now}
        held = top - now < WORSE
    return [DISEASE.finding(f"epoch {place + 1}", evidence=evidence, severity="note" if held else "warning")]


DISEASE = Disease(
    name="overfitting",
    group="dynamics",
    severity="warning",
    seen_as="The validation loss rises while the training loss goes on falling.",
    threshold=(
        f"From {LEAST_EPOCHS} epochs on: the last {WINDOW} validation losses are all {RISE:g} above the best (a running"
        f" median of {WINDOW}), by {OF_THE_START:g} of the first one at least, and training loss fell since. A note"
        f" where validation accuracy or R2 stayed within {WORSE:g} of its best."
    ),
    source=(
        "CS231n, lecture 6: a big gap between training and validation is overfitting. A tenth over three epochs: our"
        " choice, twice the jumps from epoch to epoch in a sound training on 500 validation rows."
    ),
    why=(
        "The network memorises its training rows and gets worse on rows that it has not seen. An earlier epoch had"
        " better weights."
    ),
    remedies=("stop-earlier", "weight-decay", "dropout"),
    explained_by=(
        "labels-unrelated",
        "batch-norm-statistics-stale",
        "training-mode-in-evaluation",
        "batches-not-shuffled",
        "evaluation-mode-in-training",
    ),
    reads=("accuracy", "data-loss", "label-top-share", "r2"),
    find=find,
)
