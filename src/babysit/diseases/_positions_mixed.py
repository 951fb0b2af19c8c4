"""Heads, positions or rows exchanged by a reshape where a permute was due."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="positions-mixed",
    group="dependence",
    severity="sick",
    seen_as=(
        "The result of attention, [batch, heads, positions, units], is reshaped to [batch, positions, heads x"
        " units] without a permute before, or split into heads in the same way."
    ),
    threshold="One such reshape in the network's forward pass, with more than one head and more than one position.",
    source=(
        "Arithmetic: a reshape keeps the order of numbers in memory, in which all positions of a head come before"
        " those of the next. Two public projects had this fault (transformer-from-scratch PR 6,"
        " Chinese-Text-Classification-Pytorch issue 10)."
    ),
    why=(
        "Each position gets parts of the results of other positions, so the result of the attention is lost."
        " Permute first: `values.permute(0, 2, 1, 3).reshape(batch, length, -1)`."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:positions-mixed",),
    find=find,
    alone=True,
)
