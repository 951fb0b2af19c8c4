"""A learning rate that falls to nearly zero before anything is learned."""

from __future__ import annotations

import itertools
import math
import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._learned import loss_over_first
from babysit.diseases._proven import told_by_event
from babysit.diseases._reading import always, observed
from babysit.record import Finding, Severity, Trace

NOTHING = 1e-3  # of the highest rate
EARLY = 0.6  # of the training: by then cosine is at 0.35, linear at 0.4, three steps of a tenth at 0.01
FAST_EPOCHS = 3  # a plateau schedule waits for epochs before each fall, ten by default
FAST_STEPS = 300  # where the number of steps of an epoch is unknown
STILL_HIGH = 0.5  # of the first loss
# Of an epoch's loss: what each of the two epochs before the first cut took off, so that there was no reason to cut.
# Measured: a plateau schedule that waits for a loss to rise cuts after epochs of -28 and -21 %, one that waits for it
# to rest after epochs of +6, -2 and +19 %.
WAS_FALLING = 0.03
LEAST_RATES = 8  # from which a constant ratio is believed
SAME_RATIO = 1e-3
PROJECTED_STEPS, PROJECTED = 1000, 1e-4  # where the plan is unknown: what a ratio a step must come to
ALREADY = 0.1  # of the first rate: and by then it has to have begun


def find(trace: Trace) -> list[Finding]:
    """What has happened to the rate, what a constant ratio a step will make of it, and who is stepped first."""
    return _falls(trace) or told_by_event(DISEASE, trace, "schedule-before-optimizer", "warning")


def _falls(trace: Trace) -> list[Finding]:
    steps, rates = observed(trace, "lr")
    if not rates:
        return []
    highest = max(rates)
    if highest <= 0:
        return _always_zero(trace, len(rates))
    peak = max(place for place, rate in enumerate(rates) if rate == highest)
    left = loss_over_first(trace)
    learned = left is not None and left < STILL_HIGH
    if learned and not _cut_while_falling(trace, steps, rates):
        return []
    ends = _planned(trace) or steps[-1] + 1
    low = 1 + max(place for place, rate in enumerate(rates) if rate > NOTHING * highest)  # from here on, for good
    if low == len(rates):
        return [] if learned else _projected(trace, steps[peak:], rates[peak:], left)
    taken = steps[low] - steps[peak]
    if steps[low] > EARLY * ends:
        return []
    evidence: dict[str, float | str] = {
        "highest rate": highest,
        "last rate": rates[-1],
        "share of the highest": rates[-1] / highest,
        "threshold": NOTHING,
        "steps it took": taken,
        "steps of the training": ends,
    }
    return [_finding(evidence, left, fast=not learned and taken <= _fast(trace))]


def _cut_while_falling(trace: Trace, steps: tuple[int, ...], rates: tuple[float, ...]) -> bool:
    """Whether the loss by epoch, of validation rows where there is one, fell twice just before the first cut."""
    cut = next((steps[at] for at in range(1, len(rates)) if rates[at] < rates[at - 1]), None)
    each = trace.facts.get("steps-per-epoch", "")
    if cut is None:
        return False
    at, losses = observed(trace, "data-loss", phase="validation")
    before = [loss for step, loss in zip(at, losses, strict=True) if step < cut][-3:]
    if len(before) < 3 and each.isdigit() and int(each) >= LEAST_RATES:
        known = [pair for pair in zip(*observed(trace, "loss"), strict=True) if pair[0] < cut]
        epochs = [
            [loss for step, loss in known if cut - int(each) * (number + 1) <= step < cut - int(each) * number]
            for number in (2, 1, 0)
        ]
        before = [statistics.fmean(epoch) for epoch in epochs if epoch]
    return len(before) == 3 and all(
        after < (1 - WAS_FALLING) * loss for loss, after in itertools.pairwise(before) if loss > 0
    )


def _planned(trace: Trace) -> int | None:
    epochs, each = trace.facts.get("epochs", ""), trace.facts.get("steps-per-epoch", "")
    return int(epochs) * int(each) if epochs.isdigit() and each.isdigit() else None


