"""Validation rows that are also training rows."""

from __future__ import annotations

import math

from babysit.diseases._disease import Disease
from babysit.diseases._learned import CLASS_LOSSES
from babysit.diseases._reading import latest
from babysit.record import TARGETS, Finding, Severity, Trace

SAME = 1e-5  # relative: what summing the same float32 numbers in another order may change
DUPLICATES = 0.01  # of the validation rows: a few rows measured twice are not a leak
TWINS = 3.0  # times the share of training rows that have a twin: data of few values repeats itself everywhere
MOST = 0.5
EPOCHS = 3
MOVES = 1e-2  # relative change of the loss between its largest and smallest: two constants would prove nothing
LEARNED = 0.9  # of the labels' entropy: constant answers give equal losses to rows of equal shares, too


def find(trace: Trace) -> list[Finding]:
    """Rows in both splits or statistics of both, where they were compared; else equal losses."""
    return _duplicates(trace) or _fitted_on_both(trace) or _equal_losses(trace)


def _duplicates(trace: Trace) -> list[Finding]:
    shared = latest(trace, "duplicate-rows-share", phase="validation")
    twins = latest(trace, "twin-rows-share")
    if shared is None or twins is None or shared < DUPLICATES + TWINS * twins:
        return []
    evidence = {
        "validation rows that are training rows": shared,
        "threshold": DUPLICATES + TWINS * twins,
        "training rows with a twin": twins,
    }
    severity: Severity = "sick" if shared >= MOST else "warning"
    return [DISEASE.finding("validation rows", evidence=evidence, severity=severity)]


def _fitted_on_both(trace: Trace) -> list[Finding]:
    share = latest(trace, "fitted-on-both-share", phase="validation")
    if share is None or share < MOST:
        return []
    evidence = {"features standardised over both splits": share, "threshold": MOST}
    return [DISEASE.finding("statistics", evidence=evidence, severity="warning")]


def _equal_losses(trace: Trace) -> list[Finding]:
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
    seen_as=(
        "Validation rows are among the training rows, or features are standardised over both together, or both"
        " losses are equal in every epoch."
    ),
    threshold=(
        f"Where rows were compared: more than {DUPLICATES:g} of the validation rows are training rows, and more than"
        f" {TWINS:g} times the share of training rows that have a twin ({MOST:g}: sick); or mean 0 and standard"
        f" deviation 1 over both splits together, not over the training rows, in {MOST:g} of the features. Or a"
        f" relative difference of the two losses of at most {SAME:g} in every one of at least {EPOCHS} epochs, while"
        f" the loss itself moves by {MOVES:g} and more and comes below {LEARNED:g} of a constant answer's."
    ),
    source=(
        "Arithmetic: means over two samples of n rows differ by about their standard deviation times sqrt(2/n), some"
        " percent for a thousand rows. Sums of the same float32 numbers in another order differ by about 1e-6."
    ),
    why=(
        "A score on rows that were learned measures memory. Overfitting cannot show, and every choice made by such"
        " a score, from the learning rate to when to stop, is unfounded."
    ),
    remedies=(),
    explained_by=(),
    reads=(
        "data-loss",
        "duplicate-rows-share",
        "fitted-on-both-share",
        "label-entropy",
        "twin-rows-share",
        "fact:loss",
    ),
    find=find,
)
