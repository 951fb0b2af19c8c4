"""Targets that are NaN or infinite."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._reading import observed
from babysit.record import TARGETS, Finding, Trace


def find(trace: Trace) -> list[Finding]:
    """One value is enough: the loss is a mean over all."""
    steps, shares = observed(trace, "not-finite-share", layer=TARGETS)
    bad = [(step, share) for step, share in zip(steps, shares, strict=True) if share > 0]
    if not bad:
        return []
    evidence = {
        "first step": bad[0][0],
        "batches": len(bad),
        "of batches": len(steps),
        "largest share": max(share for _, share in bad),
        "threshold": "share above 0",
    }
    if _left_out(trace, bad[0][0]):
        return [DISEASE.finding(f"targets, step {bad[0][0]}", evidence=evidence, severity="note")]
    return [DISEASE.finding(f"targets, step {bad[0][0]}", evidence=evidence)]


def _left_out(trace: Trace, step: int) -> bool:
    """Whether the loss stayed a number though such targets were there: a mask left them out."""
    later = [value for at, value in zip(*trace.series("loss"), strict=True) if at >= step]
    return bool(later) and all(abs(value) < float("inf") for value in later)


DISEASE = Disease(
    name="targets-not-finite",
    group="data",
    severity="sick",
    seen_as="The targets of a batch have NaN or infinite values; a note where the loss leaves them out.",
    threshold="A single NaN or infinite value; a note where every loss from that step on is a number all the same.",
    source="IEEE 754: the loss is a sum over the targets, and a NaN makes every sum it enters a NaN.",
    why=(
        "A loss that compares with NaN is NaN, and so are its gradients. The next step makes every weight NaN, and"
        " everything learned before is lost."
    ),
    remedies=(),
    explained_by=(),
    reads=("loss", "not-finite-share"),
    find=find,
)
