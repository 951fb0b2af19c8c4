"""Whether one training is better than another: paired differences over seeds, looked at after each seed.

Whoever looks after each seed and stops when it is clear is wrong more often than one look's error says. So the error is
spent over the looks (Lan and DeMets 1983), by the power family of Kim and DeMets 1987 with the exponent 3, which keeps
most of it for the last look: after a share t of the seeds 0.05 t^3 is spent. Each look is Student's test of the paired
differences at the part that it is given. The parts add up to 0.05, so that by Boole's inequality the error of all looks
together is at most 0.05, whatever they have in common. That holds for differences that are normal; how it holds for
others is simulated in tests/rehearsal/test_paired.py.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ERROR = 0.05  # of all looks together
POWER = 0.8  # with which the seeds that are still missing would tell
EXPONENT = 3  # Kim and DeMets 1987
FIRST_LOOK = 3  # seeds: of two, Student's interval is 13 times as wide as the noise
MOST_SEEDS = 10_000  # more than anybody trains


@dataclass(frozen=True)
class PairedLook:
    """What the differences say by now.

    Attributes:
        told: Whether the interval leaves out 0.
        mean: Of the differences.
        low: Of its interval, at this look's part of the error; -inf where the noise is not known.
        high: The other end.
        more: Seeds that are missing to tell such a difference; 0 where it is told, None where nothing is known.
    """

    told: bool
    mean: float
    low: float = -math.inf
    high: float = math.inf
    more: int | None = None


def look_at(differences: Sequence[float], planned: int, *, resolution: float = 0.0) -> PairedLook:
    """Look at the differences of so many seeds, out of those that are planned.

    Args:
        differences: One a seed, finite.
        planned: Seeds in all.
        resolution: The smallest step of a score, such as one row of the evaluated ones: the noise is not below it.

    Example:
        >>> look_at([0.10, 0.11, 0.09], 5).told, look_at([0.10, -0.05, 0.09], 5).told
        (True, False)
        >>> look_at([0.10, -0.05, 0.09, 0.02, 0.05], 5).more
        14
    """
    seeds = len(differences)
    mean = statistics.fmean(differences) if differences else math.nan
    if seeds < 2:
        return PairedLook(False, mean)
    spread = max(statistics.stdev(differences), resolution / math.sqrt(12))
    if spread == 0:
        # Every seed says the same to the last digit: nothing is known of the noise.
        return PairedLook(False, mean, *((mean, mean) if mean == 0 else (-math.inf, math.inf)))
    part = part_of(seeds, planned)
    half = _student(seeds, part) * spread / math.sqrt(seeds) if part else math.inf
    told = abs(mean) > half
    return PairedLook(told, mean, mean - half, mean + half, 0 if told else _missing(mean, spread, seeds))


def part_of(seeds: int, planned: int) -> float:
    """The part of the error that is spent at a look after so many seeds.

    Example:
        >>> [round(part_of(seeds, 5), 4) for seeds in (2, 3, 4, 5)]
        [0.0, 0.0108, 0.0148, 0.0244]
    """
    first = min(FIRST_LOOK, planned)
    if seeds < first:
        return 0.0
    before = 0.0 if seeds == first else ((seeds - 1) / planned) ** EXPONENT
    return ERROR * (min(1.0, seeds / planned) ** EXPONENT - before)


def failures_tell(first: int, second: int, seeds: int, planned: int) -> bool:
    """Whether one fails more often than the other, by Fisher's exact test at this look's part of the error.

    Example:
        >>> failures_tell(0, 5, 5, 5), failures_tell(0, 1, 5, 5)
        (True, False)
    """
    from scipy.stats import fisher_exact

    table = [[first, seeds - first], [second, seeds - second]]
    return float(fisher_exact(table).pvalue) <= part_of(seeds, planned)


@functools.cache
def _student(seeds: int, error: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, 1 - error / 2))


def _missing(mean: float, spread: float, seeds: int) -> int | None:
    """The seeds of one look that tells such a difference in four of five cases, less those that there are."""
    from scipy.special import stdtrit

    if mean == 0:
        return None

    def tells(number: int) -> bool:
        far = float(stdtrit(number - 1, 1 - ERROR / 2) + stdtrit(number - 1, POWER))
        return far * spread <= abs(mean) * math.sqrt(number)

    low, high = seeds, 2 * seeds
    while high < MOST_SEEDS and not tells(high):
        low, high = high, 2 * high
    if high >= MOST_SEEDS:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle, high)
    return high - seeds
