"""Gradients at the first hidden layers against those at the last."""

from __future__ import annotations

from typing import NamedTuple

from babysit.diseases._depth_profile import Point, Profile

LEAST_LAYERS = 3
# Of the first and the last layers several are looked at: in a transformer queries come first and get far less than
# values do, and a branch that begins at zero passes nothing back to what stands before it.
PART = 4  # a quarter of the layers
AT_LEAST = 2


class Flow(NamedTuple):
    """What arrives at the front of what leaves the back."""

    first: Point
    last: Point
    ratio: float


def vanishing(profile: Profile) -> Flow | None:
    """The largest at the front over the smallest at the back that is not zero: the mildest reading."""
    if len(profile) < LEAST_LAYERS:
        return None
    front, back = _ends(profile)
    first = max(front, key=lambda point: point.value)
    alive = [point for point in back if point.value > 0]
    last = min(alive, key=lambda point: point.value, default=None)
    return None if last is None else Flow(first, last, first.value / last.value)


def exploding(profile: Profile) -> Flow | None:
    """The smallest at the front that is not zero over the largest at the back: again the mildest."""
    if len(profile) < LEAST_LAYERS:
        return None
    front, back = _ends(profile)
    alive = [point for point in front if point.value > 0]
    first = min(alive, key=lambda point: point.value, default=None)
    last = max(back, key=lambda point: point.value)
    return None if first is None or last.value <= 0 else Flow(first, last, first.value / last.value)


def _ends(profile: Profile) -> tuple[Profile, Profile]:
    part = max(AT_LEAST, len(profile) // PART)
    # In short networks the ends may not overlap.
    part = min(part, len(profile) // 2)
    return profile[:part], profile[-part:]
