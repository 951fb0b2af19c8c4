"""A token that is to be predicted stands in the input at the same place."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="targets-in-inputs",
    group="dependence",
    severity="sick",
    seen_as="The target at a position is a token that the network already sees there.",
    threshold=(
        "Of at least 8 tested answers, 90 % have the last token that they depend on for their target, and at most"
        " 70 % any later token."
    ),
    source=(
        "Which tokens an answer depends on is measured by its gradient with respect to their embeddings. The shares"
        " leave room for repeated tokens."
    ),
    why=(
        "The network learns to copy its input, and can predict nothing where the token is not known yet. Shift the"
        " targets by one: inputs `tokens[:, :-1]`, targets `tokens[:, 1:]`."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:targets-in-inputs",),
    find=find,
)
