"""The rate range from the losses of members that were each trained at one constant rate.

One sweep, in which the rate rises while the network learns, confounds rate and time: what is steep at 1e-2 is so
because of what was learned at 1e-3. Members on a ladder of constant rates do not. Each starts from the same weights,
several seeds at each rate give the noise, and an answer that is flat, noisy or at the end of the ladder is refused.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from babysit.record import stored

TAIL = 0.2  # of a member's steps, at their end, whose mean loss counts: single batches are noise
# What a good rate may leave of the fall of the best one. Set on the problems of benchmarks/rate_finders.py.
GOOD = 0.1
LEARNED = 0.05  # of the first loss: what the best rate has to gain, or nothing was learned
NOISES = 3.0  # standard errors of a member's tail that this has to exceed, too
DIVERGED = 1.05  # of the first loss: a member that ends above does not learn
STABLE = 1.0  # of the first loss: the largest rate that ends below is the largest stable one
# Decades by which the answer lies below the middle of what is good in a short training: short trainings flatter high
# rates. On the problems of benchmarks/rate_finders.py, each left out in turn, the others ask for .1 to .25.
LOWER = 0.2
RESAMPLES = 200
WITHIN = 0.3  # decades: answers of resampled seeds that far apart count as the same


@stored
class RateRange:
    """Which constant rates learn.

    Attributes:
        best: The rate to take; None when the answer is refused.
        low: Smallest good rate.
        high: Largest good rate.
        stable: Largest rate that still ends below its first loss; None where none does.
        confidence: Share of resampled seeds and batches whose answer lies within 0.3 decades.
        refused: Why there is no answer; empty where there is one.
        rates: The ladder, ascending.
        losses: At each rate, the mean loss at the end of each seed's member; inf for one that diverged.
        first: The first loss.
        steps: Of each member.
    """

    best: float | None
    low: Annotated[float | None, Field(alias="good from")]
    high: Annotated[float | None, Field(alias="good to")]
    stable: Annotated[float | None, Field(alias="largest stable")]
    confidence: float
    refused: str
    rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    first: Annotated[float, Field(alias="first loss")]
    steps: int


def tail_loss(losses: Sequence[float], first: float) -> float:
    """The mean of the last fifth of a member's losses; inf for one that is NaN or infinite or ends above its start.

    Example:
        >>> tail_loss([2.0, 1.5, 1.0, 1.0, 0.5], 2.0)
        0.5
    """
    tail = losses[-max(1, round(TAIL * len(losses))) :]
    if not tail or not all(math.isfinite(value) for value in losses):
        return math.inf
    mean = statistics.fmean(tail)
    return mean if mean <= DIVERGED * first + 1e-12 or first <= 0 else math.inf


def noise_of(losses: Sequence[float]) -> float:
    """Standard error of a tail's mean, from differences of neighbours, which a trend does not enter.

    Example:
        >>> noise_of([1.0, 1.0, 1.0, 1.0, 1.0])
        0.0
    """
    tail = losses[-max(2, round(TAIL * len(losses))) :]
    steps = [after - before for before, after in pairwise(tail)]
    if not steps or not all(math.isfinite(step) for step in steps):
        return 0.0
    return math.sqrt(statistics.fmean(step * step for step in steps) / 2 / len(tail))


def rate_range(curves: Mapping[float, Sequence[Sequence[float]]], first: float) -> RateRange:
    """Decide from members' losses.

    Args:
        curves: By rate, the losses of each seed's member, step by step; all of the best rates' of one length.
        first: The loss before the first step, the mean over seeds.

    Returns:
        The range, or the reason why there is none.

    Example:
        >>> def fall(rate):
        ...     return [[2.0 * math.exp(-min(rate, 0.1) * 30 * step / 100) for step in range(100)]]
        >>> curves = {10.0**power: fall(10.0**power) for power in (-5, -4, -3, -2)} | {0.1: fall(0.1)}
        >>> rate_range(curves | {1.0: [[2.0, math.inf]]}, 2.0).best
        0.1
    """
    rates = tuple(sorted(curves))
    losses = tuple(tuple(tail_loss(one, first) for one in curves[rate]) for rate in rates)
    steps = max((len(one) for seeds in curves.values() for one in seeds), default=0)
    noise = statistics.median([noise_of(one) for seeds in curves.values() for one in seeds] or [0.0])
    typical = [_typical(seeds) for seeds in losses]
    stable = max((rate for rate, loss in zip(rates, typical, strict=True) if loss < STABLE * first), default=None)
    answer = _decide(rates, typical, first, noise)
    refused = answer if isinstance(answer, str) else ""
    best, low, high = answer if not isinstance(answer, str) else (None, None, None)
    confidence = _confidence(rates, losses, first, noise, best) if best is not None else 0.0
    return RateRange(best, low, high, stable, confidence, refused, rates, losses, first, steps)


def _typical(seeds: Sequence[float]) -> float:
    """The mean over seeds; a rate at which any seed diverges must not be taken."""
    return statistics.fmean(seeds) if seeds and all(map(math.isfinite, seeds)) else math.inf


def _decide(
    rates: Sequence[float], typical: Sequence[float], first: float, noise: float
) -> tuple[float, float, float] | str:
    """Best, lowest and highest good rate, or why there are none."""
    finite = [loss for loss in typical if math.isfinite(loss)]
    if not finite:
        return "every rate diverged: something else is wrong, or the ladder begins too high"
    lowest = min(finite)
    gained = first - lowest
    if gained < max(LEARNED * abs(first), NOISES * noise):
        return "no rate lowers the loss beyond the noise of batches: nothing is learned, or it takes longer"
    limit = lowest + max(GOOD * gained, 2 * noise)
    place = min(range(len(rates)), key=lambda number: typical[number])
    low = high = place
    while low > 0 and typical[low - 1] <= limit:
        low -= 1
    while high + 1 < len(rates) and typical[high + 1] <= limit:
        high += 1
    if place == len(rates) - 1:
        return f"the highest rate tried, {rates[-1]:.3g}, is the best: higher ones would have to be tried"
    if place == 0:
        return f"the lowest rate tried, {rates[0]:.3g}, is the best: lower ones would have to be tried"
    return _between(rates, typical, place, low, high), rates[low], rates[high]


def _between(rates: Sequence[float], typical: Sequence[float], place: int, low: int, high: int) -> float:
    """The rate to take, on a logarithmic scale.

    The centre of the good rates, each weighed by how far its loss lies under that of the worst good one: a flat valley
    gives its middle, a sharp one its bottom. Then a little lower, as the training goes on for longer than this.
    """
    worst = max(typical[low : high + 1])
    spread = worst - typical[place]
    if high == low or spread <= 0:
        middle = rates[place] if high == low else math.sqrt(rates[low] * rates[high])
        return max(rates[low], middle / 10**LOWER)
    weights = [(worst - loss) / spread for loss in typical[low : high + 1]]
    logs = [math.log(rate) for rate in rates[low : high + 1]]
    middle = math.exp(sum(w * x for w, x in zip(weights, logs, strict=True)) / sum(weights))
    return max(rates[low], middle / 10**LOWER)


def _confidence(
    rates: Sequence[float], losses: Sequence[Sequence[float]], first: float, noise: float, best: float
) -> float:
    """Share of answers from resampled seeds, with the batches' noise added, that agree with the answer."""
    stream = random.Random(0)
    agreed = 0
    for _ in range(RESAMPLES):
        drawn = []
        for seeds in losses:
            chosen = [stream.choice(seeds) for _ in seeds]
            loss = _typical(chosen)
            drawn.append(loss + stream.gauss(0, noise / math.sqrt(len(seeds))) if math.isfinite(loss) else loss)
        answer = _decide(rates, drawn, first, noise)
        agreed += not isinstance(answer, str) and abs(math.log10(answer[0] / best)) <= WITHIN
    return agreed / RESAMPLES
