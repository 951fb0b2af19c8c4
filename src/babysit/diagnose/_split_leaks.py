"""Validation rows that are the training rows."""

from __future__ import annotations

import math

from babysit.diagnose._constant_answer import CLASS_LOSSES
from babysit.diagnose._disease import Disease
from babysit.diagnose._observed import latest
from babysit.record import TARGETS, Finding, Trace

SAME = 1e-5  # relative: what summing the same float32 numbers in another order may change
EPOCHS = 3
MOVES = 1e-2  # relative change of the loss between its largest and smallest: two constants would prove nothing
LEARNED = 0.9  # of the labels' entropy: constant answers give equal losses to rows of equal shares, too


def find(trace: Trace) -> list[Finding]:
    """Losses of both phases that are equal to many digits every epoch.

    Nothing else of a leak shows in a trace. Rows that stand in both splits are looked for before training starts, where
    the rows themselves can be compared.
    """
    train = dict(zip(*trace.series("data-loss"), strict=True))
    validation = dict(zip(*trace.series("data-loss", phase="validation"), strict=True))
    both = sorted(train.keys() & validation.keys())
    losses = [train[step] for step in both]
    if len(both) < EPOCHS or not all(math.isfinite(train[step]) and math.isfinite(validation[step]) for step in both):
        return []
    largest = max(abs(train[step] - validation[step]) / max(abs(train[step]), 1e-30) for step in both)
    if largest > SAME or max(losses) - min(losses) < MOVES * max(abs(loss) for loss in losses):
        return []
    if trace.facts.get("loss") in CLASS_LOSSES:
        entropy = latest(trace, "label-entropy", layer=TARGETS)
        if entropy is None or min(losses) > LEARNED * entropy:
            return []
    evidence = {"epochs": len(both), "largest relative difference": largest, "threshold": SAME, "last loss": losses[-1]}
    return [DISEASE.finding("validation rows", evidence=evidence)]


DISEASE = Disease(
    name="split-leaks",
    group="data",
    severity="sick",
    seen_as="Training and validation loss are the same number, epoch after epoch.",
    threshold=(
        f"Relative difference of the two losses at most {SAME:g} in every one of at least {EPOCHS} epochs, while the"
        f" loss itself moves by {MOVES:g} and more and comes below {LEARNED:g} of a constant answer's."
    ),
    source=(
        "Arithmetic: means over two samples of n rows differ by about their standard deviation times sqrt(2/n), some"
        " percent for a thousand rows. Sums of the same float32 numbers in another order differ by about 1e-6."
    ),
    why=(
        "Validation on rows that were learned measures memory. Overfitting cannot show, and every choice made by such"
        " numbers, from the learning rate to when to stop, is made blindly."
    ),
    remedies=(),
    explained_by=(),
    find=find,
)
