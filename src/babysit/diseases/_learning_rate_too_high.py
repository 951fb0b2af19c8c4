"""A learning rate so high that the steps overshoot."""

from __future__ import annotations

import math
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._explosion import TIMES_THE_FIRST, Explosion, find_explosion
from babysit.diseases._learned import LEARNED, NOT_LEARNED, READS_LOSS, loss_over_start, means_progress
from babysit.diseases._loss_curve import fall_in_errors
from babysit.diseases._rates import another_rate, is_adaptive, typical, update_ratios
from babysit.diseases._reading import observed
from babysit.record import INPUTS, TARGETS, Finding, Severity, Trace

ABOUT_OKAY = 0.01  # update ratio, in the lecture's words; 0.001 is its aim
TOO_LARGE = 0.1  # DeepDiagnosis; TheDeepChecker has 10^-1 as well
ADAPTIVE_RATE = 0.1  # a hundred times Adam's usual one; UMLAUT warns from .01 on, where many nets learn well
LEAST_STEPS = 50
SURE_STEPS = 100  # some sound networks with small first weights learn nothing for fifty steps; below, a warning
EARLY = 20  # steps
RISEN = 1.2  # end over start: more than the noise of a level that nothing moves
STANDARD_ERRORS = 5.0  # of the rise between the halves: hardly ever by chance
MOST_OF_THE_RATE = 0.1  # what is left of it in the remedy, at most
SHRUNK = 0.5  # of a weight's first length: from here down a ratio is told over the first length
FAR = 100.0  # times the start: what no loss written by hand is meant to do, however it is meant


def find(trace: Trace) -> list[Finding]:
    """An explosion first; without one, large updates that lead nowhere."""
    explosion = find_explosion(trace)
    if explosion is not None:
        return _exploded(trace, explosion)
    left = loss_over_start(trace)
    losses = observed(trace, "loss")
    if left is None or len(losses.values) < LEAST_STEPS:
        return []
    last_step, half = losses.steps[-1], losses.steps[-1] / 2
    late = _medians(trace, since=half)
    large = [ratio for ratio in late.values() if ratio > TOO_LARGE]
    evidence: dict[str, Any] = {"last loss over start": left, "steps": last_step + 1}
    long = last_step + 1 >= SURE_STEPS
    # It is unknown whether a loss written by hand should fall.
    worst: Severity = "sick" if long and means_progress(trace) else "warning"
    rate = _highest_rate(trace)
    if left >= NOT_LEARNED and is_adaptive(trace) and rate is not None and rate >= ADAPTIVE_RATE:
        evidence |= {"lr": rate, "threshold": ADAPTIVE_RATE, "optimizer": trace.facts["optimizer"]}
        return [_finding(trace, evidence, worst, late)]
    if left >= LEARNED and large and len(large) >= len(late) / 2:
        return [_finding(trace, evidence, worst if left >= NOT_LEARNED else "warning", late)]
    if left >= RISEN and fall_in_errors(losses.values) < -STANDARD_ERRORS and late and max(late.values()) > ABOUT_OKAY:
        risen: Severity = worst if means_progress(trace) else "note"
        return [_finding(trace, evidence | {"threshold of the rise": RISEN}, risen, late, ABOUT_OKAY)]
    early = _medians(trace, until=EARLY)
    large = [ratio for ratio in early.values() if ratio > TOO_LARGE]
    if long and left >= NOT_LEARNED and len(large) > len(early) / 2:
        # The first updates broke the units, and what is broken gets no more updates.
        return [_finding(trace, evidence, "warning", early)]
    return []


def _exploded(trace: Trace, explosion: Explosion) -> list[Finding]:
    left = loss_over_start(trace)
    gone = explosion.lasting or left is None or left >= NOT_LEARNED
    if explosion.step == 0 or not (gone or explosion.leapt):
        return []
    ratios = _medians(trace, until=explosion.step)
    # The step that broke it may come long after the last one that was measured, or be that one.
    last = {
        layer: max(value for step, value in [*zip(*series, strict=True)][-3:] if math.isfinite(value))
        for layer, series in update_ratios(trace).items()
    }
    worst = max([*ratios.values(), *(last.values() if explosion.lasting else ())], default=None)
    if worst is None and _not_finite_data(trace):
        return []
    if worst is not None and worst <= ABOUT_OKAY:
        return []
    sure = explosion.leapt if worst is None else worst > TOO_LARGE or explosion.leapt
    severity: Severity = "sick" if sure else "warning"
    if not gone:
        severity = "note" if left is not None and left < LEARNED else "warning"
    if not _certain(trace, explosion):
        severity = "note"
    evidence: dict[str, Any] = {"loss": _written(explosion.loss), "step": explosion.step, "leapt": explosion.leapt}
    if math.isfinite(explosion.limit):
        evidence["threshold of the loss"] = explosion.limit
    passed = TOO_LARGE if worst is not None and worst > TOO_LARGE else ABOUT_OKAY
    return [_finding(trace, evidence, severity, ratios or last, passed)]


