"""How much can be searched in some seconds: a short measurement, and arithmetic.

A step of P trials together takes about a + b P seconds: a for what is done once, b for each. Both are measured on the
engine at hand with the recipe at hand, and a plan's rungs are added up. Once chosen, a plan is kept with the Study, and
nothing depends on the clock any more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from babysit.record import Engine, Trial
from babysit.tune._coarse_to_fine import Plan
from babysit.tune._rungs import affordable, left_after

PILOT_NUMBER = 1_000_000_000  # trials of the measurement are numbered from here, and dropped
PILOT_STEPS = 20
PILOT_TRIALS = 24
PILOT_SHARE = 0.06  # of the seconds that may be spent, at most
MOST_TOGETHER = 48
LEAST_BUDGET, MOST_BUDGET = 2.0, 10_000.0  # full trials


@dataclass(frozen=True)
class Speed:
    """Seconds of a step.

    Attributes:
        once: For all trials together.
        each: For every one of them.
    """

    once: float
    each: float

    def seconds(self, trials: int, steps: float) -> float:
        """Of so many trials over so many steps."""
        return steps * (self.once + self.each * trials) if trials else 0.0

    @property
    def together(self) -> int:
        """Trials from which one more costs what each costs: with fewer, time is left unused."""
        return max(1, min(MOST_TOGETHER, round(2 * self.once / self.each))) if self.each else MOST_TOGETHER


def measure_speed(engine: Engine, make: Callable[[int, int], Sequence[Trial]], seconds: float) -> Speed:
    """Train a few trials for a few steps and look at the clock.

    Args:
        engine: That will train the search.
        make: Trials, from a number on, so many.
        seconds: That may be spent on the search altogether.
    """
    number = PILOT_NUMBER

    def timed(count: int, steps: int) -> float:
        nonlocal number
        trials = make(number, count)
        number += count
        began = time.monotonic()
        engine.train(trials, steps)
        spent = time.monotonic() - began
        engine.drop([trial.number for trial in trials])
        return spent

    timed(1, 2)  # what is done once in a process stays out of it
    alone = timed(1, PILOT_STEPS) / PILOT_STEPS
    allowed = PILOT_SHARE * seconds
    count = max(2, min(PILOT_TRIALS, math.floor(allowed / max(1e-9, alone * PILOT_STEPS))))
    timed(count, 2)
    many = timed(count, PILOT_STEPS) / PILOT_STEPS
    each = min(alone, max((many - alone) / (count - 1), alone / 1000))
    return Speed(max(0.0, alone - each), each)


def predicted_seconds(plan: Plan, speed: Speed, *, each: int = 1, finals: int = 0) -> float:
    """How long a plan takes.

    Args:
        plan: The plan.
        speed: As measured.
        each: Trials a point: folds.
        finals: Trials in full at the end.
    """
    total = speed.seconds(finals, plan.full)
    spent = 0.0
    for generation in range(plan.generations + 1):
        rungs = plan.fine_rungs if generation else plan.rungs
        left = plan.budget - spent
        share = left / (plan.generations + 1 - generation) if generation else plan.coarse_budget
        count = affordable(share, rungs, plan.factor)
        if generation and count < plan.together:
            count = min(plan.together, affordable(left, rungs, plan.factor))
        if not count:
            break
        before = 0
        for standing, step in zip(left_after(count, len(rungs), plan.factor), rungs, strict=True):
            total += speed.seconds(standing * each, step - before)
            spent += standing * (step - before)
            before = step
    return total


def sized(plan: Plan, speed: Speed, seconds: float, *, each: int = 1, finals: int = 0) -> Plan:
    """The plan with the largest budget that fits into the seconds; budgets go up by an eighth at a time.

    Example:
        >>> plan = sized(Plan(full=1000, budget=0, lowest=40), Speed(0.001, 0.0001), 30.0)
        >>> 20 < predicted_seconds(plan, Speed(0.001, 0.0001)) <= 30
        True
    """
    together = speed.together
    best = replace(plan, budget=LEAST_BUDGET * plan.full, together=1)
    budget = LEAST_BUDGET
    while budget <= MOST_BUDGET:
        # Many small generations leave an engine idle; few large ones learn less from one another.
        tried = replace(plan, budget=budget * plan.full, together=together)
        if predicted_seconds(tried, speed, each=each, finals=finals) > seconds:
            break
        best = tried
        budget *= 1.125
    return best
