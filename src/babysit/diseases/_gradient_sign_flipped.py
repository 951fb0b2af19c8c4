"""The training makes the loss larger instead of smaller."""

from __future__ import annotations

import statistics

from babysit.diseases._at_the_loss import READS_AT_THE_LOSS, of_outputs
from babysit.diseases._disease import Disease
from babysit.diseases._learned import NEVER_NEGATIVE, loss_over_first
from babysit.diseases._proven import told_by_event
from babysit.diseases._reading import always, observed
from babysit.record import Finding, Trace

LEAST_STEPS = 3
NEARLY_ALL = 0.9
NEAR = 0.05  # loss + criterion over the criterion: what a penalty may add
UPHILL = -0.1
TYPICALLY_UPHILL = -0.2
RUN_AWAY = 10.0  # times the first loss
LEAST_LOSSES = 20
FALLEN = 0.9  # of the first loss: below it the steps go the right way, whatever their angle


def find(trace: Trace) -> list[Finding]:
    """Signs, the surest first; one is enough."""
    return (
        told_by_event(DISEASE, trace) or _negated(trace) or _uphill(trace) or _below_zero(trace) or _likelihood(trace)
    )


def _negated(trace: Trace) -> list[Finding]:
    """The loss is what a known loss function gave, times minus one."""
    if trace.facts.get("loss") not in NEVER_NEGATIVE:
        return []
    criteria = dict(zip(*observed(trace, "criterion"), strict=True))
    pairs = [
        (loss, criteria[step]) for step, loss in zip(*observed(trace, "loss"), strict=True) if criteria.get(step, 0) > 0
    ]
    opposite = [(loss, criterion) for loss, criterion in pairs if abs(loss + criterion) <= NEAR * criterion]
    if len(pairs) < LEAST_STEPS or len(opposite) < NEARLY_ALL * len(pairs):
        return []
    loss, criterion = opposite[-1]
    evidence = {
        "loss": loss,
        "loss function gave": criterion,
        "steps": len(opposite),
        "of steps": len(pairs),
        "threshold": f"equal but for the sign, within {NEAR} of it",
    }
    return [DISEASE.finding("loss", evidence=evidence)]


def _uphill(trace: Trace) -> list[Finding]:
    """Momentum goes up for a few steps; nothing sound goes up all the time and makes the loss no smaller."""
    cosines = observed(trace, "update-cosine").values
    up = [cosine for cosine in cosines if cosine < UPHILL]
    if len(cosines) < LEAST_STEPS or len(up) < NEARLY_ALL * len(cosines):
        return []
    left, typical = loss_over_first(trace), statistics.median(cosines)
    if typical > TYPICALLY_UPHILL or (left is not None and left < FALLEN):
        return []
    evidence = {
        "median cosine of step and negative gradient": typical,
        "threshold": TYPICALLY_UPHILL,
        "steps uphill": len(up),
        "of steps": len(cosines),
    }
    if left is not None:
        evidence["last loss over first"] = left
    return [DISEASE.finding("optimizer", evidence=evidence)]


def _below_zero(trace: Trace) -> list[Finding]:
    """Where the loss function's own value is unknown: what cannot be negative is so from the start, and falls."""
    losses = observed(trace, "loss").values
    if trace.facts.get("loss") not in NEVER_NEGATIVE or observed(trace, "criterion").values:
        return []
    if len(losses) < LEAST_STEPS or max(losses) >= 0 or losses[-1] > 2 * losses[0]:
        return []
    evidence = {
        "first loss": losses[0],
        "last loss": losses[-1],
        "threshold": "negative from the start, and doubled since",
    }
    return [DISEASE.finding("loss", evidence=evidence)]


def _likelihood(trace: Trace) -> list[Finding]:
    """A loss written by hand over log-probabilities: made smaller without end, it makes the right classes unlikely.

    A policy's gradient is a product of log-probabilities as well, and below zero at times; it does not run away.
    """
    losses = observed(trace, "loss").values
    rows = of_outputs(trace, "log-normalised-share").values
    means = of_outputs(trace, "value-mean").values
    if trace.facts.get("loss") != "other" or not always(rows, lambda share: share >= NEARLY_ALL) or not means:
        return []
    if len(losses) < LEAST_LOSSES or max(losses) >= 0 or losses[-1] > RUN_AWAY * losses[0]:
        return []
    if statistics.median(losses[-LEAST_STEPS:]) > means[-1]:
        return []
    evidence = {
        "first loss": losses[0],
        "last loss": losses[-1],
        "mean log-probability of all classes": means[-1],
        "threshold": f"below it, negative at every step, and {RUN_AWAY:g} times the first",
    }
    return [DISEASE.finding("loss", evidence=evidence)]


DISEASE = Disease(
    name="gradient-sign-flipped",
    group="wiring",
    severity="sick",
    seen_as="The loss is the negative of what the loss function gave, or the steps go up the gradient.",
    threshold=(
        "At 90 % of three steps or more: the loss equals the negative of a loss function that is never negative, within"
        " 5 %; or the step's cosine with the negative gradient is below -0.1 (median below -0.2) and the loss has not"
        " fallen below 0.9 of its start; or such a loss is negative from the start and doubles; or a loss"
        " written by hand over log-probabilities is negative at every step, ten times the first one at the end, and"
        " below the mean log-probability of all classes."
    ),
    source=(
        "Geometry: plain descent has a cosine of 1, ascent of -1; Adam and momentum may be negative for single steps,"
        " so persistence is asked for. The shares are our own choice."
    ),
    why=(
        "The training makes the error as large as it can. The answers get worse with every step, while the loss"
        " that is shown may fall without end."
    ),
    remedies=("flip-sign",),
    explained_by=("scheduler-misused",),
    reads=(
        "criterion",
        "log-normalised-share",
        "loss",
        "update-cosine",
        "value-mean",
        "event:gradient-sign-flipped",
        "fact:loss",
        *READS_AT_THE_LOSS,
    ),
    find=find,
    alone=True,
)
