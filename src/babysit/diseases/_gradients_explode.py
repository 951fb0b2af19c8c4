"""Gradients that grow from layer to layer on their way back."""

from __future__ import annotations

from babysit.diseases._depth import (
    NORMS,
    between,
    exploding,
    gradients_at_the_end,
    gradients_at_the_start,
    hidden_layers,
)
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, loss_left, severity_by_outcome
from babysit.record import Finding, Severity, Trace

GROWN, EXPLODED = 100.0, 1000.0
# Batch normalisation with ReLU multiplies the variance of gradients by pi / (pi - 1) a layer, at any weights
# (Yang et al. 2019, arXiv:1902.08129); measured here: 3.7 behind ten of them, 9 behind twenty.
PER_NORM = 1.21


def find(trace: Trace) -> list[Finding]:
    """At the start, and still at the end."""
    start, end = exploding(gradients_at_the_start(trace)), exploding(gradients_at_the_end(trace))
    if start is None or end is None:
        return []
    norms = sum(any(other.kind in NORMS for other in between(trace, layer)) for layer in hidden_layers(trace))
    baseline = PER_NORM**norms
    grown = min(start.ratio, end.ratio) / baseline
    if grown < GROWN:
        return []
    severity: Severity = "sick" if grown >= EXPLODED else "warning"
    layers = len(gradients_at_the_start(trace))
    evidence = {
        "first layer": start.first.layer,
        "gradient there": start.first.value,
        "deep layer": start.last.layer,
        "gradient at the deep layer": start.last.value,
        "first over deep": start.ratio,
        "at the end": end.ratio,
        "sound for its normalisations": baseline,
        "threshold": (EXPLODED if grown >= EXPLODED else GROWN) * baseline,
        "per layer": start.ratio ** (1 / (layers - 1)),
        "hidden layers": layers,
    }
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    return [DISEASE.finding(start.first.layer, evidence=evidence, severity=severity_by_outcome(trace, severity))]


DISEASE = Disease(
    name="gradients-explode",
    group="set-up",
    severity="sick",
    seen_as="Gradients grow from layer to layer on their way back, and the first layers get far too large steps.",
    threshold=(
        "Gradient at the outputs of the first hidden layers over that of the last, of three and more, in the first ten"
        f" observations and in the last ten, over {PER_NORM:g} for each normalisation: from {GROWN:g} a warning, from"
        f" {EXPLODED:g} sick; one step milder where the loss is below half of a constant answer's."
    ),
    source=(
        "AUTOTRAINER (ICSE 2021) takes 70 of first over last. Measured on digits and small synthetic tasks, where this"
        " line was set too: 83 trainings that learn have 9 at most, nine tanh layers with weights of std 1 have 330,"
        " eight ReLU layers with std 0.5 have 5500. The growth behind batch normalisation: Yang et al. 2019,"
        " arXiv:1902.08129."
    ),
    why=(
        "No learning rate suits all layers: one that moves the last layers is far too high for the first ones. The"
        " loss jumps or becomes NaN."
    ),
    remedies=("initialise", "insert-batch-norm", "clip-norm=1"),
    explained_by=("activations-explode", "units-saturated"),
    reads=("activation-gradient-std", *READS_LEARNED),
    find=find,
)
