"""An answer that depends on later tokens, which hold its target."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="future-leaks",
    group="dependence",
    severity="sick",
    seen_as="Targets are the next tokens, and the answer at a position depends on later tokens.",
    threshold=(
        "Of at least 8 tested answers, 90 % have the next token for their target and a gradient with respect to"
        " that very token."
    ),
    source=(
        "Which tokens an answer depends on is measured by its gradient with respect to their embeddings: with a"
        " causal mask it is exactly zero for later ones."
    ),
    why=(
        "The network reads the answer from its inputs: the loss falls to nearly zero, and generated text is"
        " worthless. Mask later positions in the attention, over the keys."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:future-leaks",),
    find=find,
)
