"""Steps so small that nothing is learned in the time there is."""

from __future__ import annotations

import math
import statistics
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._explosion import find_explosion
from babysit.diseases._learned import LEARNED, NOT_LEARNED, READS_LOSS, loss_over_start, means_progress
from babysit.diseases._loss_curve import end_level, fall_in_errors, later_half, trend
from babysit.diseases._rates import another_rate, still_warming_up, update_ratios
from babysit.diseases._reading import observed
from babysit.record import Finding, Severity, Trace

TOO_SMALL = 1e-5  # update ratio, DeepDiagnosis. A weight moves by a tenth of itself in ten thousand such steps
SMALL = 1e-4  # TheDeepChecker
AIM = 1e-3  # the lecture's update ratio
SHORT = 20  # steps: below it losses say nothing
LONG = 100
LONG_AT_CHANCE = 60  # some sound networks stay at chance for fifty steps
LONG_ENOUGH = 300  # losses of a fall that is not tiny
STEADY = 1.5  # how much steeper one half of such a fall may be: sound curves level off
MUCH = 0.95  # of the loss is left at most: a fall that can be seen
CONSTANT = 1.05  # highest rate over the lowest
STANDARD_ERRORS = 5.0  # of the fall within either half
LITTLE = 0.01  # AUTOTRAINER: a gain below .01 is slow. The lecture's rate of 1e-6 gives 7e-5 in 1000 steps
STRAIGHT = 3.0  # how much steeper one half of the fall may be than the other
# Lengths of themselves that the weights of any layer can have moved by, all steps added up: mean update ratio times
# steps. Measured: digits under SGD at 0.001 for 5 epochs .016, at 0.01 for 2 epochs .068, both at chance; two epochs
# that learn half of what there is .25, trainings that learn 1.8 to 9.
TRAVEL = 0.1
IN_A_ROW = 5  # ratios of which a median is taken
VANISHED = 1e-7  # gradient norm, SageMaker Debugger's mean gradient: another disease
LEAST_FACTOR = 10.0  # by which the remedy raises the rate


def find(trace: Trace) -> list[Finding]:
    """Tiny updates in all layers; or small ones (or none measured) and a straight, tiny fall."""
    losses = observed(trace, "loss")
    left = loss_over_start(trace)
    if not losses.values or find_explosion(trace) is not None or still_warming_up(trace) or _vanished(trace):
        return []
    if left is not None and left < LEARNED:
        return []
    # A layer's liveliest time: a rate that has done its work may well be small at the end. What never moves is frozen.
    liveliest = {
        layer: _high(series.values)
        for layer, series in update_ratios(trace).items()
        if max(series.values) and not _drawn_at_zero(trace, layer)
    }
    worst = max(liveliest, key=lambda layer: liveliest[layer], default=None)
    steps = losses.steps[-1] - losses.steps[0] + 1
    evidence: dict[str, Any] = {"steps": steps}
    if left is not None:
        evidence["last loss over start"] = left
    if worst is not None:
        evidence |= {"largest update ratio": liveliest[worst], "of layer": worst}
    if worst is not None and liveliest[worst] < TOO_SMALL:
        evidence["threshold"] = TOO_SMALL
        return [_finding(trace, evidence, "warning" if steps < SHORT else "sick", liveliest[worst])]
    ratios = update_ratios(trace)
    travel = max((statistics.fmean(ratios[layer].values) * steps for layer in liveliest), default=TRAVEL)
    at_chance = left is not None and left >= NOT_LEARNED and steps >= LONG_AT_CHANCE and means_progress(trace)
    at_chance = at_chance and not _gathers_speed(*losses)
    if worst is not None and at_chance and travel < TRAVEL:
        evidence |= {"all steps together move the weights by at most": travel, "threshold": TRAVEL}
        # Its own end was seen: nothing more is to come.
        return [_finding(trace, evidence, "sick" if "epochs" in trace.facts else "warning", liveliest[worst])]
    if _still_straight(trace, left):
        return [_finding(trace, evidence | {"threshold": STEADY}, "warning", None)]
    if steps < LONG or (worst is not None and liveliest[worst] > SMALL) or (worst is None and _never_stepped(trace)):
        return []
    fallen = _straight_fall(losses.steps, losses.values)
    if fallen is None or not 0 < fallen < LITTLE:
        return []
    evidence |= {"fell by": fallen, "threshold of the fall": LITTLE, "threshold": SMALL}
    return [_finding(trace, evidence, "warning" if worst is None else "sick", liveliest[worst] if worst else None)]


def _high(values: tuple[float, ...]) -> float:
    """The largest median of five in a row: single large updates say nothing, and what died later was alive."""
    last = max(1, len(values) - IN_A_ROW + 1)
    return max(statistics.median(values[place : place + IN_A_ROW]) for place in range(last))


