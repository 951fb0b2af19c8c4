"""A deep network without normalisation, in which activations or gradients vanish or explode."""

from __future__ import annotations

from babysit.diseases import _activations_explode, _activations_vanish, _gradients_explode, _gradients_vanish
from babysit.diseases._depth import NORMS, main_activation
from babysit.diseases._disease import Disease
from babysit.record import ACTIVATIONS, WEIGHTED, Finding, Trace

DEEP = 6  # weighted layers
SYMPTOMS = (_activations_vanish, _activations_explode, _gradients_vanish, _gradients_explode)
OWN_SCALE = frozenset(name for name, facts in ACTIVATIONS.items() if facts.keeps_scale)


def find(trace: Trace) -> list[Finding]:
    """Report it only beside a disease that it would treat."""
    weighted = [layer for layer in trace.layers if layer.kind in WEIGHTED]
    if len(weighted) < DEEP or any(layer.kind in NORMS for layer in trace.layers):
        return []
    if any(layer.kind in ("recurrent", "attention") for layer in weighted) or main_activation(trace) in OWN_SCALE:
        return []
    symptoms = [found for module in SYMPTOMS for found in module.find(trace) if found.severity != "note"]
    if not symptoms:
        return []
    evidence = {
        "weighted layers": len(weighted),
        "threshold": DEEP,
        "normalisations": 0,
        "would treat": ", ".join(found.name for found in symptoms),
    }
    return [DISEASE.finding(evidence=evidence)]


DISEASE = Disease(
    name="batch-norm-missing",
    group="set-up",
    severity="note",
    seen_as="A deep network has no normalisation, and its activations or gradients vanish or explode.",
    threshold=f"{DEEP} weighted layers and more, no normalisation, and one of these found as a warning or worse.",
    source=(
        "Ioffe and Szegedy 2015, arXiv:1502.03167; CS231n lecture 6. Measured on digits: ten layers of 128 learn with"
        " batch normalisation whatever the scale of their weights, nine with PyTorch's default weights and none do"
        " not."
    ),
    why=(
        "Normalising the outputs of each layer keeps the signal at one size through any depth, whatever the first"
        " weights are. Without it, a deep network needs an initialisation that fits its activation."
    ),
    remedies=("insert-batch-norm",),
    explained_by=("activations-vanish", "activations-explode", "gradients-vanish", "gradients-explode"),
    reads=(*(name for module in SYMPTOMS for name in module.DISEASE.reads),),
    find=find,
)
