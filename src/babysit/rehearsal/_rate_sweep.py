"""The classic range test: one sweep of rising rates, read by the logarithm of the rate, for expensive networks.

A sweep costs as much as one member of a ladder. It cannot tell the effect of the rate from that of the time, so its
answer is rougher. Two faults of other range tests are avoided: the average of the losses is debiased, and the fall is
measured by the logarithm of the rate. By the rate itself, the fall would be steepest at the lowest rates, which are so
close together that any noise looks steep.

Source: Smith 2017 (Cyclical learning rates, arXiv:1506.01186, section 3.3).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from babysit.record import InputError, Remedy
from babysit.rehearsal._subject import Subject

LOW, HIGH, STEPS = 1e-7, 10.0, 100
BETA = 0.8  # of the exponential average: about five batches
STOP = 3.0  # times the lowest smoothed loss: it has diverged (CS231n lecture 6 breaks out there)
# Decades over which the fall is measured: shorter ones measure batches. Of .5, 1 and 1.5, and averages of .7 to .9, the
# pair that came nearest to the best rates of benchmarks/rate_finders.py without leaning on any one of them.
WINDOW = 1.5
MEDIAN_STEP = 0.954  # median |difference| of two normal numbers of standard deviation 1
NOISES = 3.0  # standard errors that the fall has to exceed


@dataclass(frozen=True)
class RateSweep:
    """What one sweep found.

    Attributes:
        best: The rate at which the smoothed loss falls most steeply by log rate; None when it is refused.
        refused: Why there is no answer.
        rates: As they rose.
        losses: Of each step, as they were.
        smoothed: The debiased average, up to where it diverged.
    """

    best: float | None
    refused: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]


def debiased(losses: Sequence[float], beta: float = BETA) -> list[float]:
    """Exponential average, its start corrected as in Adam (Kingma and Ba 2015, section 3).

    Example:
        >>> [round(value, 6) for value in debiased([1.0, 1.0, 1.0])]
        [1.0, 1.0, 1.0]
    """
    average, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        found.append(average / (1 - beta**count))
    return found


def read_sweep(rates: Sequence[float], losses: Sequence[float]) -> RateSweep:
    """Find the steepest fall by log rate.

    Args:
        rates: Rising by a constant factor.
        losses: Of the step at each rate.

    Example:
        >>> rates = [10 ** (-7 + 8 * step / 99) for step in range(100)]
        >>> losses = [2 - 1.5 / (1 + (1e-2 / rate) ** 2) if rate < 0.3 else math.inf for rate in rates]
        >>> 3e-3 < read_sweep(rates, losses).best < 3e-2
        True
    """
    finite = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
    smooth = debiased(losses[:finite])
    lowest, end = math.inf, len(smooth)
    for place, value in enumerate(smooth):
        lowest = min(lowest, value)
        if value > STOP * lowest:
            end = place
            break
    smooth, used = smooth[:end], list(rates[:end])
    made = (tuple(rates), tuple(losses), tuple(smooth))
    per_decade = (len(rates) - 1) / math.log10(rates[-1] / rates[0]) if len(rates) > 1 else 0.0
    width = max(2, round(WINDOW * per_decade))
    if len(smooth) <= 2 * width:
        return RateSweep(None, "it diverged before there was anything to see: the lowest rate is too high", *made)
    falls = [smooth[place + width] - smooth[place] for place in range(len(smooth) - width)]
    place = min(range(len(falls)), key=lambda number: falls[number])
    # The smoothing lags behind by about beta / (1 - beta) steps.
    steepest = min(max(0, place + width // 2 - round(BETA / (1 - BETA) / 2)), len(used) - 1)
    # Of neighbours before the fall: the median, as the end of a sweep leaps.
    steps = [abs(b - a) for a, b in pairwise(losses[: max(3, place + width)])]
    noise = statistics.median(steps) / MEDIAN_STEP
    error = noise * math.sqrt(2 * (1 - BETA) / (1 + BETA))  # of a difference of two smoothed losses
    if -falls[place] < NOISES * error:
        return RateSweep(None, "the loss falls by less than it varies from batch to batch", *made)
    return RateSweep(used[steepest], "", *made)


def sweep_rates(
    subject: Subject, *, low: float = LOW, high: float = HIGH, steps: int = STEPS, seed: int = 0
) -> RateSweep:
    """Sweep a subject once, from `low` to `high`; it is afterwards as it was.

    Args:
        subject: What is trained.
        low: First rate.
        high: Last rate.
        steps: How many rates.
        seed: Of the order of rows.

    Raises:
        InputError: A sweep without rates.
    """
    if not 0 < low < high or steps < 2:
        raise InputError(f"a sweep from {low:g} to {high:g} in {steps} steps", legal="0 < low < high, 2 steps or more")
    remedy = Remedy("lr-sweep", f"{low!r}:{high!r}:{steps}")
    trace = subject.rehearse(steps, [remedy], seed=seed, probes="losses")
    losses = list(trace.series("loss").values)
    rates = list(trace.series("lr").values)
    return read_sweep(rates, losses)
