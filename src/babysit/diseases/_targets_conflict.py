"""Equal or mirrored rows whose targets contradict each other."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="targets-conflict",
    group="dependence",
    severity="sick",
    seen_as="The same row comes with several targets, or a row is mirrored and its target is not.",
    threshold=(
        "Of at least 24 pairs of rows with 16 different numbers or more, 40 %: equal rows with different "
        "labels; mirrored rows whose labels do not become the same other label; mirrored rows with the same "
        "map of targets, not mirrored; equal rows whose targets are each other's mirror images."
    ),
    source=(
        "Annotators of one picture disagree in one of 20 (CIFAR-10H, Peterson et al. 2019) to one of four "
        "cases (LabelMe); labels that know nothing of each other in half of them or more. Rows of few "
        "different numbers are equal by chance and are left out."
    ),
    why=(
        "No function of the inputs has both targets, so that the network learns their mean. Change row and "
        "target together: draw once, and mirror both."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:targets-conflict",),
    find=find,
)