def _certain(trace: Trace, explosion: Explosion) -> bool:
    """Whether a loss that leapt is a bad one: a loss written by hand may be meant to, unless it leaves all sense."""
    losses = trace.series("loss").values
    if means_progress(trace) or not all(math.isfinite(loss) for loss in losses):
        return True
    return max(losses) > FAR * max(1.0, explosion.limit / TIMES_THE_FIRST)


def _written(loss: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return loss if math.isfinite(loss) else str(loss)


def _not_finite_data(trace: Trace) -> bool:
    return any(share > 0 for part in (INPUTS, TARGETS) for share in trace.series("not-finite-share", layer=part).values)


def _medians(trace: Trace, *, since: float = -math.inf, until: float = math.inf) -> dict[str, float]:
    medians = {layer: typical(series, since=since, until=until) for layer, series in update_ratios(trace).items()}
    return {layer: median * _shrunk(trace, layer) for layer, median in medians.items() if median is not None}


def _shrunk(trace: Trace, layer: str) -> float:
    """What is left of a weight that was pulled to zero, else 1: any step is large against next to nothing."""
    lengths = observed(trace, "weight-norm", layer=layer).values
    kept = lengths[-1] / lengths[0] if lengths and lengths[0] > 0 else 1.0
    return kept if kept <= SHRUNK else 1.0


def _highest_rate(trace: Trace) -> float | None:
    return max(observed(trace, "lr").values, default=None)


def _finding(
    trace: Trace, evidence: dict[str, Any], severity: Severity, ratios: dict[str, float], threshold: float = TOO_LARGE
) -> Finding:
    worst = max(ratios, key=lambda layer: ratios[layer], default="")
    if ratios:
        evidence = {"threshold": threshold} | evidence | {"update ratio": ratios[worst], "of layer": worst}
    else:
        evidence = {"threshold": f"a loss above {TIMES_THE_FIRST:g} times the first, or none"} | evidence
    rate = _highest_rate(trace)
    remedies = list(DISEASE.remedies)
    if rate:
        evidence["lr"] = rate
        remedies[0] = another_rate(rate, ratios.get(worst), ABOUT_OKAY, MOST_OF_THE_RATE)
    return DISEASE.finding(worst, evidence=evidence, severity=severity, remedies=remedies)


DISEASE = Disease(
    name="learning-rate-too-high",
    group="dynamics",
    severity="sick",
    seen_as="The loss jumps or does not fall, while each step changes a large part of the weights.",
    threshold=(
        f"A loss that is NaN, infinite, or above {TIMES_THE_FIRST:g} times the start for 5 steps, with a typical update"
        f" ratio above {ABOUT_OKAY:g} before (or none measured). Without that, from {LEAST_STEPS} steps on (a warning"
        f" below {SURE_STEPS}): {NOT_LEARNED:g} of the loss is left and ratios of half of the layers are above"
        f" {TOO_LARGE:g}, or an adaptive optimizer has a rate of {ADAPTIVE_RATE:g} or more; or the loss ends above"
        f" {RISEN:g} times the start with ratios above {ABOUT_OKAY:g}. A warning where {LEARNED:g} to"
        f" {NOT_LEARNED:g} of the loss is left, or only the first {EARLY} ratios are so large; a note where the loss"
        f" recovered. Ratios of weights that shrank to {SHRUNK:g} and less are told over their first length. Of a loss"
        f" written by hand only a warning, and a note where it only rises, unless it is not a number or passes"
        f" {FAR:g} times the start (and {FAR:g})."
    ),
    source=(
        "CS231n, lecture 6: leave off above 3 times the first loss; update ratios should be about .001, .01 is about"
        " okay. DeepDiagnosis (ICSE 2022) and TheDeepChecker (TOSEM 2022): above .1. Measured on the lecture's net on"
        " CIFAR-10: ratios of the worst layer .02 at a good rate, .08 at a rate of .001, .3 at .003, which diverges."
    ),
    why=(
        "Each step goes past the minimum and up the other side. The loss jumps or does not fall, and units that"
        " were moved far off may never recover."
    ),
    remedies=("lr", "clip-norm=1"),
    explained_by=(
        "inputs-not-finite",
        "targets-not-finite",
        "inputs-badly-scaled",
        "targets-badly-scaled",
        "wrong-loss",
        "gradients-not-cleared",
        "gradient-sign-flipped",
        "scheduler-misused",
        "activations-explode",
        "batch-too-small",
        "evaluation-mode-in-training",
    ),
    reads=("lr", "not-finite-share", "update-ratio", "weight-norm", "fact:optimizer", *READS_LOSS),
    find=find,
)
