"""Inputs that are NaN or infinite."""

from __future__ import annotations

from babysit.diagnose._disease import Disease
from babysit.record import INPUTS, Finding, Trace


def find(trace: Trace) -> list[Finding]:
    """One value is enough: it reaches every weight at the next step."""
    steps, shares = trace.series("not-finite-share", layer=INPUTS)
    bad = [(step, share) for step, share in zip(steps, shares, strict=True) if share > 0]
    if not bad:
        return []
    evidence = {"first step": bad[0][0], "batches": len(bad), "of batches": len(steps), "largest share": max(bad)[1]}
    return [DISEASE.finding(f"inputs, step {bad[0][0]}", evidence=evidence)]


DISEASE = Disease(
    name="inputs-not-finite",
    group="data",
    severity="sick",
    seen_as="NaN or infinite numbers in a batch of inputs.",
    threshold="A single NaN or infinite value.",
    source="IEEE 754: a NaN makes every sum it enters a NaN, and so the loss, every gradient and every weight.",
    why=(
        "One such value makes the loss NaN, and the next step writes that NaN into every weight. Nothing learned before"
        " it survives."
    ),
    remedies=("impute-inputs",),
    explained_by=(),
    find=find,
)
