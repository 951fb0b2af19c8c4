"""Batch normalisation in a harmful place: on the outputs, or over a single row."""

from __future__ import annotations

import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._learned import NEVER_NEGATIVE, READS_LEARNED, severity_by_outcome
from babysit.diseases._reading import latest, observed
from babysit.record import INPUTS, OUTPUTS, Finding, Trace

LOSSES = NEVER_NEGATIVE | {"nll"}  # with others, outputs may be an embedding, where it belongs
SINGLE = 1.0  # row, which has no spread


def find(trace: Trace) -> list[Finding]:
    """Look in two places where it is wrong."""
    return _on_the_outputs(trace) + _over_one_row(trace)


def _on_the_outputs(trace: Trace) -> list[Finding]:
    called = [layer for layer in trace.layers if layer.kind not in ("dropout", "pooling")]
    if not called or called[-1].kind != "batch-norm" or trace.facts.get("loss") not in LOSSES:
        return []
    width = latest(trace, "width", layer=OUTPUTS)
    if width is not None and width != called[-1].units:
        return []  # something that was not seen comes after it
    evidence: dict[str, float | str] = {
        "last layer": called[-1].name,
        "outputs": called[-1].units,
        "threshold": "none after the last weights",
    }
    return [DISEASE.finding(called[-1].name, evidence=evidence, severity=severity_by_outcome(trace, "warning"))]


def _over_one_row(trace: Trace) -> list[Finding]:
    rows = observed(trace, "batch-rows", layer=INPUTS).values
    norms = [layer.name for layer in trace.layers if layer.kind == "batch-norm"]
    if not norms or not rows or statistics.median(rows) > SINGLE or _evaluates(trace):
        return []
    evidence = {"rows a batch": statistics.median(rows), "threshold": SINGLE, "batch normalisations": len(norms)}
    return [DISEASE.finding(norms[0], evidence=evidence, remedies=("batch-size=32",))]


def _evaluates(trace: Trace) -> bool:
    """Frozen statistics, as in fine-tuning on single images, need no batch."""
    return trace.facts.get("network-mode") == "evaluation" or (latest(trace, "evaluation-mode-share") or 0) > 0


DISEASE = Disease(
    name="batch-norm-misplaced",
    group="set-up",
    severity="warning",
    seen_as="Batch normalisation is the last layer, or its batches have a single row.",
    threshold=(
        "The last layer called is a batch normalisation as wide as the outputs, under a loss of classes or numbers (a"
        " note where the loss is below half of a constant answer's); or batches of one row in training mode."
    ),
    source=(
        "Ioffe and Szegedy 2015, section 3.2: after the weights and before the nonlinearity, of which the outputs have"
        " none. Measured on digits: at the outputs it ends at .23 where the same network without ends at .02. One row"
        " has no spread: PyTorch refuses it for linear layers."
    ),
    why=(
        "Batch normalisation on the outputs forces the answers of every batch to the same mean and spread,"
        " whatever its rows are. Over a single row it removes all that the row says."
    ),
    remedies=("move-batch-norm",),
    explained_by=("batch-too-small",),
    reads=("batch-rows", "evaluation-mode-share", "width", "fact:network-mode", *READS_LEARNED),
    find=find,
)
