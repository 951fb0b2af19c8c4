"""Targets that are shifted against the inputs by something else than one."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="targets-misaligned",
    group="dependence",
    severity="sick",
    seen_as="The network sees tokens up to a position, and the target is a token two or more positions later.",
    threshold=(
        "Of at least 8 tested answers, 90 % have the token at one distance of 2 to 4 behind the last that they"
        " depend on for their target, and at most 70 % the next one."
    ),
    source=(
        "Which tokens an answer depends on is measured by its gradient with respect to their embeddings. Targets"
        " are shifted twice where a model shifts them itself (Transformers issue 47394)."
    ),
    why=(
        "The network learns to skip tokens, so text that is generated one token at a time is wrong. Shift the"
        " targets once: in the data, or in the model, not in both."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:targets-misaligned",),
    find=find,
    alone=True,
)
