"""A softmax over the rows of the batch in place of the classes."""

from __future__ import annotations

from babysit.diagnose._at_the_loss import of_outputs, output_width
from babysit.diagnose._disease import Disease
from babysit.diagnose._observed import always, observed
from babysit.record import INPUTS, Finding, Trace

NEARLY_ALL = 0.99
AT_MOST = 0.5  # of the rows may sum to one as well: in a square batch of sure answers some do


def find(trace: Trace) -> list[Finding]:
    """Columns that sum to one over the batch while rows do not, in every batch of more than one row."""
    rows = dict(zip(*observed(trace, "batch-rows", layer=INPUTS), strict=True))
    rows |= dict(zip(*of_outputs(trace, "batch-rows"), strict=True))
    batch = trace.facts.get("batch-size", "")
    usual = float(batch) if batch.isdigit() else 0.0
    by_row = dict(zip(*of_outputs(trace, "row-sum-one-share"), strict=True))
    steps, shares = of_outputs(trace, "column-sum-one-share")
    several = [
        (share, by_row.get(step, 0.0)) for step, share in zip(steps, shares, strict=True) if rows.get(step, usual) > 1
    ]
    columns, in_rows = tuple(share for share, _ in several), tuple(share for _, share in several)
    if not always(columns, lambda share: share >= NEARLY_ALL) or not always(in_rows, lambda share: share <= AT_MOST):
        return []
    evidence = {
        "columns that sum to one": min(columns), "threshold": NEARLY_ALL,
        "rows that sum to one": max(in_rows), "threshold for rows": AT_MOST, "batches": len(several),
    }  # fmt: skip
    width = output_width(trace)
    if width:
        evidence["outputs a row"] = width
    if width == 1:
        remedies: tuple[str, ...] = ("sigmoid-output",)
    elif trace.facts.get("loss") == "cross-entropy":
        remedies = ("remove-softmax", "softmax-axis")
    else:
        remedies = DISEASE.remedies
    return [DISEASE.finding("outputs", evidence=evidence, remedies=remedies)]


DISEASE = Disease(
    name="softmax-wrong-axis",
    group="wiring",
    severity="sick",
    seen_as="Columns of the outputs sum to one over the batch, rows do not.",
    threshold=(
        "At least 99 % of the columns in [0, 1] sum to one and at most half of the rows do, in every batch of more than"
        " one row."
    ),
    source="Arithmetic: a softmax over dimension 0 makes columns sum to one; logits do so in no batch by chance.",
    why=(
        "The softmax runs over the rows of the batch, so that rows compete with each other instead of classes. A row's"
        " answer depends on its neighbours, and means nothing alone."
    ),
    remedies=("softmax-axis",),
    explained_by=(),
    find=find,
)
