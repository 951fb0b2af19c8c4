"""Swings of the loss that the noise of batches does not explain."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._explosion import find_explosion
from babysit.diseases._learned import READS_LOSS
from babysit.diseases._loss_curve import blocks, swings
from babysit.diseases._reading import observed
from babysit.record import Finding, Trace

SWING = 0.03  # of accuracy, from one epoch to a later one: AUTOTRAINER
SHARE_OF_EPOCHS = 0.2  # AUTOTRAINER
LEAST_EPOCHS = 10
LEAST_LOSSES = 200  # in the second half
BLOCKS = 40
LEAST_EPOCHS_IN_BLOCKS = 8
STANDARD_ERRORS = 5.0  # of a block's mean, and of accuracy over the training rows three
ACCURACY_ERRORS = 3.0
OF_LEVEL = 0.2  # of the loss itself: smaller swings are seen in nearly every training, and cost little
# Of the first losses: below it they are the last digits of a loss that has come down, as where a game is solved.
OF_START = 0.01
FIRST = 3  # losses whose median is the start
LEAST_SWINGS = 8
CALMED = 0.6  # swings of the last quarter over those before: below it they die away by themselves
RISING = 1.1  # the rate over its lowest before: it goes up and down, and the loss with it


def find(trace: Trace) -> list[Finding]:
    """The losses of the second half in blocks, and accuracy by epoch."""
    if find_explosion(trace) is not None or _rate_rises(trace):
        return []
    evidence = _of_loss(trace) or _of_accuracy(trace)
    return [DISEASE.finding(evidence=evidence)] if evidence else []


def _of_loss(trace: Trace) -> dict[str, Any]:
    values = observed(trace, "loss").values
    late = list(values[len(values) // 2 :])
    if len(late) < LEAST_LOSSES:
        return {}
    count = _block_count(trace, len(late))
    means = blocks(late, count)
    level = statistics.median(means)
    # Batches of one block differ by noise alone; twice the block's own error is what two such means may differ by.
    error = statistics.median(_errors(late, count)) * math.sqrt(2)
    start = statistics.median(values[:FIRST])
    least = max(STANDARD_ERRORS * error, OF_LEVEL * abs(level), OF_START * abs(start))
    found = swings(means, least)
    if len(found) < LEAST_SWINGS or not level or _calms(means):
        return {}
    return {
        "swings of the loss": len(found),
        "median swing": statistics.median(found),
        "threshold": least,
        "level": level,
        "error of a block's mean": error / math.sqrt(2),
        "blocks": len(means),
    }


def _errors(values: list[float], count: int) -> list[float]:
    size = len(values) // count
    parts = [values[place * size : (place + 1) * size] for place in range(count)]
    return [statistics.stdev(part) / math.sqrt(len(part)) for part in parts if len(part) > 1] or [math.inf]


def _block_count(trace: Trace, length: int) -> int:
    """Epochs where there are enough of them: what differs between an epoch's batches is then averaged out."""
    epoch = trace.facts.get("steps-per-epoch", "")
    steps = trace.series("loss").steps
    all_there = steps[-1] - steps[0] + 1 == len(steps)  # long series are thinned
    if epoch.isdecimal() and int(epoch) > 1 and all_there and length // int(epoch) >= LEAST_EPOCHS_IN_BLOCKS:
        return length // int(epoch)
    return BLOCKS


def _of_accuracy(trace: Trace) -> dict[str, Any]:
    """Accuracy over the training rows: over validation rows, of which there are few, it jumps in any training."""
    values = observed(trace, "accuracy").values
    rows = trace.facts.get("rows", "")
    if len(values) < LEAST_EPOCHS or not rows.isdecimal() or not int(rows):
        return {}
    late = values[len(values) // 2 :]
    middle = statistics.fmean(late)
    least = max(SWING, ACCURACY_ERRORS * math.sqrt(max(0.0, middle * (1 - middle)) / int(rows)))
    falls = [before - after for before, after in itertools.pairwise(late) if before - after >= least]
    if len(falls) < max(2.0, SHARE_OF_EPOCHS * len(late)) or _calms(list(late)):
        return {}
    return {
        "falls of accuracy": len(falls),
        "of epochs": len(late),
        "median fall": statistics.median(falls),
        "threshold": least,
        "rows": int(rows),
    }


def _calms(values: list[float]) -> bool:
    """Whether steps up and down shrink towards the end."""
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    half = len(steps) // 2
    early, late = statistics.fmean(steps[:half]), statistics.fmean(steps[half:])
    return late < CALMED * early


def _rate_rises(trace: Trace) -> bool:
    rates = observed(trace, "lr").values
    lowest = math.inf
    for rate in rates[len(rates) // 2 :]:
        lowest = min(lowest, rate)
        if rate > RISING * lowest:
            return True
    return False


DISEASE = Disease(
    name="oscillating",
    group="dynamics",
    severity="warning",
    seen_as="The smoothed loss goes up and down by a large part of itself, and the swings do not shrink.",
    threshold=(
        f"In the second half of at least {2 * LEAST_LOSSES} losses, means of {BLOCKS} blocks (of whole epochs where"
        f" there are {LEAST_EPOCHS_IN_BLOCKS}) turn {LEAST_SWINGS} times or more by {OF_LEVEL:g} of the loss,"
        f" {OF_START:g} of the first losses and {STANDARD_ERRORS:g} standard errors; or accuracy over the training"
        f" rows falls by {SWING:g} (and {ACCURACY_ERRORS:g} standard errors) in {SHARE_OF_EPOCHS:g} of the epochs."
        " Not where swings shrink to"
        f" {CALMED:g} within that half, nor where the learning rate rises in it."
    ),
    source=(
        "AUTOTRAINER (ICSE 2021): swings of .03 in accuracy in a fifth of the epochs. The standard error of a block's"
        " mean is what the noise of batches makes of it; the share of the loss is our own choice."
    ),
    why=(
        "The steps carry the weights across the minimum and back again. The result depends on the step at which"
        " the training happens to stop."
    ),
    remedies=("lr", "batch-size"),
    explained_by=(
        "learning-rate-too-high",
        "batches-not-shuffled",
        "batch-too-small",
        "labels-imbalanced",
        "gradients-explode",
        "gradients-not-cleared",
        "scheduler-misused",
        "inputs-badly-scaled",
        "targets-badly-scaled",
    ),
    reads=("accuracy", "lr", "fact:rows", "fact:steps-per-epoch", *READS_LOSS),
    find=find,
)
