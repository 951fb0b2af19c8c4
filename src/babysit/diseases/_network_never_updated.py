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
    seen_as="A network of the same shape as the trained one is loaded with its own weights.",
    threshold=(
        "Every weight that is loaded lies at the address of the network's own, which no optimizer of the trained"
        " network steps."
    ),
    source=("Arithmetic: such a load copies each number onto itself. A public project had this fault (MARL issue 8)."),
    why=(
        "A target or averaged network that never changes computes its targets with its first, random weights. Load"
        " the trained network's state into it: `target.load_state_dict(network.state_dict())`."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:network-never-updated",),
    find=find,
)
