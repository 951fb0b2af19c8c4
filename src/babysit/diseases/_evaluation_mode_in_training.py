"""Training in evaluation mode."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest, observed
from babysit.record import Finding, Trace

SHARE = 0.05  # of the training passes: one or two passes may be a look at shapes
LEAST_STEPS = 3
MODAL = ("dropout", "batch-norm")  # layers that answer differently in the two modes


def find(trace: Trace) -> list[Finding]:
    """The share of passes; where it was not counted, the mode of the first."""
    layers = sum(layer.kind in MODAL for layer in trace.layers)
    share, steps = latest(trace, "evaluation-mode-share"), len(observed(trace, "evaluation-mode-share").steps)
    if share is not None:
        if share <= SHARE or (share < 1 and steps < LEAST_STEPS):
            return []
        evidence: dict[str, float | str] = {"training passes in evaluation mode": share, "threshold": SHARE}
    elif trace.facts.get("network-mode") == "evaluation" and layers:
        evidence = {"first training pass": "evaluation mode", "threshold": "training mode"}
    else:
        return []
    if layers:
        evidence["layers with dropout or batch normalisation"] = layers
    return [DISEASE.finding("network", evidence=evidence)]


DISEASE = Disease(
    name="evaluation-mode-in-training",
    group="wiring",
    severity="warning",
    seen_as="Training passes run in evaluation mode, in a network with dropout or batch normalisation.",
    threshold="More than 5 % of the training passes.",
    source=(
        "Our own choice: a call of eval() at the end of an epoch that is never taken back makes at least half of all"
        " passes after two epochs."
    ),
    why=(
        "In evaluation mode dropout is off, and batch normalisation uses averages that are no longer updated. The"
        " network trains without the regularisation and normalisation it was built with."
    ),
    remedies=("train-mode",),
    explained_by=(),
    reads=("evaluation-mode-share", "fact:network-mode"),
    find=find,
)
