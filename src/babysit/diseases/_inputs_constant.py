"""Features with one value over all rows."""

from __future__ import annotations

import math

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest, observed, whole_number
from babysit.record import INPUTS, Finding, Trace

LEAST_ROWS = 100  # a flag set in one row of twenty shows among so many with a probability of 99.4 %


def find(trace: Trace) -> list[Finding]:
    """Count features that never changed, once enough different rows were seen."""
    constant = latest(trace, "constant-features", layer=INPUTS)
    features = latest(trace, "features", layer=INPUTS)
    rows = _different_rows(trace)
    if not constant or not features or rows < LEAST_ROWS:
        return []
    if trace.layers and trace.layers[0].kind == "embedding":
        return []  # what is looked up has no scale, and padding is constant
    evidence = {
        "constant features": round(constant),
        "features": round(features),
        "rows seen": round(rows),
        "threshold": f"1 feature, over {LEAST_ROWS} rows",
    }
    if constant >= features:
        return [DISEASE.finding("inputs", evidence=evidence, severity="sick", remedies=())]
    return [DISEASE.finding("inputs", evidence=evidence)]


def _different_rows(trace: Trace) -> float:
    """Rows seen, but no more than there are: five rows seen a hundred times are five."""
    seen = latest(trace, "rows-seen", layer=INPUTS) or 0.0
    there = whole_number(trace, "rows")
    if there:
        return min(seen, there)
    # The number of rows is unknown: a batch of one may be the same row again and again.
    sizes = observed(trace, "batch-rows", layer=INPUTS).values
    return seen if max(sizes, default=math.inf) > 1 else 0.0


DISEASE = Disease(
    name="inputs-constant",
    group="data",
    severity="note",
    seen_as="Some features have the same value in every row.",
    threshold=f"A feature with one value over {LEAST_ROWS} rows and more: a note. Sick where all features are so.",
    source=(
        "Arithmetic: such a feature is a second bias. Digits have 3 such pixels of 64 and MNIST 67 of 784, and train"
        " well: so a note. A flag set in one row of twenty is missed by 100 rows with a probability of 0.6 %."
    ),
    why=(
        "A constant feature says as little about a row as a bias does, and standardising it divides by zero. If"
        " all features are constant, the network can learn only the mean answer."
    ),
    remedies=("drop-constant-features",),
    explained_by=("inputs-not-finite",),
    reads=("batch-rows", "constant-features", "features", "rows-seen", "fact:rows"),
    find=find,
)
