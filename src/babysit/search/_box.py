"""Box: where points are drawn, refitted around survivors.

A range becomes what the survivors span, with room at both ends; at an end where the best lies, more room, beyond the
range itself where values stay legal. Of a choice only what survived stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from babysit.search._parameter import EDGE, FEW, Choice
from babysit.search._points import Units
from babysit.search._space import Space

ROOM = 0.15  # of what survivors span, at each end
NARROWEST = 0.1  # of a range: a handful of survivors spans too little by luck
BEYOND = 0.5  # of the box, added where the best lies at its edge


@dataclass(frozen=True)
class Box:
    """Unit coordinates between which points are drawn.

    Attributes:
        space: What is searched.
        low: Lower ends, by parameter; of a choice 0.
        high: Upper ends; of a choice 1.
        options: Options that are left, by parameter; empty for a range.
        widened: Paths of ranges that were widened beyond what was given, and at which end.
    """

    space: Space
    low: tuple[float, ...]
    high: tuple[float, ...]
    options: tuple[tuple[int, ...], ...]
    widened: tuple[tuple[str, str], ...] = ()

    @classmethod
    def whole(cls, space: Space) -> Box:
        """All of a space, as it was given."""
        options = [tuple(range(len(one.options))) if isinstance(one, Choice) else () for one in space]
        return cls(space, (0.0,) * len(space), (1.0,) * len(space), tuple(options))

    def stretch(self, units: Units) -> Units:
        """Points of the unit cube [N, P] into the box."""
        low, high = np.array(self.low), np.array(self.high)
        stretched: Units = low + units * (high - low)
        for column, options in enumerate(self.options):
            if options:
                count = len(self.space[column].options)
                picked = np.minimum(len(options) - 1, np.floor(units[:, column] * len(options))).astype(int)
                stretched[:, column] = (np.array(options)[picked] + 0.5) / count
        return stretched

    def inside(self, units: Units) -> Units:
        """Points moved into the box [N, P]; an option that is gone becomes the nearest one left."""
        moved: Units = np.clip(units, self.low, self.high)
        for column, options in enumerate(self.options):
            if options:
                count = len(self.space[column].options)
                chosen = np.clip(np.floor(units[:, column] * count), 0, count - 1)
                left = np.array(options)
                nearest = left[np.abs(chosen[:, None] - left[None]).argmin(1)]
                moved[:, column] = (nearest + 0.5) / count
        return moved

    def refitted(self, survivors: Units, counted: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Box:
        """The box around survivors [N, P], the best first.

        Args:
            survivors: Unit coordinates.
            counted: Which of them count at which survivor [N, P]; a parameter that counts nowhere keeps its ends.
        """
        low, high = list(self.low), list(self.high)
        options = list(self.options)
        widened: list[tuple[str, str]] = []
        for column, parameter in enumerate(self.space):
            here = survivors[counted[:, column], column]
            if not len(here):
                continue
            if isinstance(parameter, Choice):
                count = len(parameter.options)
                left = sorted({int(min(count - 1, np.floor(unit * count))) for unit in here})
                options[column] = tuple(left)
                continue
            span = self.high[column] - self.low[column]
            room = max(ROOM * float(np.ptp(here)), (NARROWEST - float(np.ptp(here))) / 2, 0.0)
            ends = [float(here.min()) - room, float(here.max()) + room]
            lowest, highest = parameter.unit_limits
            best = float(here[0])
            whole = parameter.whole and parameter.high - parameter.low < FEW
            at_low = best <= self.low[column] + EDGE * span
            at_high = best >= self.high[column] - EDGE * span
            if whole:
                at_low = parameter.value(best) == parameter.value(self.low[column])
                at_high = parameter.value(best) == parameter.value(self.high[column])
            if at_low:
                ends[0] = self.low[column] - BEYOND * (ends[1] - ends[0])
                if max(lowest, ends[0]) < min(0.0, self.low[column]):
                    widened.append((parameter.path, "low"))
            elif at_high:
                ends[1] = self.high[column] + BEYOND * (ends[1] - ends[0])
                if min(highest, ends[1]) > max(1.0, self.high[column]):
                    widened.append((parameter.path, "high"))
            low[column], high[column] = max(lowest, ends[0]), min(highest, ends[1])
        return Box(self.space, tuple(low), tuple(high), tuple(options), tuple(widened))

    def text(self) -> Sequence[str]:
        """Each parameter with the values between which it is drawn."""
        lines = []
        for column, parameter in enumerate(self.space):
            if isinstance(parameter, Choice):
                left = [str(parameter.options[place]) for place in self.options[column]]
                lines.append(f"{parameter.path}: {', '.join(left)}")
            else:
                low, high = parameter.value(self.low[column]), parameter.value(self.high[column])
                lines.append(f"{parameter.path}: {low:.3g} to {high:.3g}")
        return lines
