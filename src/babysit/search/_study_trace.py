"""A search as a Trace, so that what is wrong with it is found as everything else is: by rules over numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from babysit.record import CurvePoint, Row, Standing, StudyRung, Trace
from babysit.search._parameter import Range
from babysit.search._space import Space

PHASE = "search"


def study_trace(
    space: Space,
    standings: Sequence[Standing],
    rungs: Sequence[StudyRung],
    best_of: Sequence[CurvePoint],
    *,
    score_name: str,
    noise: float,
) -> Trace:
    """The numbers of a search: a step is a trial's number, or for `best-of` so many trials.

    Args:
        space: What was searched.
        standings: All points.
        rungs: All rungs.
        best_of: The curve of the best of n.
        score_name: What a score is.
        noise: Standard error of a score from the rows it was measured on; NaN where it is not known.
    """
    rows: list[Row] = []
    at_end = {standing.point for standing in standings if not standing.failed}
    for standing in standings:
        step = standing.point
        failed = standing.failed or standing.status == "chance"
        rows.append(Row(step, PHASE, "", "trial-score", standing.score))
        if standing.stage == "coarse":
            rows.append(Row(step, PHASE, "", "trial-failed", float(failed)))
        rows.append(Row(step, PHASE, "", "trial-steps", float(standing.step)))
        if standing.point in at_end:
            rows += [
                Row(step, PHASE, parameter.path, "trial-setting", standing.units[parameter.path])
                for parameter in space
                if isinstance(parameter, Range) and parameter.path in standing.units
            ]
    rows += [Row(point.trials, PHASE, "", "best-of", point.median) for point in best_of]
    if math.isfinite(noise):
        rows.append(Row(0, PHASE, "", "score-error", noise))
    widened = sorted({path for rung in rungs for path in rung.widened})
    unpassable = [
        f"{parameter.path} {end}"
        for parameter in space
        if isinstance(parameter, Range)
        for end, legal, given in (
            ("lower", parameter.lowest, parameter.low),
            ("upper", parameter.highest, parameter.high),
        )
        if legal == given  # as far as values stay legal; None where nobody looked
    ]
    facts = {"score": score_name, "widened": ", ".join(widened), "unpassable": ", ".join(unpassable)}
    return Trace(rows=tuple(rows), facts={name: value for name, value in facts.items() if value})
