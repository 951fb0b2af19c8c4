"""Batches of so few rows that noise drowns the gradient, or batch normalisation has nothing to average."""

from __future__ import annotations

import math
import statistics

from babysit.diseases import _labels_unrelated, _learning_rate_too_high, _learning_rate_too_low
from babysit.diseases._disease import Disease
from babysit.diseases._learned import NOT_LEARNED, READS_LOSS, loss_over_start
from babysit.diseases._reading import observed
from babysit.record import INPUTS, Finding, Severity, Trace

FEW_FOR_BATCH_NORM = 2  # normalised, two rows are -1 and 1 in each unit, whatever they were: arithmetic
SMALL_BATCH = 32  # larger ones are not small, whatever the noise: see `gradient-noise-high`
# The noise scale grows as the loss falls: McCandlish et al. 2018 (figure 4) see tens of rows early and thousands late
# in trainings that go well. So noise alone is not a sign; the loss has to stand still, too.
NOISE_OVER_BATCH = 100.0
LEAST_SAMPLES = 20
SURE_STEPS = 100  # some sound networks learn nothing for fifty steps
OTHER_REASONS = (_learning_rate_too_high, _learning_rate_too_low, _labels_unrelated)
LARGER = 4  # times as many rows are what the remedy tries
STANDS_STILL = 0.98  # median loss of the last quarter over that of the first


def find(trace: Trace) -> list[Finding]:
    """Two reasons, told apart by what they name."""
    sizes = observed(trace, "batch-rows", layer=INPUTS).values
    if not sizes:
        return []
    rows = statistics.median(sizes)
    return _batch_norm(trace, rows) + _noise(trace, rows)


def _batch_norm(trace: Trace, rows: float) -> list[Finding]:
    layers = [layer.name for layer in trace.layers if layer.kind == "batch-norm"]
    if not layers or rows > FEW_FOR_BATCH_NORM or trace.facts.get("network-mode") == "evaluation":
        return []
    evidence = {"rows a batch": rows, "threshold": FEW_FOR_BATCH_NORM, "batch normalisations": len(layers)}
    left = loss_over_start(trace)
    severity: Severity = "warning"
    if left is not None and left >= NOT_LEARNED and len(observed(trace, "loss").values) >= SURE_STEPS:
        evidence["last loss over start"] = left
        severity = "sick"
    return [DISEASE.finding(layers[0], evidence=evidence, severity=severity)]


def _noise(trace: Trace, rows: float) -> list[Finding]:
    medians = {
        layer: statistics.median(scales)
        for layer in trace.layers_with("gradient-noise-scale")
        if len(scales := _scales(trace, layer)) >= LEAST_SAMPLES
    }
    quietest = min(medians, key=lambda layer: medians[layer], default=None)
    losses = observed(trace, "loss").values
    if "each-step" in trace.facts:
        return []  # all rows there are: nothing of its gradient is chance
    if quietest is None or rows > SMALL_BATCH or medians[quietest] < NOISE_OVER_BATCH * rows:
        return []
    quarter = len(losses) // 4
    # Steps that overshoot, or are next to nothing, make a loss stand still whatever the batch; so do foreign labels.
    otherwise = any(rule.find(trace) for rule in OTHER_REASONS)
    if quarter < LEAST_SAMPLES or otherwise:
        return []
    first, last = statistics.median(losses[:quarter]), statistics.median(losses[-quarter:])
    if (
        first <= 0 or last < STANDS_STILL * first
    ):  # the loss of a policy gradient is around zero, and its level means nothing
        return []
    evidence = {
        "noise scale": str(medians[quietest]) if math.isinf(medians[quietest]) else medians[quietest],
        "rows a batch": rows,
        "threshold": NOISE_OVER_BATCH * rows,
        "first losses": first,
        "last losses": last,
    }
    larger = (f"batch-size={round(LARGER * rows)}",)
    return [DISEASE.finding(quietest or "batches", evidence=evidence, remedies=larger)]


def _scales(trace: Trace, layer: str) -> list[float]:
    """Estimates below zero or infinite say that no signal was left."""
    values = trace.series("gradient-noise-scale", layer=layer).values
    return [value if value > 0 else math.inf for value in values if not math.isnan(value)]


DISEASE = Disease(
    name="batch-too-small",
    group="data",
    severity="warning",
    seen_as=(
        "A batch has one or two rows and the network has batch normalisation, or the loss does not fall because"
        " the gradients are noise."
    ),
    threshold=(
        f"Batch normalisation with a median of at most {FEW_FOR_BATCH_NORM} rows a batch (sick where {NOT_LEARNED:g} of"
        f" the loss is left after {SURE_STEPS} steps); or at most {SMALL_BATCH} rows"
        f" with a median noise scale over {NOISE_OVER_BATCH:g} times as many in {LEAST_SAMPLES} samples and more, while"
        f" the last quarter's median loss is at least {STANDS_STILL:g} of the first's."
    ),
    source=(
        "Wu and He 2018, Group Normalization, figure 1: the error of ResNet-50 with batch normalisation rises from 23.6"
        " to 34.7 % at 2 rows. McCandlish et al. 2018: the noise scale is the batch size at which noise equals signal,"
        " and reaches thousands of rows in trainings that go well, so that noise alone is not an alarm."
    ),
    why=(
        "A mean over a few rows is mostly chance, so the gradient points almost anywhere. Batch normalisation"
        " passes that chance on to every later layer, and evaluation uses other statistics than training."
    ),
    remedies=("batch-size=32",),
    # What keeps the signal out of the gradient leaves noise alone, whatever the batch.
    explained_by=(
        "activations-vanish",
        "rows-mixed",
        "positions-mixed",
        "inputs-ignored",
        "targets-misaligned",
        "targets-conflict",
    ),
    reads=(
        "batch-rows",
        "gradient-noise-scale",
        "fact:each-step",
        "fact:network-mode",
        *READS_LOSS,
        *(name for rule in OTHER_REASONS for name in rule.DISEASE.reads),
    ),
    find=find,
)
