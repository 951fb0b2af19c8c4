"""A loss that leaves the range of sense: NaN, infinite, or far above where it began."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Literal, NamedTuple

from babysit.diseases._learned import start_level
from babysit.diseases._loss_curve import end
from babysit.record import Trace

TIMES_THE_FIRST = 3.0  # CS231n, lecture 6: `if cost > 3 * original_cost: break out early`
IN_A_ROW = 5  # losses of single rows exceed three times their mean now and then, hardly ever five running
AT_THE_END, LEAP = 2, 2.0  # fewer do at the end of a series where they are twice as large as all before
LASTING_SHARE = 0.5  # of the losses after the first that is not a number: more of them, and weights are lost


class Explosion(NamedTuple):
    """What came first, and whether it stayed.

    Attributes:
        step: Of the first loss of that kind.
        kind: `above`, `inf` or `nan`.
        loss: It.
        lasting: Whether the training ended in that state.
        limit: What a loss has to stay below; infinite where that is unknown.
        leapt: Whether a loss that is a number exceeded the limit, by then or later.
    """

    step: int
    kind: Literal["above", "inf", "nan"]
    loss: float
    lasting: bool
    limit: float
    leapt: bool


def find_explosion(trace: Trace) -> Explosion | None:
    """The first loss that is NaN, infinite, or the first of several in a row above three times the start."""
    steps, values = trace.series("loss")
    start = start_level(trace)
    limit = math.inf if start is None else TIMES_THE_FIRST * start
    bad = [index for index, value in enumerate(values) if not math.isfinite(value)]
    above = _runs_above(values, limit)
    places = [*bad[:1], *(run.first for run in above)]
    if not places:
        return None
    first = min(places)
    loss = values[first]
    kind: Literal["above", "inf", "nan"] = "above" if math.isfinite(loss) else "nan" if math.isnan(loss) else "inf"
    lasting = _ends_not_finite(values, bad) or _ends_above(values, limit, above)
    return Explosion(steps[first], kind, loss, lasting, limit, bool(above))


def lost(trace: Trace) -> bool:
    """Whether the training ended in an explosion: other rules have nothing to say of it."""
    explosion = find_explosion(trace)
    return explosion is not None and explosion.lasting


class _Run(NamedTuple):
    first: int
    after: int


def _runs_above(values: tuple[float, ...], limit: float) -> list[_Run]:
    """Runs of losses above the limit that are long, or lead to a loss that is not a number, or leap at the end."""
    found, place = [], 0
    for high, group in itertools.groupby(values, key=lambda value: math.isfinite(value) and value > limit):
        run = _Run(place, place + sum(1 for _ in group))
        place = run.after
        if high and _counts(values, run):
            found.append(run)
    return found


def _counts(values: tuple[float, ...], run: _Run) -> bool:
    length = run.after - run.first
    if length >= IN_A_ROW:
        return True
    if run.after < len(values):
        return not math.isfinite(values[run.after])
    before = max(value for value in values[: run.first] if math.isfinite(value))
    return length >= AT_THE_END and min(values[run.first : run.after]) > LEAP * before


def _ends_not_finite(values: tuple[float, ...], bad: list[int]) -> bool:
    return bool(bad) and (bad[-1] == len(values) - 1 or len(bad) > LASTING_SHARE * (len(values) - bad[0]))


def _ends_above(values: tuple[float, ...], limit: float, runs: list[_Run]) -> bool:
    last = [value for value in end(values[1:]) if not math.isnan(value)]
    if len(last) >= IN_A_ROW and statistics.median(last) > limit:
        return True
    return bool(runs) and runs[-1].after == len(values)
