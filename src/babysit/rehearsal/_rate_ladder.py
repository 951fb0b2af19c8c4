"""Members at constant rates on a log ladder, coarse to fine, within a budget of seconds."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Iterator

from babysit.record import InputError, Remedy, Trace
from babysit.rehearsal._rate_range import GOOD, RateRange, rate_range, tail_loss
from babysit.rehearsal._subject import Ask, RehearseLosses, Subject, one_by_one

LOW, HIGH = 1e-6, 10.0
STEPS = 120  # of a member: the lecture wants a rate that lowers the loss within about a hundred
FEWEST = 12  # fewer say nothing of a rate
SEEDS = 3
FEWEST_RATES = 3  # of a ladder: with fewer, the best one has no neighbours on both sides
PER_DECADE = 2  # rungs of the coarse ladder
FINE_PER_DECADE = 6
AROUND = 1.0  # decades on each side of the coarse best that the fine ladder reaches
LEAP = 3.0  # times the first loss: broken out of, as in CS231n lecture 6
# A rate whose loss falls short of the best fall by more than this share gets no more members. It is three times what a
# good rate may miss: on the problems of benchmarks/rate_finders.py seeds of one rate lie closer together than that.
LOST = 3 * GOOD


def find_rate_range(
    subject: Subject,
    *,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    seeds: int = SEEDS,
    seconds: float = 20.0,
    first_seed: int = 0,
    train: RehearseLosses = one_by_one,
) -> RateRange:
    """Train members at constant rates, half a decade apart, then a sixth of one around the best.

    The ladder ends where two rates in a row diverge. A rate that is too bad to become a good one gets no more members;
    its first seed shows that, or the rates of the coarse ladder on both sides of it. When time is short, members take
    fewer steps, then fewer seeds.

    Args:
        subject: What is trained; each rehearsal leaves it as it was.
        low: Lowest rate.
        high: Highest rate.
        steps: Of each member.
        seeds: At each rate of the fine ladder; each draws rows in another order.
        seconds: Time limit in seconds.
        first_seed: Of the first member.
        train: Trains members: one after another, or stacked.

    Raises:
        InputError: A ladder without rungs, or no steps.
    """
    if not 0 < low < high or steps < 2 or seeds < 1:
        raise InputError(f"rates from {low:g} to {high:g}, {steps} steps, {seeds} seeds", legal="0 < low < high")

    def trained(rates: Iterable[float], seed: int, count: int) -> Iterator[list[float]]:
        asks = (Ask(count, (Remedy("lr", repr(rate)),), first_seed + seed, "losses") for rate in rates)
        return train(subject, asks)

    middle_rate = math.sqrt(low * high)
    next(trained([middle_rate], 0, 1))  # what is loaded and set up at a first step is not part of what steps cost
    began = time.monotonic()
    probe = next(trained([middle_rate], 0, 3))
    spent = time.monotonic() - began
    afford = members_of(spent / max(1, len(probe)), seconds, low=low, high=high, seeds=seeds)
    steps = min(steps, max(FEWEST, afford))
    rungs = _ladder(low, high, PER_DECADE)
    coarse = _until_broken(rungs, trained(rungs, 0, steps), began + seconds)
    first = coarse[min(coarse)][0][0] if coarse else math.nan
    around = rate_range(coarse, first)
    middle = _lowest(coarse, first)
    if middle is None:
        return around
    fine = _ladder(middle / 10**AROUND, min(high, middle * 10**AROUND), FINE_PER_DECADE)
    # The coarse members are the first seed already.
    fine = [rate for rate in fine if not _near(rate, coarse) and _hopeful(rate, coarse, first)]
    curves = dict(coarse)
    if time.monotonic() - began < seconds:
        for rate, losses in zip(fine, trained(fine, 0, steps), strict=True):
            curves[rate] = [losses]
            if time.monotonic() - began > seconds:
                break
    for seed in range(1, seeds):
        if time.monotonic() - began > seconds:
            break
        hopeful = [rate for rate in sorted(curves) if not _lost(rate, curves, first)]
        for rate, losses in zip(hopeful, trained(hopeful, seed, steps), strict=False):
            curves[rate].append(losses)
            if time.monotonic() - began > seconds:
                break
    firsts = [one[0] for members in curves.values() for one in members if one]
    return rate_range(curves, sum(firsts) / len(firsts))


def find_rates_around(
    subject: Subject,
    rate: float,
    *,
    decades: float = 2.0,
    steps: int = STEPS,
    seed: int = 0,
    seconds: float | None = None,
) -> tuple[RateRange, list[float]]:
    """A short ladder around the rate that is taken, half a decade apart, one seed each.

    For subjects whose every rehearsal begins with reading data and building a network, as a script's does. The rates
    nearest to the one that is taken come first, as the time may be over before all were tried.

    Args:
        subject: What is trained.
        rate: The middle of the ladder.
        decades: To both sides.
        steps: Of each member.
        seed: Of all members.
        seconds: Time limit of all members together.

    Returns:
        What was found, and the rates that no time was left for.

    Raises:
        InputError: The rate is not above 0 and finite.
    """
    if not 0 < rate < math.inf or steps < 2:
        raise InputError(f"a ladder around a rate of {rate:g} with {steps} steps", legal="a rate above 0, 2 steps")
    places = sorted(range(-int(decades * PER_DECADE), int(decades * PER_DECADE) + 1), key=abs)
    rates = [rate * 10 ** (place / PER_DECADE) for place in places]
    asks = [Ask(steps, (Remedy("lr", repr(one)),), seed, "losses") for one in rates]
    curves: dict[float, list[float]] = {}
    for one, found in zip(rates, subject.rehearse_all(asks, seconds=seconds), strict=True):
        if isinstance(found, InputError):
            raise found
        # A member that fails is one of which nothing is known: others may tell enough.
        losses = list(found.series("loss").values) if isinstance(found, Trace) else []
        if (losses and not math.isfinite(losses[-1])) or len(losses) >= min(steps, FEWEST):
            curves[one] = losses
    left_out = [one for one in rates if one not in curves]
    # Members that time cut short are compared with others after as many steps.
    shortest = min((len(losses) for losses in curves.values() if math.isfinite(losses[-1])), default=steps)
    members = {one: [losses[:shortest] if math.isfinite(losses[-1]) else losses] for one, losses in curves.items()}
    firsts = [losses[0] for losses in curves.values()]
    if len(curves) < FEWEST_RATES:
        refused = f"only {len(curves)} of {len(rates)} rates could be tried"
        return dataclasses.replace(rate_range({}, math.nan), refused=refused), sorted(left_out)
    return rate_range(dict(sorted(members.items())), sum(firsts) / max(1, len(firsts))), sorted(left_out)


def members_of(step_seconds: float, seconds: float, *, low: float = LOW, high: float = HIGH, seeds: int = SEEDS) -> int:
    """Steps that each member can take within some seconds: coarse ones of one seed each, fine ones of several.

    About two fifths of the fine members are not trained, or break out early.
    """
    rungs = round(PER_DECADE * math.log10(high / low)) + 1
    fine = round(2 * AROUND * FINE_PER_DECADE) + 1
    return int(seconds / max(step_seconds, 1e-9) / (rungs + 0.6 * fine * seeds))


def _until_broken(rates: list[float], members: Iterator[list[float]], until: float) -> dict[float, list[list[float]]]:
    """One seed at each rung, from below; two rungs in a row that break out end it, and so does the time limit."""
    found: dict[float, list[list[float]]] = {}
    broken = 0
    for rate, losses in zip(rates, members, strict=False):
        found[rate] = [losses]
        top = max((loss for loss in losses if math.isfinite(loss)), default=math.inf)
        out = not all(math.isfinite(loss) for loss in losses) or top > LEAP * abs(losses[0])
        broken = broken + 1 if out else 0
        if broken == 2 or time.monotonic() > until:
            break
    return found


def _lost(rate: float, curves: dict[float, list[list[float]]], first: float) -> bool:
    """Whether its first seed missed so much of the best fall that other seeds cannot make it a good rate."""
    ends = {one: tail_loss(members[0], first) for one, members in curves.items()}
    lowest = min(ends.values())
    return not ends[rate] <= lowest + LOST * (first - lowest)


def _hopeful(rate: float, coarse: dict[float, list[list[float]]], first: float) -> bool:
    """Whether one of the coarse rungs beside it is not lost."""
    below = max((one for one in coarse if one <= rate), default=None)
    above = min((one for one in coarse if one >= rate), default=None)
    beside = [one for one in (below, above) if one is not None]
    return not all(_lost(one, coarse, first) for one in beside)


def _ladder(low: float, high: float, per_decade: int) -> list[float]:
    count = max(1, round(per_decade * math.log10(high / low)))
    return [low * 10 ** (number / per_decade) for number in range(count + 1)]


def _lowest(curves: dict[float, list[list[float]]], first: float) -> float | None:
    typical = {rate: tail_loss(members[0], first) for rate, members in curves.items()}
    finite = {rate: loss for rate, loss in typical.items() if math.isfinite(loss)}
    return min(finite, key=lambda rate: finite[rate]) if finite else None


def _near(rate: float, curves: dict[float, list[list[float]]]) -> bool:
    """Whether that rate has a member, but for rounding."""
    return any(one / 1.01 <= rate <= one * 1.01 for one in curves)
