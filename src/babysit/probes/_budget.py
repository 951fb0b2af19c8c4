"""When to measure: the cost of watching stays under a share of the training's time. And how fast the training is."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping

FIRST_STEPS = 10  # always measured: wiring and set-up show there
PAUSE = 10.0  # times a usual step: what lasts longer is not training (an evaluation, or a notebook that waits)
MEMORY = 15  # of how many past steps the usual one is the median; robust against an evaluation or a checkpoint


class Budget:
    """Decides before each step whether it is measured.

    What the first steps cost is not counted: they are measured whatever it takes. After them, the measured cost of all
    samples, with what the next one will probably cost, stays under `share` of the time spent in training, pauses
    left out.

    Args:
        share: Of the training's time; None goes by steps alone.
        first_steps: Steps at the beginning that are always measured.
        every: Without a share: of the later steps, those whose number is a multiple of this are measured.
        growth: Without a share, in place of `every`: the step measured next is later by this share of those taken, so
            that a long training costs little more than a short one, and its samples are always the same.

    Example:
        >>> budget = Budget(0.01, first_steps=1)
        >>> budget.wants(0, now=0.0), budget.wants(1, now=0.1)
        (True, False)
        >>> budget.sampled(0.002)
        >>> budget.wants(2, now=0.2), budget.wants(3, now=0.6)
        (False, True)
        >>> budget = Budget(None, first_steps=2, growth=0.5)
        >>> [step for step in range(12) if budget.wants(step, now=0.0)]
        [0, 1, 2, 3, 5, 8]
    """

    def __init__(
        self, share: float | None, first_steps: int = FIRST_STEPS, every: int = 1, growth: float = 0.0
    ) -> None:
        self.share = share
        self.every = every
        self.growth = growth
        self._next = float(first_steps)
        self.first_steps = first_steps
        self.samples = 0
        self.spent = 0.0  # seconds that samples after the first steps have cost
        self._sample_costs: deque[float] = deque(maxlen=5)
        self._expected = 0.0  # the dearest of them
        self._steps: deque[float] = deque(maxlen=MEMORY)
        self._stepped = 0
        self.usual_step = math.nan  # median seconds of steps that were not measured; NaN before the first
        self._longest = math.nan  # that a step may take
        self._last: float | None = None  # when the last step after the first ones began
        self._trained = 0.0  # seconds in training since then

    def wants(self, step: int, now: float) -> bool:
        """Whether this step is measured; `now` in seconds by any clock that runs evenly."""
        if step < self.first_steps:
            return True
        if self.share is None and self.growth:
            wanted = step >= self._next
            self._next = step * (1 + self.growth) if wanted else self._next
            return wanted
        if self.share is None:
            return step % self.every == 0
        if self._last is None:
            self._last = now
            return False
        passed, self._last = now - self._last, now
        self._trained += self._longest if passed > self._longest else passed  # nothing is longer than NaN
        return self.spent + self._expected <= self.share * self._trained

    @property
    def rare(self) -> bool:
        """Whether the next sample's number is a power of two: what changes slowly is looked at there."""
        return self.samples & (self.samples - 1) == 0

    def sampled(self, seconds: float) -> None:
        """A sample was taken and cost so much."""
        self.samples += 1
        self._sample_costs.append(seconds)
        self._expected = max(self._sample_costs)
        if self._last is not None:
            self.spent += seconds

    def stepped(self, seconds: float) -> None:
        """A step that was not measured took so long."""
        self._steps.append(seconds)
        self._stepped += 1
        if self._stepped <= MEMORY or self._stepped % MEMORY == 0:  # a median each step would cost more than it tells
            self.usual_step = statistics.median(self._steps)
            self._longest = PAUSE * self.usual_step


def speed(step_seconds: float, facts: Mapping[str, str]) -> dict[str, float]:
    """Seconds of a step and rows a second, by quantity; empty before the first such step.

    Example:
        >>> speed(0.5, {"batch-size": "32"})
        {'step-seconds': 0.5, 'rows-per-second': 64.0}
    """
    if not math.isfinite(step_seconds):
        return {}
    rows = {"rows-per-second": int(facts["batch-size"]) / step_seconds} if "batch-size" in facts else {}
    return {"step-seconds": step_seconds, **rows}
