"""Stored rows that training changes: each epoch sees others."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="data-changed-in-place",
    group="dependence",
    severity="sick",
    seen_as="The stored rows of a data set change from epoch to epoch, while they still resemble their first values.",
    threshold=(
        "In each of two epochs in a row at least half of 64 sampled rows of the same array change, with a median"
        " correlation of 0.5 or more with what they were, or hold the same values in another order."
    ),
    source=(
        "A row that is replaced by another one has no correlation with it; one that is augmented in place has. A"
        " public project had this fault (pycls PR 21)."
    ),
    why=(
        "An augmentation that writes into the stored array is applied on top of those of all epochs before, until"
        " little of the row is left. Copy the row before it is changed: `row = rows[index].copy()`."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:data-changed-in-place",),
    find=find,
)
