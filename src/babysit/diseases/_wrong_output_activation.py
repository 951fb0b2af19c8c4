"""An activation on the outputs that keeps them from what the targets or the loss need."""

from __future__ import annotations

import math
import statistics

from babysit.diseases._at_the_loss import (
    READS_OUTPUT_ACTIVATION,
    OutputActivation,
    of_outputs,
    output_activation,
    output_width,
    target_range,
    target_value,
)
from babysit.diseases._disease import Disease
from babysit.diseases._learned import SQUARED_OR_ABSOLUTE
from babysit.diseases._reading import always
from babysit.record import Finding, Severity, Trace

NEARLY_ALL = 0.99
CUT_OFF = 0.1  # of the targets' standard deviation: nearer to the limit, the error is small against their spread
CUT_OFF_SHARE = 0.05  # of normally spread targets beyond the limit: more than outliers
FLOOR_SHARE = 0.25  # of the loss of guessing, that the best possible outputs still have


def find(trace: Trace) -> list[Finding]:
    """One rule for each kind of loss; each needs an activation that outputs are seen to come out of."""
    loss = trace.facts.get("loss", "")
    last = output_activation(trace) or _softmax_unnamed(trace)
    if last is None:
        return []
    if loss in SQUARED_OR_ABSOLUTE:
        return _cuts_targets(trace, last)
    if loss == "cross-entropy":
        return _limits_classes(trace, last)
    if loss == "bce-with-logits":
        return _limits_two(trace, last)
    if loss in ("nll", "kl") and last.name == "softmax":
        evidence = {"loss": loss, "last activation": last.name, "threshold": "the loss takes log-probabilities"}
        # No single change turns probabilities under KL into their logarithms.
        remedies = ("remove-softmax", "loss=cross-entropy") if loss == "nll" else ()
        return [DISEASE.finding(last.layer, evidence=evidence, remedies=remedies)]
    return []


def _softmax_unnamed(trace: Trace) -> OutputActivation | None:
    """Rows that sum to one come out of a softmax, however it is written."""
    width = output_width(trace)
    rows = of_outputs(trace, "row-sum-one-share").values
    if width < 2 or not always(rows, lambda share: share >= NEARLY_ALL):
        return None
    return OutputActivation("outputs", "softmax", 0.0, 1.0)


def _cuts_targets(trace: Trace, last: OutputActivation) -> list[Finding]:
    limits = target_range(trace)
    mean, std = target_value(trace, "value-mean"), target_value(trace, "value-std")
    if limits is None:
        return []
    low, high = limits
    beyond = max(last.low - low, high - last.high)
    spread = std or max(abs(low), abs(high))
    if beyond <= CUT_OFF * spread:
        return []
    evidence: dict[str, float | str] = {
        "last activation": last.name,
        "outputs can be": last.range,
        "smallest target": low,
        "largest target": high,
        "targets beyond, in standard deviations": beyond / spread,
        "threshold": CUT_OFF,
    }
    severity: Severity = "warning"
    if mean is not None:
        share = _beyond_share(mean, std or 0.0, last)
        evidence |= {"share of targets beyond, were they normal": share, "threshold for sick": CUT_OFF_SHARE}
        severity = "sick" if share >= CUT_OFF_SHARE else "warning"
    remedies = ("remove-softmax",) if last.name == "softmax" else DISEASE.remedies
    return [DISEASE.finding(last.layer, evidence=evidence, severity=severity, remedies=remedies)]


def _beyond_share(mean: float, std: float, last: OutputActivation) -> float:
    """Of numbers with this mean and standard deviation, were they normal, what lies outside the limits."""
    if std == 0:
        return float(not last.low <= mean <= last.high)
    normal = statistics.NormalDist(mean, std)
    below = 0.0 if math.isinf(last.low) else normal.cdf(last.low)
    return below + (0.0 if math.isinf(last.high) else 1 - normal.cdf(last.high))


def _limits_classes(trace: Trace, last: OutputActivation) -> list[Finding]:
    """Logits with limits: the likeliest class has a limited probability. A softmax is another disease."""
    width = output_width(trace)
    if width < 2 or last.name in ("softmax", "log-softmax"):
        return []
    if math.isinf(last.high):
        # A hard limit at zero silences units for good; smooth ones that dip below it do no harm.
        return [_limited(last, "cross-entropy", 0.0, math.log(width), "warning")] if last.low == 0 else []
    if math.isinf(last.low):
        return []
    floor = math.log1p((width - 1) * math.exp(last.low - last.high))
    guess = math.log(width)
    return [_limited(last, "cross-entropy", floor, guess, "sick" if floor >= FLOOR_SHARE * guess else "warning")]


def _limits_two(trace: Trace, last: OutputActivation) -> list[Finding]:
    """One class of two is out of reach when logits cannot be far enough on its side."""
    if last.probability:
        return []
    floor = max(math.log1p(math.exp(last.low)), math.log1p(math.exp(-last.high)))
    guess = math.log(2)
    return [_limited(last, "bce-with-logits", floor, guess, "sick")] if floor >= FLOOR_SHARE * guess else []


def _limited(last: OutputActivation, loss: str, floor: float, guess: float, severity: Severity) -> Finding:
    evidence = {
        "loss": loss,
        "last activation": last.name,
        "outputs can be": last.range,
        "lowest loss possible": floor,
        "loss of guessing": guess,
        "threshold": FLOOR_SHARE,
    }
    return DISEASE.finding(last.layer, evidence=evidence, severity=severity)


DISEASE = Disease(
    name="wrong-output-activation",
    group="wiring",
    severity="sick",
    seen_as="The network ends with an activation, and it cuts off values that the targets or the loss need.",
    threshold=(
        "Numbers: targets pass the activation's limits by over 0.1 of their standard deviation; sick when over 5 % of"
        " normal numbers with their mean and spread would. Logits: sick when the best outputs within the limits still"
        " have a quarter of the loss of guessing; a ReLU under cross-entropy is a warning. Probabilities where"
        " log-probabilities are taken."
    ),
    source=(
        "Arithmetic of the limits: with ten classes and outputs in [0, 1], the loss stays above 1.46 of 2.30 nats. The"
        " shares are our own choice, so that outliers and a tanh over two classes are only a warning."
    ),
    why=(
        "No weights can make the outputs pass the limits of the activation, so some targets are out of reach."
        " Where the activation is flat, no gradient passes either."
    ),
    remedies=("linear-output",),
    explained_by=("softmax-over-one-unit", "double-softmax", "sigmoid-before-logits-loss"),
    reads=(
        "label-max",
        "label-min",
        "row-sum-one-share",
        "value-mean",
        "value-std",
        "fact:loss",
        *READS_OUTPUT_ACTIVATION,
    ),
    find=find,
)
