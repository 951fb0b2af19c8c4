"""Rows of a batch that change the answers to other rows."""

from __future__ import annotations

import math

from babysit.diseases._disease import Disease
from babysit.diseases._learned import NOT_LEARNED, READS_LEARNED, loss_left, way_from_chance
from babysit.diseases._reading import latest
from babysit.record import OUTPUTS, Finding, Severity, Trace

# Of the outputs' spread. Other rows change how matrix products are summed, some 1e-6 of a float32; what mixes rows
# changes the answers by about their own spread.
MIXED = 1e-3
LEAST_LOSSES = 100  # after which a training that has learned nothing is one that does not learn
NEAR_CHANCE = 0.1  # of the way from chance to all right


def find(trace: Trace) -> list[Finding]:
    """A warning; sick where the training has learned nothing."""
    mixing = latest(trace, "row-mixing", layer=OUTPUTS)
    if mixing is None or not MIXED < mixing < math.inf:  # outputs that are not numbers tell nothing of rows
        return []
    evidence = {"change over the spread of outputs": mixing, "threshold": MIXED}
    left, way = loss_left(trace), way_from_chance(trace)
    severity: Severity = "warning"
    if len(trace.series("loss").values) >= LEAST_LOSSES and left is not None and left >= NOT_LEARNED:
        evidence["loss left"] = left
        severity = "sick"
        if way is not None:
            evidence["way from chance to all right"] = way
            severity = "sick" if way < NEAR_CHANCE else "warning"
    return [DISEASE.finding("outputs", evidence=evidence, severity=severity)]


DISEASE = Disease(
    name="rows-mixed",
    group="wiring",
    severity="warning",
    seen_as="In evaluation mode, the answer to a row depends on the other rows of its batch.",
    threshold=(
        f"Exchanging all other rows changes a row's outputs by more than {MIXED:g} of the outputs' spread. Sick where"
        f" at least {NOT_LEARNED:g} of the loss is left after {LEAST_LOSSES} steps, and answers are less than"
        f" {NEAR_CHANCE:g} of the way from chance to all right."
    ),
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
    explained_by=("softmax-wrong-axis", "positions-mixed"),
    reads=("row-mixing", *READS_LEARNED),
    find=find,
)
