"""Gradients whose signal is lost in the noise of few rows."""

from __future__ import annotations

import math
import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._explosion import lost
from babysit.diseases._learned import NOT_LEARNED, READS_LOSS, loss_over_start
from babysit.diseases._loss_curve import fall_in_errors, later_half
from babysit.diseases._reading import observed
from babysit.record import INPUTS, Finding, Trace

NOISY, VERY_NOISY = 10.0, 100.0  # noise scale over rows of the batch
LEAST_SAMPLES = 10  # of the second half
MOST_OF_THE_TIME = 0.8
LEAST_STEPS = 100
STANDARD_ERRORS = 3.0  # of the loss's fall in the second half: it is learning all the same


def find(trace: Trace) -> list[Finding]:
    """Noise counts only where nothing is learned: it grows in every training that goes well."""
    steps, scales = trace.series("gradient-noise-scale")
    rows = statistics.median(observed(trace, "batch-rows", layer=INPUTS).values or [0.0])
    losses, left = observed(trace, "loss"), loss_over_start(trace)
    if not rows or left is None or left < NOT_LEARNED or lost(trace):
        return []
    late = later_half(*losses)
    if losses.steps[-1] < LEAST_STEPS or fall_in_errors(late) > STANDARD_ERRORS:
        return []
    # The estimate of the signal is a difference: where noise drowns it, it comes out at zero or below.
    shares = [math.inf if scale <= 0 else scale / rows for scale in later_half(steps, scales) if not math.isnan(scale)]
    noisy = sum(share >= NOISY for share in shares)
    if len(shares) < LEAST_SAMPLES or noisy < MOST_OF_THE_TIME * len(shares):
        return []
    typical = statistics.median(shares)
    very = typical >= VERY_NOISY
    evidence = {
        "median noise scale over batch": typical if math.isfinite(typical) else "no signal",
        "threshold": VERY_NOISY if very else NOISY,
        "batch": rows,
        "samples above": noisy,
        "of samples": len(shares),
        "last loss over start": left,
    }
    return [DISEASE.finding(evidence=evidence, severity="warning" if very else "note")]


DISEASE = Disease(
    name="gradient-noise-high",
    group="dynamics",
    severity="warning",
    seen_as="The gradient of a batch is nearly all noise, and the loss does not fall.",
    threshold=(
        f"From {LEAST_STEPS} steps on: in {MOST_OF_THE_TIME:g} of at least {LEAST_SAMPLES} samples of the second half"
        f" the gradient noise scale is {NOISY:g} times the batch or more (a note; a warning at a median of"
        f" {VERY_NOISY:g}), {NOT_LEARNED:g} of the loss is left, and it falls by less than {STANDARD_ERRORS:g} standard"
        " errors in that half."
    ),
    source=(
        "McCandlish et al. 2018 (arXiv:1812.06162): at a batch of the noise scale, noise and signal are equal; they see"
        " tens of rows early and thousands late in trainings that go well, so noise alone is not a sign."
    ),
    why=(
        "Each step depends more on which rows were drawn than on what the rows have in common. The steps cancel"
        " each other, and the loss does not fall."
    ),
    remedies=("batch-size", "lr"),
    explained_by=(
        "labels-unrelated",
        "labels-imbalanced",
        "batch-too-small",
        "inputs-constant",
        "stuck-at-chance",
        "learning-rate-too-high",
        "units-dead",
        "gradients-vanish",
        "activations-vanish",
        "dropout-too-high",
    ),
    reads=("batch-rows", "gradient-noise-scale", *READS_LOSS),
    find=find,
)
