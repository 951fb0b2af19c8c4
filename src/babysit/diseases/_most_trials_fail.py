"""A search in which many trials learn nothing: the ranges are wider than necessary."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.record import Finding, Trace

SHARE = 1 / 3
LEAST_TRIALS = 12
ERRORS = 1.0  # standard errors that the share must be above it


def find(trace: Trace) -> list[Finding]:
    """The share of coarse trials that diverged, exploded or sit at chance."""
    failed = trace.series("trial-failed", phase="search").values
    count = len(failed)
    if count < LEAST_TRIALS:
        return []
    share = sum(failed) / count
    error = (share * (1 - share) / count) ** 0.5
    if share - ERRORS * error <= SHARE:
        return []
    evidence = {"share that failed": share, "standard error": error, "threshold": SHARE, "coarse trials": count}
    return [DISEASE.finding(evidence=evidence)]


DISEASE = Disease(
    name="most-trials-fail",
    group="search",
    severity="note",
    seen_as="More than a third of the trials spread over the whole space diverged, exploded or stayed at chance.",
    threshold=(
        f"From {LEAST_TRIALS} coarse trials on: the share of those that failed, less a standard error, is over a third."
    ),
    source=(
        "Of 12,000 recorded trainings with random settings in usual ranges, 14 % were stopped for a loss above three"
        " times the first and 47 % sat at chance: searches that wide spend most of what they have on failures."
    ),
    why=(
        "Every failed trial is time that was not spent where trainings succeed. A narrower range finds the same"
        " answer with fewer trials, or a better one with as many."
    ),
    remedies=("narrow",),
    explained_by=(),
    reads=("trial-failed",),
    find=find,
)
