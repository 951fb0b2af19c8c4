"""A softmax over the rows of the batch in place of the classes."""

from __future__ import annotations

from babysit.diseases._at_the_loss import READS_OUTPUT_ACTIVATION, of_outputs, output_activation, output_width
from babysit.diseases._disease import Disease
from babysit.diseases._reading import always, observed
from babysit.record import INPUTS, Finding, Trace

NEARLY_ALL = 0.99
ROUNDING = 1e-6  # a logarithm of one may come out above 0 by so much
AT_MOST = 0.5  # of the rows may sum to one as well: in a square batch of sure answers some do


def find(trace: Trace) -> list[Finding]:
    """Columns that sum to one over the batch while rows do not; or logarithms that are not a row's probabilities."""
    return _columns(trace) or _logarithms(trace)


def _logarithms(trace: Trace) -> list[Finding]:
    """What the negative log-likelihood is given: at most 0, as logarithms of probabilities, but of other sums."""
    if trace.facts.get("loss") != "nll" or output_width(trace) < 2:
        return []
    last = output_activation(trace)
    if last is not None and last.name not in ("log-softmax", "softmax"):
        return []
    highest, shares = of_outputs(trace, "value-max").values, of_outputs(trace, "log-normalised-share").values
    if not always(highest, lambda value: value <= ROUNDING) or not always(shares, lambda share: share <= AT_MOST):
        return []
    evidence: dict[str, float | str] = {
        "loss": "nll",
        "largest output": max(highest),
        "threshold": 0,
        "threshold for rows": AT_MOST,
        "rows whose probabilities sum to one": max(shares),
        "batches": len(shares),
    }
    return [DISEASE.finding("outputs", evidence=evidence)]


def _columns(trace: Trace) -> list[Finding]:
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
        "columns that sum to one": min(columns),
        "threshold": NEARLY_ALL,
        "rows that sum to one": max(in_rows),
        "threshold for rows": AT_MOST,
        "batches": len(several),
    }
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
    seen_as=(
        "The columns of the outputs sum to one over the batch instead of the rows; or log-probabilities do not sum"
        " to one in a row."
    ),
    threshold=(
        "At least 99 % of the columns in [0, 1] sum to one and at most half of the rows do, in every batch of more than"
        " one row. Or, under the negative log-likelihood: no output above 0 in any batch, and of at most half of the"
        " rows do the exponentials sum to one."
    ),
    source="Arithmetic: a softmax over dimension 0 makes columns sum to one; logits do so in no batch by chance."
    " Logarithms of probabilities are at most 0 and their exponentials sum to one; after a softmax over another axis"
    " than the classes they are at most 0 all the same. Logits are above 0 as often as below.",
    why=(
        "The softmax runs over the rows of the batch, so rows compete with each other instead of classes. The"
        " answer to a row depends on its neighbours and means nothing alone."
    ),
    remedies=("softmax-axis",),
    explained_by=(),
    reads=(
        "column-sum-one-share",
        "log-normalised-share",
        "row-sum-one-share",
        "fact:batch-size",
        "fact:loss",
        *READS_OUTPUT_ACTIVATION,
    ),
    find=find,
    alone=True,
)
