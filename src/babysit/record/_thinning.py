"""How a trace stays small: early steps are kept dense, later ones are thinned as the training grows longer.

Beyond the first steps a series keeps the first point of each bucket of `stride` steps. The stride is a power of two
that depends on nothing but the last step, so that thinning twice as much later gives what thinning that much at once
would have given, and a training that was killed and resumed ends with the points of one that was not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from babysit.record._trace import Event, Histogram, Row

DENSE = 200  # steps at the beginning that are kept all: wiring and set-up show there
MOST_NOT_FINITE = 100  # NaN and infinite points of a series that are kept whatever the stride; the rest say no more
MOST_EVENTS = 1000  # of a kind


class Room(NamedTuple):
    """How many points a series may have beyond the first steps."""

    network: int = 4000  # a loss curve is drawn with half of them
    layer: int = 1000  # a hundred layers with fifteen quantities each then stay under 50 MB
    histogram: int = 100


ROOM = Room()


def stride_for(last_step: int, room: int) -> int:
    """Steps a bucket has when `last_step` is the last one.

    Example:
        >>> stride_for(4000, 4000), stride_for(10_000, 4000), stride_for(10_000_000, 4000)
        (1, 4, 4096)
    """
    return 1 << (max(0, last_step - DENSE) // room).bit_length()


def room_for(item: Row | Histogram) -> int:
    """How many points the item's series may have."""
    if isinstance(item, Histogram):
        return ROOM.histogram
    return ROOM.layer if item.layer else ROOM.network


class Thinning:
    """Says of each new item whether it is kept, knowing those that came before.

    Example:
        >>> thinning = Thinning()
        >>> rows = [Row(step, "train", "", "loss", 1.0) for step in range(10_000)]
        >>> len([row for row in rows if thinning.admits(row)]) < 8000
        True
    """

    def __init__(self) -> None:
        self.last_step = 0
        self._strides = dict.fromkeys(ROOM, 1)
        self._change = 0  # the first step at which a stride grows
        self._kept: dict[tuple[bool, str, str, str], int] = {}  # last step kept of each series
        self._not_finite: Counter[tuple[str, str, str]] = Counter()
        self._events: Counter[str] = Counter()

    @property
    def strides(self) -> dict[int, int]:
        """Stride by room."""
        return self._strides

    def admits(self, item: Row | Histogram | Event) -> bool:
        """Whether to keep the next item. Steps of a series come in order; a step that comes again replaces itself."""
        if isinstance(item, Event):
            self._events[item.kind] += 1
            return self._events[item.kind] <= MOST_EVENTS
        step = item.step
        if step > self.last_step:
            self.last_step = step
            if step >= self._change:
                self._strides = {room: stride_for(step, room) for room in ROOM}
                self._change = min(DENSE + room * stride for room, stride in self._strides.items())
        if isinstance(item, Row):
            if not math.isfinite(item.value):
                key = (item.phase, item.layer, item.quantity)
                self._not_finite[key] += 1
                return self._not_finite[key] <= MOST_NOT_FINITE
            series = (False, item.phase, item.layer, item.quantity)
        else:
            series = (True, item.phase, item.layer, item.quantity)
        if step >= DENSE:
            stride = self._strides[room_for(item)]
            last = self._kept.get(series, -1)
            if last >= DENSE and last != step and last // stride == step // stride:
                return False
        self._kept[series] = step
        return True

    def knows(self, items: Iterable[Row | Histogram | Event]) -> None:
        """Take what a file holds already as having come before."""
        for item in items:
            self.admits(item)


def thinned(items: Sequence[Row | Histogram | Event]) -> list[Row | Histogram | Event]:
    """The slow readable version: a whole list thinned at once.

    Example:
        >>> len(thinned([Row(step, "train", "fc", "weight-norm", 1.0) for step in range(5000)]))
        800
    """
    last_step = max((item.step for item in items if not isinstance(item, Event)), default=0)
    result: list[Row | Histogram | Event] = []
    seen: set[tuple[object, ...]] = set()
    counts: Counter[object] = Counter()
    for item in items:
        if isinstance(item, Event):
            counts[item.kind] += 1
            keep = counts[item.kind] <= MOST_EVENTS
        elif isinstance(item, Row) and not math.isfinite(item.value):
            counts[item[1:4]] += 1
            keep = counts[item[1:4]] <= MOST_NOT_FINITE
        else:
            bucket = item.step // stride_for(last_step, room_for(item))
            place = (type(item), *item[1:4], bucket)
            keep = item.step < DENSE or place not in seen
            if item.step >= DENSE:
                seen.add(place)
        if keep:
            result.append(item)
    return result