def _drawn_at_zero(trace: Trace, layer: str) -> bool:
    """Weights that begin at zero change by a large part of themselves at any rate."""
    return math.inf in trace.series("update-ratio", layer=layer).values


def _never_stepped(trace: Trace) -> bool:
    """Ratios were measured, and all were zero: nothing stepped, which is not a matter of a rate."""
    return bool(trace.layers_with("update-ratio"))


def _vanished(trace: Trace) -> bool:
    lengths = observed(trace, "gradient-norm").values
    return bool(lengths) and max(lengths) < VANISHED


def _still_straight(trace: Trace, left: float | None) -> bool:
    """The lecture's curve of a low rate: a long, straight fall that is far from done, at a constant rate."""
    steps, values = observed(trace, "loss")
    rates = observed(trace, "lr").values
    if left is None or len(values) < LONG_ENOUGH or (rates and max(rates) > CONSTANT * min(rates)):
        return False
    late = later_half(steps, values)
    early = list(values[: len(values) - len(late)])
    first, second = -trend(early), -trend(late)
    surely = min(fall_in_errors(early), fall_in_errors(late)) > STANDARD_ERRORS
    return surely and left < MUCH and max(first, second) < STEADY * min(first, second)


def _gathers_speed(steps: tuple[int, ...], values: tuple[float, ...]) -> bool:
    """Whether the second half of the fall is far steeper: the weights only had to leave their start."""
    late = later_half(steps, values)
    early = list(values[: len(values) - len(late)])
    return fall_in_errors(late) > STANDARD_ERRORS and -trend(late) > STRAIGHT * max(0.0, -trend(early))


def _straight_fall(steps: tuple[int, ...], values: tuple[float, ...]) -> float | None:
    """What the loss fell by, as a share of it, where both halves of the fall are about as steep; None elsewhere."""
    late = later_half(steps, values)
    early = list(values[: len(values) - len(late)])
    whole, level = -trend(values), end_level(values)
    first, second = -trend(early), -trend(late)
    if level <= 0 or min(first, second) <= 0 or max(first, second) > STRAIGHT * min(first, second):
        return None
    return whole / level if math.isfinite(whole) else None


def _finding(trace: Trace, evidence: dict[str, Any], severity: Severity, ratio: float | None) -> Finding:
    rate = max(observed(trace, "lr").values, default=None)
    remedies = list(DISEASE.remedies)
    if rate:
        evidence["lr"] = rate
        remedies[0] = another_rate(rate, ratio, AIM, LEAST_FACTOR)
    return DISEASE.finding(str(evidence.get("of layer", "")), evidence=evidence, severity=severity, remedies=remedies)


DISEASE = Disease(
    name="learning-rate-too-low",
    group="dynamics",
    severity="sick",
    seen_as="The loss falls by almost nothing, in a straight line, and the steps hardly change the weights.",
    threshold=(
        f"Update ratios (the largest median of {IN_A_ROW} in a row) are below {TOO_SMALL:g} in every layer that moves"
        f" and did not begin at zero (a warning below {SHORT} steps); or below {SMALL:g}, or unknown (a warning), while"
        f" the loss falls by less than {LITTLE:g} of itself over at least {LONG} steps, either half of it at most"
        f" {STRAIGHT:g} times as steep as the other. A warning as well for a straight fall of any size over"
        f" {LONG_ENOUGH} losses at a constant rate, either half at most {STEADY:g} times as steep; and where all steps"
        f" together, the mean update ratio times their number, move no layer by {TRAVEL:g} of itself, while"
        f" {NOT_LEARNED:g} of the loss is left after {LONG_AT_CHANCE} steps (sick where the training's own end was"
        " seen). Not while the rate"
        f" warms up, where gradients vanished, or where less than {LEARNED:g} of the loss is left."
    ),
    source=(
        "CS231n, lecture 6: a rate of 1e-6 takes the loss from 2.302576 to 2.302420 in ten epochs; update ratios should"
        " be about .001. DeepDiagnosis (ICSE 2022): below 1e-5; TheDeepChecker (TOSEM 2022): below 1e-4; AUTOTRAINER"
        " (ICSE 2021): gains below .01. Measured on the lecture's net at 1e-6: ratios 5e-6 and 8e-5, a fall of 3e-5."
    ),
    why=(
        "At this learning rate the weights stay close to their random start. The training would need about a"
        " thousand times as many steps."
    ),
    remedies=("lr",),
    explained_by=(
        "loss-ignores-outputs",
        "scheduler-misused",
        "step-missing",
        "parameters-frozen",
        "gradients-vanish",
        "activations-vanish",
        "parameters-not-optimised",
        "weights-symmetric",
        "initial-loss-off",
        "activations-explode",
        "units-saturated",
        "units-dead",
        "softmax-over-one-unit",
    ),
    reads=("gradient-norm", "lr", "update-ratio", "fact:epochs", *READS_LOSS),
    find=find,
)
