"""The same rows, evaluated twice, get different answers."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="evaluation-not-repeatable",
    group="dependence",
    severity="sick",
    seen_as="After `eval()` the network still draws: dropout, a mask or noise that `eval()` does not reach.",
    threshold=(
        "Two passes over the same rows differ by more than 0.01 of the spread of answers on average, and "
        "dropout is on (with one label a row: a random mask or noise too). Samples of a learned distribution,"
        " rows that are evaluated three times in one evaluation, and layers that were switched back to "
        "training mode are meant so."
    ),
    source="Arithmetic: without random numbers the passes are equal. The order of sums changes some 1e-6.",
    why=(
        "Every evaluation and every answer in use is worse than the network is, by chance. Give dropout its "
        "mode: `nn.Dropout` as a registered layer, or `F.dropout(x, p, self.training)`."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:evaluation-not-repeatable",),
    find=find,
)
