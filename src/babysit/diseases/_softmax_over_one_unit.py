"""A softmax over a single number: it is one, always."""

from __future__ import annotations

from babysit.diseases._at_the_loss import (
    READS_AT_THE_LOSS,
    activation_name,
    last_layer,
    of_outputs,
    output_range,
    output_width,
)
from babysit.diseases._disease import Disease
from babysit.diseases._reading import shape_of
from babysit.record import Finding, Trace, output_limits

ROUNDING = 1e-6
LEAST_ROWS = 2  # one row is always like itself
UNKNOWN = ("activation", "function", "other")  # kinds that may hide a softmax without a name
CONSTANT = {"softmax": 1.0, "log-softmax": 0.0}  # what it makes of a single number


def find(trace: Trace) -> list[Finding]:
    """Find outputs that were 1 for every row seen, of one unit or of a dimension of size 1."""
    width, seen, shape = output_width(trace), output_range(trace), shape_of(trace, "output-shape")
    rows = of_outputs(trace, "batch-rows").values
    if seen is None or (rows and sum(rows) < LEAST_ROWS):
        return []
    if width != 1 and (shape is None or 1 not in shape[1:]):
        return []
    last = last_layer(trace)
    name = activation_name(last) if last is not None else ""
    # A saturated sigmoid is one as well, and so is a bias of one: for other reasons.
    if last is not None and name not in CONSTANT and (output_limits(name) is not None or last.kind not in UNKNOWN):
        return []
    constant = CONSTANT.get(name, 1.0)
    if max(abs(end - constant) for end in seen) > ROUNDING:
        return []
    evidence = {
        "smallest output": seen[0],
        "largest output": seen[1],
        "threshold": f"all outputs are {constant:g}",
        "last activation": name or "unknown",
    }
    if width:
        evidence["outputs a row"] = width
    return [DISEASE.finding(last.name if name in CONSTANT and last is not None else "outputs", evidence=evidence)]


DISEASE = Disease(
    name="softmax-over-one-unit",
    group="wiring",
    severity="sick",
    seen_as="The only output is 1 for every row.",
    threshold=(
        "One output a row, equal to 1 (a log-softmax: 0) within 1e-6 for all rows seen, two at least, and the last"
        " activation no other than a softmax."
    ),
    source="Arithmetic: exp(z) / exp(z) = 1 for every z, and its derivative is 0.",
    why=(
        "The softmax of a single number is 1, whatever the number is. No gradient passes through it, so no weight"
        " ever changes."
    ),
    remedies=("sigmoid-output",),
    explained_by=(),
    reads=("value-max", "value-min", "fact:output-shape", *READS_AT_THE_LOSS),
    find=find,
    alone=True,
)
