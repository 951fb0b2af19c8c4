"""A second network, of the same shape, that is meant to follow the trained one and never does."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="network-never-updated",
    group="dependence",
    severity="sick",
    seen_as="A network of the same shape as the trained one is loaded with its own weights, or follows it and stays.",
    threshold=(
        "Every weight that is loaded lies at the address of the network's own, which no optimizer of the trained"
        " network steps. Or all its weights are gone through in at least 10 steps, between the backward pass and the"
        " next forward pass, and none of them has changed, while those of the trained network have."
    ),
    source=(
        "Arithmetic: such a load copies each number onto itself, and `p = m * p + (1 - m) * q` gives a name to a new"
        " tensor and changes no weight. A public project had the first fault (MARL issue 8)."
    ),
    why=(
        "A target or averaged network that never changes computes its targets with its first, random weights. Load"
        " the trained network's state into it, `target.load_state_dict(network.state_dict())`, or write into its"
        " weights: `p.lerp_(q, 1 - m)`."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:network-never-updated",),
    find=find,
)
