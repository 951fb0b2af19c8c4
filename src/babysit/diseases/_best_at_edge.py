"""The best trial of a search is at the end of a range: what lies beyond was never tried."""

from __future__ import annotations

from typing import Any

from babysit.diseases._disease import Disease
from babysit.record import Finding, Trace

EDGE = 0.05  # of the range, at each end
LEAST_TRIALS = 10
LEADERS = 5  # best trials, of which most must lie there, too
MOST = 0.6


def find(trace: Trace) -> list[Finding]:
    """Where along each range the best trials lie, at the length to which the best were trained."""
    scores = dict(zip(*trace.series("trial-score", phase="search"), strict=True))
    lengths = dict(zip(*trace.series("trial-steps", phase="search"), strict=True))
    if len(scores) < LEAST_TRIALS:
        return []
    longest = max(lengths.values(), default=0.0)
    ended = dict(zip(*trace.series("trial-ended", phase="search"), strict=True))
    full = [
        trial
        for trial, score in scores.items()
        if score == score and (trial in ended or lengths.get(trial, 0.0) == longest)
    ]
    if not full:
        return []
    order = sorted(full, key=lambda trial: (-scores[trial], trial))
    findings = []
    unpassable = trace.facts.get("unpassable", "").split(", ")
    for path in trace.layers_with("trial-setting", phase="search"):
        units = dict(zip(*trace.series("trial-setting", phase="search", layer=path), strict=True))
        leaders = [units[trial] for trial in order[:LEADERS] if trial in units]
        if order[0] not in units or not leaders:
            continue
        best = units[order[0]]
        end = "lower" if best <= EDGE else "upper" if best >= 1 - EDGE else ""
        there = sum(unit <= EDGE if end == "lower" else unit >= 1 - EDGE for unit in leaders) / len(leaders)
        if not end or there < MOST or f"{path} {end}" in unpassable:
            continue
        # Where the search itself went beyond the end and the best lies within what it then tried, nothing is left out.
        beyond = [unit for unit in units.values() if (unit < best - EDGE if end == "lower" else unit > best + EDGE)]
        if beyond:
            continue
        evidence: dict[str, Any] = {
            "end": end,
            "place of the best in the range": best,
            "threshold": EDGE if end == "lower" else 1 - EDGE,
            "of the five best as near": there,
            "trials": len(scores),
        }
        findings.append(DISEASE.finding(path, evidence=evidence))
    return findings


DISEASE = Disease(
    name="best-at-edge",
    group="search",
    severity="warning",
    seen_as="The best trial, and most of the five best, are at the end of a searched range.",
    threshold=(
        f"From {LEAST_TRIALS} trials on: the best lies in the outer {EDGE:.0%} of a range (of a logarithmic one, of its"
        f" decades), as do at least {MOST:.0%} of the {LEADERS} best, no trial was made further out, and there are"
        " legal values further out, as there are none below a dropout of 0."
    ),
    source=(
        "CS231n, where a fine search's best rate, 9.47e-4, lay at the end of its range of 1e-4 to 1e-3. Where the best"
        " may lie anywhere, it lies in an outer twentieth of one given range by luck once in ten searches, three of"
        " five best at the same end less than once in a hundred."
    ),
    why=(
        "A better value may lie beyond the end of the range, where nothing was tried. A range is known to be wide"
        " enough only when the best trial lies inside it."
    ),
    remedies=("widen",),
    explained_by=(),
    reads=("trial-ended", "trial-score", "trial-setting", "trial-steps", "fact:unpassable"),
    find=find,
)
