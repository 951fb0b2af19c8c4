"""The best points trained in full: which they are, and which come next where none of them lasts.

The rate that scores best in a search is often close to one that explodes, and another seed may then be one too many. A
search that ended there would have nothing to show for what it found: the next best are trained in their place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from babysit.record import Standing, TrialScore
from babysit.search._search import Searching

MOST_ROUNDS = 4  # of so many points in full; by then it is the space, not the point


def best_points(standings: Sequence[Standing]) -> list[int]:
    """Points to train in full, the best first: those that came furthest.

    Args:
        standings: Of all points.
    """
    fit = [standing for standing in standings if not standing.failed]
    longest = max((standing.step for standing in fit), default=0)
    # A trial whose patience ended it early came as far as it could.
    there = [standing for standing in fit if standing.step == longest or standing.status == "stopped"]
    there = sorted(there, key=lambda standing: (-standing.score, standing.loss, standing.point))
    found: dict[str, int] = {}
    for standing in there or fit:
        # Points at the end of a range may be the same: the first stands for all.
        found.setdefault(repr(sorted(standing.settings.items())), standing.point)
    return [*found.values()]


def sound(score: TrialScore) -> bool:
    """Whether a training ended with a number."""
    return not score.failed and math.isfinite(score.score)


def train_in_full(searching: Searching, count: int, repeats: int, step: int) -> dict[int, list[TrialScore]]:
    """Train the best points again from the beginning; while each has a training that fails, the next best, too.

    Args:
        searching: The search, at its end.
        count: Points at a time.
        repeats: Seeds of each.
        step: Full length.

    Returns:
        Scores of each point, of those that failed, too.

    Raises:
        Interrupted: It was stopped.
    """
    points = best_points(searching.standings())
    found: dict[int, list[TrialScore]] = {}
    for first in range(0, min(len(points), MOST_ROUNDS * count), count):
        found |= searching.in_full(points[first : first + count], repeats, step)
        if any(all(map(sound, scores)) for scores in found.values()):
            break
    return found
