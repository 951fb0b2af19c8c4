"""Evaluation in training mode."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest
from babysit.record import Finding, Trace

PASSES = 3  # one or two are a look at shapes


def find(trace: Trace) -> list[Finding]:
    """Passes without gradients in training mode are evaluations that forgot to call eval()."""
    count = latest(trace, "training-mode-evaluations")
    if count is None or count < PASSES:
        return []
    evidence: dict[str, float | str] = {"passes without gradients in training mode": int(count), "threshold": PASSES}
    normalised = sum(layer.kind == "batch-norm" for layer in trace.layers)
    if normalised:
        evidence["batch normalisations that took the data into their averages"] = normalised
    return [DISEASE.finding("evaluation", evidence=evidence)]


DISEASE = Disease(
    name="training-mode-in-evaluation",
    group="wiring",
    severity="warning",
    seen_as="The network is evaluated while dropout and batch normalisation are in training mode.",
    threshold="Three passes without gradients or more, in training mode.",
    source=(
        "Our own choice: a pass that finds out shapes is one. Averages of batch normalisation that are taken again, and"
        " dropout kept on to measure doubt, look the same, so it is only a warning."
    ),
    why=(
        "In training mode dropout removes outputs and batch normalisation depends on the batch, so the scores are"
        " worse and differ from call to call. The running averages also take in rows that they should not see."
    ),
    remedies=("evaluation-mode",),
    explained_by=(),
    reads=("training-mode-evaluations",),
    find=find,
)
