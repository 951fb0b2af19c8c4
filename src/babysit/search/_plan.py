"""Plan: how much is searched, cut into brackets. It is pure arithmetic, which also predicts how long a search takes.

    coarse     many points, spread evenly, in waves that grow
    fine       generations of new points around the best so far: some after each wave, the rest at the end

With all points in one wave and all generations after it, the first trial would reach full length after a third of the
time, and only then would the search begin to learn from its best trials. A search of a minute would know nothing good
for half of it. On the 34 tasks of LCBench, four seeds, searches of 100 full trainings had a regret of 9.1 % after 30 of
them without generations between the waves, and of 3.2 % with; in the end 1.9 and 1.7 % (`benchmarks/search_quality.py`
has the end).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from babysit.record import InputError
from babysit.search._points import PointKind
from babysit.search._rungs import FACTOR, affordable, cost, ladder, left_after

Stage = Literal["coarse", "fine"]
GENERATIONS = 6  # with five and with eight, searches of 30 and 100 full trials ended a little worse
COARSE_LEAST = 1.5  # full trials that the coarse stage has, however small its share
# Points of the first wave: few, so that it is quick, and enough to train side by side. With four rungs, a wave of 27
# (one in three goes on at each rung) knew nothing after a fifth of a search of 30 full trainings, and ended no better.
SMALLEST_WAVE = 9
# Trials at a time, at most, to which brackets are begun side by side. With 100 workers and no such bound all brackets
# of a search of 1,000 trials begin before anything is known: it ended in half of the time with a regret of 5.8 instead
# of 2.1 percent. With ten workers it ended in two thirds of the time, and as good (five tasks; `benchmarks/scale.py`).
MOST_BESIDE = 10
BETWEEN = 4.0  # times a wave's cost that its generations have; of 1, 1.5, 2, 3 and 4 the best, early and in the end
BETWEEN_SHARE = 0.5  # of what is left for generations, at most: the last wave is to be learned from, too


@dataclass(frozen=True)
class Plan:
    """How much is searched, and how.

    Attributes:
        full: Steps of a full trial.
        budget: Steps over all trials.
        lowest: Steps of the lowest rung, below which scores say nothing.
        factor: Between rungs, and of those that stand at one the share that goes on.
        coarse: Share of the budget that is spent coarsely.
        generations: After each wave, and at the end; 0 is successive halving alone.
        together: Trials that an engine trains in the time of a few. A generation has at least about so many, where
            the budget is large enough.
        workers: Trials that an engine trains side by side, each for itself: while fewer than so many stand at a rung,
            the next bracket begins beside it; beyond ten, no more of them do.
        points: Kind of the coarse points.
        chance_from: Steps from which a trial at chance is stuck there.
        seed: Makes every draw of the search.
        first: Unit coordinates of points that are tried before all others, such as the settings so far.

    Raises:
        InputError: A negative number of generations.
    """

    full: int
    budget: float
    lowest: int
    factor: float = FACTOR
    coarse: float = 0.4
    generations: int = GENERATIONS
    together: int = 1
    workers: int = 1
    points: PointKind = "sobol"
    chance_from: int = 100
    seed: int = 0
    first: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.generations < 0:
            raise InputError(
                f"{self.generations} generations",
                legal="1 and more; 0 is successive halving alone",
                write=f"--generations {GENERATIONS}",
            )

    @property
    def rungs(self) -> tuple[int, ...]:
        """Steps at which the coarse stage judges."""
        return ladder(self.full, lowest=self.lowest, factor=self.factor)

    @property
    def coarse_budget(self) -> float:
        """Steps of the coarse stage: its share, and enough for a few trials and one of them in full."""
        if not self.generations:
            return self.budget
        return max(self.coarse * self.budget, min(self.budget, COARSE_LEAST * self.full))

    @property
    def coarse_points(self) -> int:
        """Points of all waves, at most; 0 where the budget is too small for one."""
        return affordable(self.coarse_budget, self.rungs, self.factor)

    @property
    def fine_rungs(self) -> tuple[int, ...]:
        """Steps at which the fine stage judges: all but the lowest, where good trials and the best ones score alike."""
        return self.rungs[1:] or self.rungs


class Bracket(NamedTuple):
    """New points that go through rungs together."""

    stage: Stage
    points: int
    rungs: tuple[int, ...]
    afresh: bool = False  # whether the box is drawn from the whole space again, not from the box before


Brackets = Generator[Bracket, float, None]


def brackets(plan: Plan) -> Brackets:
    """What a plan asks for in turn.

    Yields:
        A Bracket; it wants to be sent the steps that were spent so far, over all trials.

    Example:
        >>> asked = brackets(Plan(full=900, budget=30 * 900, lowest=100))
        >>> next(asked).points, asked.send(3000.0)
        (9, Bracket(stage='fine', points=2, rungs=(300, 900), afresh=True))
    """
    count = plan.coarse_points
    if not count:
        return
    cuts = [0, *waves(count, plan.factor, plan.together)]
    sizes = [after - before for before, after in itertools.pairwise(cuts)]
    costs = [cost(size, plan.rungs, plan.factor) for size in sizes]
    # Small waves cost more than their share, as each sends a trial to full length: the last is what is left. Where that
    # is less than the wave before (with many rungs a wave costs a full trial, however small), that one was too much.
    while (last := affordable(plan.coarse_budget - sum(costs), plan.rungs, plan.factor)) < max(sizes, default=1):
        sizes, costs = sizes[:-1], costs[:-1]
    sizes, costs = [*sizes, last], [*costs, cost(last, plan.rungs, plan.factor)]
    spent = 0.0
    for place, size in enumerate(sizes):
        spent = yield Bracket("coarse", size, plan.rungs)
        if to_come := sum(costs[place + 1 :]):
            left = plan.budget - spent - to_come
            spent = yield from _generations(plan, spent, min(BETWEEN * costs[place], BETWEEN_SHARE * left))
    yield from _generations(plan, spent, plan.budget - spent)


@dataclass
class Underway:
    """A bracket on its way.

    Attributes:
        number: From 0, in the order in which they begin.
        bracket: The bracket.
        factor: Between its rungs.
        place: Of the rung at which its trials stand now.
    """

    number: int
    bracket: Bracket
    factor: float
    place: int = 0

    @property
    def sizes(self) -> list[int]:
        """Trials at each of its rungs, where none fails."""
        return left_after(self.bracket.points, len(self.bracket.rungs), self.factor)

    @property
    def standing(self) -> int:
        """Trials at its rung; 0 where it is over."""
        return self.sizes[self.place] if self.place < len(self.bracket.rungs) else 0

    @property
    def step(self) -> int:
        """Of its rung."""
        return self.bracket.rungs[self.place]

    @property
    def before(self) -> int:
        """Step of the rung before; 0 before the first."""
        return self.bracket.rungs[self.place - 1] if self.place else 0

    @property
    def to_come(self) -> int:
        """Steps over all trials that it takes from here on."""
        ends = (0, *self.bracket.rungs)
        steps = [after - before for before, after in itertools.pairwise(ends)]
        return sum(size * more for size, more in zip(self.sizes[self.place :], steps[self.place :], strict=True))


def rounds(plan: Plan) -> Generator[list[Underway], float, None]:
    """Brackets, each at a rung, that are trained at the same time.

    The upper rungs of a bracket are few trials and take long: of nine points one goes to full length, and of two cores
    one waits for it. So the next bracket begins meanwhile. It knows less of what the one before will have found: on
    LCBench, at equal steps, searches of 10, 30 and 100 full trainings ended with a regret of 6.7, 3.3 and 1.6 % instead
    of 6.1, 3.1 and 1.7. But two workers were done in the time of 11.9, 33 and 110 trainings by both of them, instead of
    15.8, 41 and 115 (34 tasks, four seeds).

    Yields:
        Brackets, the one that began first at the front; it wants to be sent the steps that were spent so far, over all
        trials.

    Example:
        >>> asked = rounds(Plan(full=900, budget=30 * 900, lowest=100, workers=2))
        >>> [(one.standing, one.step) for one in next(asked)]
        [(9, 100)]
        >>> [(one.standing, one.step) for one in asked.send(900.0)]
        [(3, 300)]
        >>> [(one.standing, one.step) for one in asked.send(1500.0)]
        [(1, 900), (2, 300)]
    """
    asked, underway, begun, over, spent = brackets(plan), list[Underway](), 0, False, 0.0
    busy = min(plan.workers, MOST_BESIDE)
    while True:
        while not over and (not underway or sum(one.standing for one in underway) < busy):
            try:
                bracket = asked.send(spent + sum(one.to_come for one in underway)) if begun else next(asked)
            except StopIteration:
                over = True
            else:
                underway.append(Underway(begun, bracket, plan.factor))
                begun += 1
        if not underway:
            return
        spent = yield underway
        for one in underway:
            one.place += 1
        underway = [one for one in underway if one.standing]


def _generations(plan: Plan, spent: float, budget: float) -> Generator[Bracket, float, float]:
    """Generations that spend a budget; returns what was spent in all."""
    end = spent + budget
    # Many small generations leave an engine idle; few large ones learn less from one another. Rounded up: where an
    # engine trains 100 at once, the regret after 100 full trainings was 2.6 percent, rounded down 3.6 (LCBench).
    most = math.ceil(affordable(budget, plan.fine_rungs, plan.factor) / plan.together)
    count = min(plan.generations, max(1, most))
    afresh = True
    for left in range(count, 0, -1):
        if points := affordable((end - spent) / left, plan.fine_rungs, plan.factor):
            spent = yield Bracket("fine", points, plan.fine_rungs, afresh)
            afresh = False
    return spent


def waves(count: int, factor: float = FACTOR, together: int = 1) -> list[int]:
    """Where points are cut into waves: few at first, then ever more.

    Whoever is left behind by one wave competes with the next. None is smaller than what an engine trains at once.

    Example:
        >>> waves(150)  # 9, 27 and 114 points
        [9, 36]
        >>> waves(20)
        []
    """
    cuts: list[int] = []
    size = max(SMALLEST_WAVE, together)
    while count - (cuts[-1] if cuts else 0) >= (1 + factor) * size:
        cuts.append((cuts[-1] if cuts else 0) + size)
        size = round(size * factor)
    return cuts
