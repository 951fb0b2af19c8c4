"""Rows of a batch that change the answers to other rows."""

from __future__ import annotations

import math

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest
from babysit.record import OUTPUTS, Finding, Trace

# Of the outputs' spread. Other rows change how matrix products are summed, some 1e-6 of a float32; what mixes rows
# changes the answers by about their own spread.
MIXED = 1e-3


def find(trace: Trace) -> list[Finding]:
    mixing = latest(trace, "row-mixing", layer=OUTPUTS)
    if mixing is None or not MIXED < mixing < math.inf:  # outputs that are not numbers tell nothing of rows
        return []
    return [DISEASE.finding("outputs", evidence={"change over the spread of outputs": mixing, "threshold": MIXED})]


DISEASE = Disease(
    name="rows-mixed",
    group="wiring",
    severity="warning",
    seen_as="In evaluation mode, the answer to a row depends on the other rows of its batch.",
    threshold=f"Exchanging all other rows changes a row's outputs by more than {MIXED:g} of the outputs' spread.",
    source=(
        "Arithmetic: the order in which float32 numbers are summed changes a result by about 1e-6. Measured: a"
        " recurrent layer that takes the rows for time changes it by .1 to 2."
    ),
    why=(
        "Some operation works along the axis of the rows by mistake: a recurrent layer without `batch_first`, a"
        " reshape, a softmax or a mean over the wrong axis. The network learns from neighbouring rows that are"
        " missing or different in use."
    ),
    remedies=(),
    explained_by=("softmax-wrong-axis",),
    reads=("row-mixing",),
    find=find,
)
