"""Clipping that shortens every gradient."""

from __future__ import annotations

import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._learned import NOT_LEARNED, READS_LOSS, loss_over_start
from babysit.diseases._rates import is_adaptive
from babysit.diseases._reading import observed
from babysit.record import Finding, Severity, Trace

UNTOUCHED = 0.999  # clip_grad_norm_ multiplies by norm / (norm + 1e-6)
LEAST_STEPS = 20
STRONGLY = 0.1  # median factor; mild clipping at each step is usual for transformers


def find(trace: Trace) -> list[Finding]:
    """Judge the clipping factor at every observed step."""
    factors = observed(trace, "clip-factor").values
    if len(factors) < LEAST_STEPS or max(factors) >= UNTOUCHED or statistics.median(factors) >= STRONGLY:
        return []
    left = loss_over_start(trace)
    # Adam divides the factor out again; and what learns is none the worse for its short steps.
    harmful = not is_adaptive(trace) and left is not None and left >= NOT_LEARNED
    severity: Severity = "warning" if harmful else "note"
    evidence = {
        "median factor": statistics.median(factors),
        "threshold": STRONGLY,
        "largest factor": max(factors),
        "steps": len(factors),
    }
    if left is not None:
        evidence["last loss over start"] = left
    return [DISEASE.finding("optimizer", evidence=evidence, severity=severity)]


DISEASE = Disease(
    name="gradients-clipped-always",
    group="dynamics",
    severity="note",
    seen_as="Every gradient is clipped to a small part of its length.",
    threshold=(
        f"Clipped at each of at least {LEAST_STEPS} observed steps, to a median of less than {STRONGLY:g} of its"
        f" length. A warning where {NOT_LEARNED:g} of the loss is left and the optimizer is not an adaptive one."
    ),
    source=(
        "Arithmetic: where every step is clipped, plain descent takes steps of rate times threshold, whatever the"
        " gradient's length. Pascanu et al. 2013 set the threshold at half to ten times the average length."
    ),
    why=(
        "All steps have the same length, near the minimum as far from it, so the clipping threshold acts as the"
        " learning rate. A learning rate tuned this way says nothing about a training without clipping."
    ),
    remedies=("clip-norm", "lr"),
    explained_by=(
        "gradients-explode",
        "activations-explode",
        "inputs-badly-scaled",
        "targets-badly-scaled",
        "wrong-loss",
        "gradients-not-cleared",
        "initial-loss-off",
    ),
    reads=("clip-factor", "fact:optimizer", *READS_LOSS),
    find=find,
)
