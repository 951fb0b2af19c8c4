"""All rows, or all positions of each row, get one answer."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="outputs-identical",
    group="dependence",
    severity="sick",
    seen_as="After the first steps, rows that differ all get exactly one answer, or all positions of a row do.",
    threshold=(
        "In evaluation mode the answers differ by less than 4 times the rounding of float32 (5e-7 of the "
        "largest), over rows that differ, or over the positions of 90 % of the rows, whose targets differ. "
        "Weights near zero (below 1e-5), as at a start of zeros, are not judged."
    ),
    source="Arithmetic: what depends on its row or position differs by more than rounding.",
    why=(
        "Whatever the network is given does not reach its answers. Positions without positional encoding, a "
        "mask over everything, a reduction over the wrong axis or dead units do that."
    ),
    remedies=(),
    explained_by=(
        "inputs-constant",
        "inputs-badly-scaled",
        "softmax-over-one-unit",
        "softmax-wrong-axis",
        "parameters-frozen",
        "inputs-ignored",
        "weights-symmetric",
        "activations-vanish",
        "activations-explode",
        "gradients-vanish",
        "units-saturated",
        "units-dead",
    ),
    reads=("event:outputs-identical",),
    find=find,
)
