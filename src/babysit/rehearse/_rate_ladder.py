"""Members at constant rates on a log ladder, coarse to fine, within a budget of seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from babysit.record import InputError, Remedy
from babysit.rehearse._rate_range import RateRange, rate_range, tail_loss
from babysit.rehearse._subject import Subject

LOW, HIGH = 1e-6, 10.0
STEPS = 120  # of a member: the lecture wants a rate that lowers the loss within about a hundred
FEWEST = 12  # fewer say nothing of a rate
SEEDS = 3
PER_DECADE = 2  # rungs of the coarse ladder
FINE_PER_DECADE = 6
AROUND = 1.0  # decades on each side of the coarse best that the fine ladder reaches
LEAP = 3.0  # times the first loss: broken out of, as in CS231n lecture 6

Train = Callable[[float, int, int], list[float]]  # rate, seed, steps -> losses


def find_rate_range(
    subject: Subject,
    *,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    seeds: int = SEEDS,
    seconds: float = 20.0,
    first_seed: int = 0,
) -> RateRange:
    """Train members at constant rates, half a decade apart, then a sixth of one around the best.

    Rates that diverge end the ladder upwards. When time is short, members take fewer steps, then fewer seeds.

    Args:
        subject: What is trained; each rehearsal leaves it as it was.
        low: Lowest rate.
        high: Highest rate.
        steps: Of each member.
        seeds: At each rate of the fine ladder; each draws rows in another order.
        seconds: That may be spent.
        first_seed: Of the first member.

    Raises:
        InputError: A ladder without rungs, or no steps.
    """
    if not 0 < low < high or steps < 2 or seeds < 1:
        raise InputError(f"rates from {low:g} to {high:g}, {steps} steps, {seeds} seeds", legal="0 < low < high")
    began = time.monotonic()

    def train(rate: float, seed: int, count: int) -> list[float]:
        trace = subject.rehearse(count, [Remedy("lr", repr(rate))], seed=first_seed + seed, probes="losses")
        return list(trace.series("loss").values)

    probe = train(math.sqrt(low * high), 0, 3)
    spent = time.monotonic() - began
    afford = members_of(spent / max(1, len(probe)), seconds, low=low, high=high, seeds=seeds)
    steps = min(steps, max(FEWEST, afford))
    coarse = _coarse(train, low, high, steps)
    first = coarse[min(coarse)][0][0] if coarse else math.nan
    around = rate_range(coarse, first)
    middle = _lowest(coarse, first)
    if middle is None:
        return around
    curves: dict[float, list[list[float]]] = {}
    for seed in range(seeds):
        for rate in _ladder(middle / 10**AROUND, min(high, middle * 10**AROUND), FINE_PER_DECADE):
            if seed and (time.monotonic() - began > seconds or not math.isfinite(tail_loss(curves[rate][0], first))):
                continue
            curves.setdefault(rate, []).append(train(rate, seed, steps))
    firsts = [one[0] for members in curves.values() for one in members if one]
    merged = {rate: members for rate, members in coarse.items() if not _near(rate, curves)}
    return rate_range({**merged, **curves}, sum(firsts) / len(firsts))


def members_of(step_seconds: float, seconds: float, *, low: float = LOW, high: float = HIGH, seeds: int = SEEDS) -> int:
    """Steps that each member can take within some seconds: coarse ones of one seed each, fine ones of several.

    About two fifths of the rungs break out early or lie where a coarse member has shown that they need not be tried.
    """
    rungs = round(PER_DECADE * math.log10(high / low)) + 1
    fine = round(2 * AROUND * FINE_PER_DECADE) + 1
    return int(seconds / max(step_seconds, 1e-9) / (rungs + 0.6 * fine * seeds))


def _coarse(train: Train, low: float, high: float, steps: int) -> dict[float, list[list[float]]]:
    """One seed at each rung, from below; two rungs in a row that break out end it."""
    found: dict[float, list[list[float]]] = {}
    broken = 0
    for rate in _ladder(low, high, PER_DECADE):
        losses = train(rate, 0, steps)
        found[rate] = [losses]
        top = max((loss for loss in losses if math.isfinite(loss)), default=math.inf)
        out = not all(math.isfinite(loss) for loss in losses) or top > LEAP * abs(losses[0])
        broken = broken + 1 if out else 0
        if broken == 2:
            break
    return found


def _ladder(low: float, high: float, per_decade: int) -> list[float]:
    count = max(1, round(per_decade * math.log10(high / low)))
    return [low * 10 ** (number / per_decade) for number in range(count + 1)]


def _lowest(curves: dict[float, list[list[float]]], first: float) -> float | None:
    typical = {rate: tail_loss(members[0], first) for rate, members in curves.items()}
    finite = {rate: loss for rate, loss in typical.items() if math.isfinite(loss)}
    return min(finite, key=lambda rate: finite[rate]) if finite else None


def _near(rate: float, curves: dict[float, list[list[float]]]) -> bool:
    """Whether the fine ladder covers that rate."""
    return min(curves) / 1.01 <= rate <= max(curves) * 1.01