def _fast(trace: Trace) -> int:
    each = trace.facts.get("steps-per-epoch", "")
    return max(FAST_STEPS, FAST_EPOCHS * int(each)) if each.isdigit() else FAST_STEPS


def _finding(evidence: dict[str, float | str], left: float | None, fast: bool) -> Finding:
    if left is not None:
        evidence |= {"last loss over first": left, "threshold for the loss": STILL_HIGH}
    severity: Severity = "sick" if fast and left is not None else "warning"
    return DISEASE.finding("learning rate", evidence=evidence, severity=severity)


def _projected(trace: Trace, steps: tuple[int, ...], rates: tuple[float, ...], left: float | None) -> list[Finding]:
    """A rate that shrinks by one factor each step is at nothing soon, however short the look at it was."""
    if len(rates) < LEAST_RATES or min(rates) <= 0:
        return []
    slopes = [
        math.log(after / before) / max(1, later - earlier)
        for earlier, later, before, after in zip(steps, steps[1:], rates, rates[1:], strict=False)
    ]
    slope = slopes[0]
    if slope >= 0 or any(abs(other - slope) > SAME_RATIO * abs(slope) for other in slopes):
        return []
    planned = _planned(trace)
    until = steps[0] + math.log(NOTHING) / slope
    if planned is not None:
        soon = until <= EARLY * planned
    else:
        soon = slope * PROJECTED_STEPS <= math.log(PROJECTED) and rates[-1] <= ALREADY * rates[0]
    if not soon:
        return []
    evidence: dict[str, float | str] = {
        "first rate": rates[0],
        "factor a step": math.exp(slope),
        "step at a thousandth": round(until),
        "threshold": f"{EARLY} of the training" if planned is not None else f"{PROJECTED} in {PROJECTED_STEPS} steps",
        "steps observed": steps[-1] - steps[0] + 1,
    }
    if planned is not None:
        evidence["steps of the training"] = planned
    return [_finding(evidence, left, fast=planned is not None and until <= _fast(trace))]


def _always_zero(trace: Trace, count: int) -> list[Finding]:
    """A rate of zero throughout; another group of parameters may have one, so nothing may have moved."""
    updates = tuple(
        value
        for name in trace.layers_with("update-norm")
        for value in observed(trace, "update-norm", layer=name).values
    )
    if count < LEAST_RATES or not always(updates, lambda value: value == 0):
        return []
    evidence = {"rate at every step": 0, "steps": count, "threshold": LEAST_RATES, "largest update": 0}
    return [DISEASE.finding("learning rate", evidence=evidence)]


DISEASE = Disease(
    name="scheduler-misused",
    group="wiring",
    severity="sick",
    seen_as="The learning rate falls to nearly zero early: the schedule is stepped every batch instead of every epoch.",
    threshold=(
        "Below a thousandth of its highest value within the first 0.6 of the training, for good, and the loss is"
        " above half of its start, or was falling by 3 % and more in each of the two epochs before the first cut; or a"
        " constant factor a step that leads there (where the plan is unknown: to 1e-4"
        " within 1000 steps, a tenth of it done). Sick within three epochs or 300 steps, else a warning."
        " A schedule that is stepped before its optimizer is, is a warning."
    ),
    source=(
        "Arithmetic: after 0.6 of the training a cosine is at 0.35 of its highest rate, linear at 0.4, three steps of a"
        " tenth at 0.01 or more; ExponentialLR with 0.95 every batch is at a thousandth after 135 steps."
        " ReduceLROnPlateau waits ten epochs by default, so a fast fall is not its. Measured: one"
        " that waits for a loss to rise first cuts after epochs that took off 28 and 21 %, one that waits for it to"
        " rest after epochs of +6, -2 and +19 %."
    ),
    why=(
        "The steps become too small to change anything long before the loss is low. The rest of the training is wasted."
    ),
    remedies=("constant-schedule",),
    explained_by=(),
    reads=(
        "data-loss",
        "loss",
        "lr",
        "update-norm",
        "event:schedule-before-optimizer",
        "fact:epochs",
        "fact:steps-per-epoch",
    ),
    find=find,
)
