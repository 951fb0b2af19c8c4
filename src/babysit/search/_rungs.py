"""Rungs: at which steps the weak are dropped, who goes on, and what that costs. Pure functions.

Successive halving (Jamieson and Talwalkar 2016): of the trials that stand at a rung, one in `factor` goes on to the
next, which lies `factor` times as far. Counted in steps: with long epochs a trial is judged within the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from babysit.record import InputError, TrialScore

FACTOR = 3  # the lecture's numbers were taken with it; between 2 and 4 nothing changed by more than its error


def ladder(full: int, *, lowest: int, factor: float = FACTOR) -> tuple[int, ...]:
    """Steps at which trials are judged, from the lowest to the full length.

    Args:
        full: Steps of a full trial.
        lowest: Steps before which scores say nothing.
        factor: Between two rungs.

    Raises:
        InputError: The factor is not above 1, or a number of steps is below 1.

    Example:
        >>> ladder(1000, lowest=30)
        (37, 111, 333, 1000)
    """
    if factor <= 1:
        raise InputError(f"a factor of {factor:g} between rungs", legal="more than 1", write="--factor 3")
    if full < 1 or lowest < 1:
        raise InputError(f"rungs from {lowest} to {full} steps", legal="whole numbers from 1")
    count = math.floor(math.log(max(1.0, full / lowest)) / math.log(factor) + 1e-9)
    steps = [max(1, round(full / factor**rung)) for rung in range(count, -1, -1)]
    return tuple(sorted(set(steps)))


def left_after(count: int, rungs: int, factor: float = FACTOR) -> list[int]:
    """How many of `count` trials stand at each of so many rungs; at least one at each.

    Example:
        >>> left_after(20, 3)
        [20, 7, 2]
    """
    return [max(1, round(count / factor**rung)) for rung in range(rungs)]


def cost(count: int, steps: Sequence[int], factor: float = FACTOR) -> int:
    """Steps that halving takes, over all trials.

    Example:
        >>> cost(9, (10, 30, 90))  # 9 to 10, 3 on to 30, 1 on to 90
        210
    """
    before = (0, *steps)
    return sum(
        left * (step - last)
        for left, step, last in zip(left_after(count, len(steps), factor), steps, before, strict=False)
    )


def affordable(budget: float, steps: Sequence[int], factor: float = FACTOR) -> int:
    """How many trials a budget of steps bears; 0 when not even one.

    Example:
        >>> affordable(210, (10, 30, 90))
        9
    """
    low, high = 0, 1
    while cost(high, steps, factor) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle, steps, factor) <= budget else (low, middle)
    return low


def rank_key(score: TrialScore) -> tuple[float, float, float, int]:
    """Sorts scores, the best first: failed last, then higher score, then lower loss, then the trial that came first."""
    if score.failed or math.isnan(score.score):
        return (1.0, 0.0, 0.0, score.trial)
    return (0.0, -score.score, score.loss if math.isfinite(score.loss) else math.inf, score.trial)


def ranked(scores: Iterable[TrialScore]) -> list[TrialScore]:
    """Scores, the best first."""
    return sorted(scores, key=rank_key)


def going_on(standing: Mapping[int, TrialScore], keep: int, *, chance_from: int) -> list[int]:
    """Who goes on to the next rung, best first.

    Args:
        standing: Scores at this rung, those of trials that were left at it before among them.
        keep: How many go on.
        chance_from: Steps from which a trial at chance is stuck there.

    Returns:
        Numbers of at most `keep` trials: none that failed, that is stuck at chance, or whose own end came before.
    """
    fit = [score for score in ranked(standing.values()) if may_go_on(score, chance_from)]
    return [score.trial for score in fit[:keep]]


def may_go_on(score: TrialScore, chance_from: int) -> bool:
    """Whether more steps could make anything of a trial."""
    stuck = score.status == "chance" and score.step >= chance_from
    return not score.failed and not stuck and not is_ended(score) and math.isfinite(score.score)


def is_ended(score: TrialScore) -> bool:
    """Whether the trial's patience was spent: more steps would leave its score as it is."""
    return score.status == "stopped"
