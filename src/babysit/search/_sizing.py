"""How much can be searched in some seconds: a short measurement, and arithmetic.

A rung of P trials over n steps takes about n (a + b P) + c P h seconds: a for what a step does once, b for each trial,
c for validating a trial on all rows, h for the share of the rows that it is judged on there. Where an engine trains W
trials side by side, P is rounded up to a multiple of W: of three trials on two cores one core has two. Rungs that are
trained at the same time take as long as the longest of them, or as all of them spread evenly. All of it is
measured on this engine with this recipe, and the times of a plan's rounds are added up. A plan that was chosen is kept
with the Study. From then on nothing depends on the clock, unless a search takes so much longer that it is cut short.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from babysit.record import Engine, Trial
from babysit.search._plan import Plan, rounds

PILOT_NUMBER = 1_000_000_000  # trials of the measurement are numbered from here, and dropped
# Steps of 24 trials in which an engine computes as it will in the search: with some hundreds it chooses its layout.
PILOT_STEPS, PILOT_TRIALS = 24, 24
FEWER_STEPS, FEWER_TRIALS = 5, 8  # where those would take too long
ALONE_STEPS = 6
FAILED_AFTER = 10  # steps after which most of those that fail have failed
ABOUT = 1.1  # times as long, which is as long
CLEAR = 1.5  # times a short rung that a long one takes at least
TRIES = 6  # where all trials of a measurement fail
PILOT_SHARE = 0.06  # of the time limit, about
PILOT_RUNGS = 4  # of a measurement: those that fail, what is done once, a short one and a long one
MOST_TOGETHER = 48
LONGER_RUN = 3  # times the lowest rung, which is the next one
RUN_SHARE = 0.15  # of the seconds, at most, that the longer run of a measurement of runs may take
# Of the seconds, that a plan is made for: searches of five networks took 0.9 to 1.4 times what was predicted of them.
PLANNED_SHARE = 0.85
LEAST_BUDGET, MOST_BUDGET = 2.0, 10_000.0  # full trials


JudgedShare = Callable[[int], float]  # of the validation rows that a trial is judged on after so many steps


def on_all(step: int) -> float:
    """Every trial is judged on all rows, always."""
    return 1.0


@dataclass(frozen=True)
class Speed:
    """Seconds of a step, and of a rung.

    Attributes:
        once: Of a step, for all trials together.
        each: Of a step, for every one of them.
        judged: Of a rung, for every trial that arrives at it, were it judged on all rows.
        side_by_side: Trials that the engine trains at the same time, each for itself.
        from_the_start: Whether the engine trains a trial from its first step again at each rung, as it runs scripts.
    """

    once: float
    each: float
    judged: float = 0.0
    side_by_side: int = 1
    from_the_start: bool = False

    def seconds(self, trials: int, steps: float, share: float = 1.0) -> float:
        """Of so many trials over so many steps, and validated on a share of the rows."""
        filled = math.ceil(trials / self.side_by_side) * self.side_by_side
        return steps * (self.once + self.each * filled) + self.judged * share * filled if trials else 0.0

    def beside(self, rungs: Sequence[tuple[int, int, float]]) -> float:
        """Of rungs that are trained at the same time: trials, steps and share of the rows of each.

        Example:
            >>> Speed(0.0, 1.0, side_by_side=2).beside([(1, 100, 1.0), (2, 30, 1.0)])  # 2 a step of one of two
            200.0
        """
        each = [self.seconds(*rung) for rung in rungs]
        cores = [seconds * min(self.side_by_side, rung[0]) for seconds, rung in zip(each, rungs, strict=True)]
        return max(*each, sum(cores) / self.side_by_side) if each else 0.0

    @property
    def together(self) -> int:
        """Trials from which one more costs what each costs: with fewer, time is left unused."""
        return max(1, min(MOST_TOGETHER, round(2 * self.once / self.each))) if self.each else MOST_TOGETHER


def measure_speed(
    engine: Engine, make: Callable[[int, int], Sequence[Trial]], seconds: float, share: JudgedShare = on_all
) -> Speed:
    """Train a few trials for a few steps and look at the clock.

    Args:
        engine: That will train the search.
        make: Trials, from a number on, so many.
        seconds: Time limit of the whole search in seconds.
        share: Of the validation rows that the engine judges a trial on.
    """
    number = PILOT_NUMBER

    def settled(steps: int) -> int:
        """Step from which a short rung, and a long one after it, are judged on equally many rows."""
        first = FAILED_AFTER + 3 * steps
        return next((at for at in range(first, 4 * first) if share(at + steps) == share(at + 4 * steps)), first)

    def whole(count: int, steps: int) -> tuple[float, float]:
        """Where trials are over so soon that no rung is longer than another: what judging takes counts as steps."""
        nonlocal number
        trials = make(number, count)
        number += count
        began = time.monotonic()
        scores = engine.train(trials, steps)
        took = time.monotonic() - began
        engine.drop([trial.number for trial in trials])
        return took / max(1, sum(score.step for score in scores.values())), 0.0

    def timed(count: int, steps: int, bearable: float) -> tuple[float, float, int]:
        """Seconds of a step of one of so many trials, of judging it, and how many were left of them."""
        nonlocal number
        trials = make(number, count)
        number += count
        own = range(number - count, number)
        at, spent = dict.fromkeys(own, 0), 0.0

        def rung(more: int) -> tuple[float, float]:
            """Seconds a trial, and steps that it took."""
            nonlocal trials, spent
            until = more + max(at[one.number] for one in trials)
            began = time.monotonic()
            scores = engine.train(trials, until)
            took = time.monotonic() - began
            spent += took
            trained = [scores[one.number].step - at[one.number] for one in trials if one.number in scores]
            at.update({number: score.step for number, score in scores.items()})
            seconds = took / len(trials)
            trials = [one for one in trials if one.number in scores and not scores[one.number].failed]
            return seconds, sum(trained) / max(1, len(trained))

        try:
            # The first rung sorts out those that fail, often half of them, which take no more time. In the second is
            # what is done once for those left and for so many steps: the layout, processes, memory.
            first, taken = rung(FAILED_AFTER)
            left, longer = len(trials), 3 * steps
            if trials:
                rung(settled(steps) - FAILED_AFTER)
            if not trials:
                return first / max(1.0, taken), 0.0, 0
            short, few = rung(steps)
            rows = share(max(at[number] for number in own))
            if not few:
                return *whole(count, FAILED_AFTER + steps), left
            long, many = rung(longer) if trials else (short, few)
            # Until the steps are a good part of it, and not the judging: else the difference is noise.
            while trials and long < CLEAR * short and many >= longer and spent < bearable:
                longer *= 2
                for _ in range(2):
                    if trials:
                        long, many = rung(longer)
            if many <= few:
                # Its own end came before a longer rung: what it took to be judged counts as steps.
                return short / max(1.0, few), 0.0, left
            of_step = max((long - short) / (many - few), 0.1 * long / many)
            return of_step, max(0.0, short - few * of_step) / rows, left
        finally:
            engine.drop(own)

    for _ in range(TRIES):
        alone, judged, left = timed(1, ALONE_STEPS, PILOT_SHARE * seconds / 2)
        if left:
            break

    def bearable(steps: int) -> int:
        """Trials that can be measured so, were each to take what it takes alone."""
        until = settled(steps) + 4 * steps
        return math.floor(PILOT_SHARE * seconds / max(1e-9, until * alone + PILOT_RUNGS * judged * share(until)))

    count, steps, width = min(PILOT_TRIALS, bearable(PILOT_STEPS)), PILOT_STEPS, engine.side_by_side
    if count < FEWER_TRIALS:
        fitting = [few for few in range(PILOT_STEPS, FEWER_STEPS, -1) if bearable(few) >= FEWER_TRIALS]
        steps = fitting[0] if fitting else FEWER_STEPS
        count = max(2, min(FEWER_TRIALS, bearable(steps)))
    for _ in range(TRIES):
        shared, judged, left = timed(count, steps, PILOT_SHARE * seconds)
        if left:
            break
    # One takes as long as one for each that are trained side by side, and so on: alone = once + width each,
    # left shared = once + filled each. An engine of eight workers on two cores trains two side by side: fewer are tried
    # until one takes no more than it was seen to take.
    while True:
        filled = math.ceil(left / width) * width
        each = (left * shared - alone) / (filled - width) if filled > width else shared
        if width == 1 or width * each <= ABOUT * alone:
            break
        width -= 1
    each = min(alone / width, max(each, alone / 1000))
    return Speed(max(0.0, alone - width * each), each, judged, width)


def measure_runs(
    engine: Engine,
    make: Callable[[int, int], Sequence[Trial]],
    seconds: float,
    lowest: int,
    full: int,
) -> Speed:
    """Run a few trials of an engine that begins each anew at each rung, and look at the clock.

    As many as run side by side, so that they take from each other what they will in the search. First to the lowest
    rung; where that took a small part of the time limit, to a longer one as well, which tells what a step takes from
    what a run takes before its first.

    Args:
        engine: That will train the search.
        make: Trials, from a number on, so many.
        seconds: Time limit of the whole search in seconds.
        lowest: Steps of the lowest rung.
        full: Steps of a full trial.
    """
    width = engine.side_by_side
    number = PILOT_NUMBER

    def timed(steps: int) -> float:
        """Seconds of a run; of those that fail at once only where all do, a few times."""
        nonlocal number
        took = 0.0
        for _ in range(TRIES):
            trials = make(number, width)
            number += width
            began = time.monotonic()
            scores = engine.train(trials, steps)
            took = time.monotonic() - began
            engine.drop([one.number for one in trials])
            if not all(score.failed for score in scores.values()):
                break
        return max(took, 1e-9)

    short, longer = timed(lowest), min(full, LONGER_RUN * lowest)
    if longer == lowest or LONGER_RUN * short > RUN_SHARE * seconds:
        return Speed(0.0, short / lowest / width, 0.0, width, from_the_start=True)
    long = timed(longer)
    of_step = max((long - short) / (longer - lowest), 0.1 * long / longer)
    return Speed(0.0, of_step / width, max(0.0, short - lowest * of_step) / width, width, from_the_start=True)


def predicted_seconds(
    plan: Plan, speed: Speed, *, each: int = 1, finals: int = 0, share: JudgedShare = on_all
) -> float:
    """How long a plan takes.

    Args:
        plan: The plan.
        speed: As measured.
        each: Trials a point: folds.
        finals: Trials in full at the end.
        share: Of the validation rows that a trial is judged on.
    """
    total, spent = speed.seconds(finals, plan.full), 0.0
    asked = rounds(plan)
    underway = next(asked, None)
    while underway is not None:
        total += speed.beside(
            [
                (one.standing * each, one.step - one.before * (not speed.from_the_start), share(one.step))
                for one in underway
            ]
        )
        spent += sum(one.standing * (one.step - one.before) for one in underway)
        try:
            underway = asked.send(spent)
        except StopIteration:
            break
    return total


def sized(
    plan: Plan, speed: Speed, seconds: float, *, each: int = 1, finals: int = 0, share: JudgedShare = on_all
) -> Plan:
    """The plan with the largest budget that fits into the seconds, a part of them left as a reserve.

    Budgets go up by an eighth at a time.

    Example:
        >>> plan = sized(Plan(full=1000, budget=0, lowest=40), Speed(0.001, 0.0001), 30.0)
        >>> 20 < predicted_seconds(plan, Speed(0.001, 0.0001)) <= 30
        True
    """
    together = speed.together
    best = replace(plan, budget=LEAST_BUDGET * plan.full, together=1)
    budget = LEAST_BUDGET
    while budget <= MOST_BUDGET:
        tried = replace(plan, budget=budget * plan.full, together=together)
        if predicted_seconds(tried, speed, each=each, finals=finals, share=share) > PLANNED_SHARE * seconds:
            break
        best = tried
        budget *= 1.125
    return best
