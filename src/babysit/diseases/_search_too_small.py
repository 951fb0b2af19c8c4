"""A search that would have found better settings with more trials."""

from __future__ import annotations

import bisect

from babysit.diseases._disease import Disease
from babysit.record import Finding, Trace

LEAST_TRIALS = 8
GAIN = 0.01  # of the way from the median trial to the best, and in the score's own unit
ERRORS = 1.0  # standard errors of a score: gains below cannot be told from luck
SLOPE = 0.1  # of the way from a median trial to the best


def find(trace: Trace) -> list[Finding]:
    """What the last doubling of trials gained, by the bootstrapped best of n."""
    counts, bests = trace.series("best-of", phase="search")
    if not counts or counts[-1] < LEAST_TRIALS:
        return []
    half = bests[max(0, bisect.bisect_right(counts, counts[-1] / 2) - 1)]
    gain, climb = bests[-1] - half, bests[-1] - bests[0]
    error = (trace.series("score-error", phase="search").values or (0.0,))[0]
    threshold = max(GAIN, ERRORS * error)
    if gain <= threshold or gain <= SLOPE * climb:
        return []
    evidence = {
        "gained by the last doubling of trials": gain,
        "threshold": threshold,
        "trials": counts[-1],
        "expected best of them": bests[-1],
        "of half as many": half,
        "standard error of a score": error,
    }
    return [DISEASE.finding(evidence=evidence)]


DISEASE = Disease(
    name="search-too-small",
    group="search",
    severity="note",
    seen_as="The expected best score still rises with the number of trials where the search ends.",
    threshold=(
        f"From {LEAST_TRIALS} coarse trials on: the median best of all of them is more than {GAIN:g}, and more than"
        f" {ERRORS:g} standard error of a score, above that of half as many; and the gain is over {SLOPE:.0%} of what"
        " the best is above the median trial."
    ),
    source=(
        "Dodge et al. 2019 compare searches by this curve. Gains below the standard error of a score on its validation"
        " rows cannot be told from luck, so they are asked to be larger."
    ),
    why=(
        "Each doubling of the trials still finds clearly better settings. The search has found the best of too"
        " few, and another seed would find something else."
    ),
    remedies=("more-trials",),
    explained_by=(),
    reads=("best-of", "score-error"),
    find=find,
)
