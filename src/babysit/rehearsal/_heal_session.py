"""HealSession: what a healing has rehearsed so far, and the time that is left for more."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.record import (
    BabysitError,
    InputError,
    NotAppliedError,
    Progress,
    RehearsalsBegan,
    RemediesTried,
    Remedy,
    Trace,
    Tried,
)
from babysit.rehearsal._combinations import Combination, changes_the_loss, unique, without
from babysit.rehearsal._examination import DEPENDENCE_STEPS, with_dependence
from babysit.rehearsal._outcome import RehearsalOutcome, gain, outcome_of
from babysit.rehearsal._subject import ENDED_BY, TIME_LIMIT, Ask, Subject

WATCH_SHARE = 0.25  # of the time limit, for the baseline
SEARCH_SHARE = 0.8  # of the time limit, after which nothing new is tried: what was found has to be confirmed
ROOT_BONUS, FOUND_BONUS = 0.05, 0.02  # of the gap: a remedy that a finding recommends wins against a nearly equal one
SLOWER = 4.0  # times the baseline's seconds: a rehearsal that takes longer is ended


@dataclass(frozen=True)
class HealAttempt:
    """A combination of remedies that was rehearsed, and what it came to.

    Attributes:
        combination: Its remedies.
        outcome: Of its rehearsal.
        gain: The share of the gap that it closes, against the baseline after as many steps; see `gain`.
        share: Of the steps of a whole rehearsal, those it was rehearsed for.
    """

    combination: Combination
    outcome: RehearsalOutcome
    gain: float
    share: float = 1.0

    @property
    def comparable(self) -> bool:
        """Whether its losses are of the same function and scale as the baseline's."""
        return not changes_the_loss(self.combination)

    @property
    def rank(self) -> float:
        """Its gain, plus a bonus where a finding recommends it, minus a little for each remedy after the first."""
        asked = ROOT_BONUS if self.combination.root else FOUND_BONUS if self.combination.because else 0.0
        return self.gain + asked - 0.01 * (len(self.combination.remedies) - 1)


class HealSession:
    """One healing under way: what was rehearsed, and the time that is left.

    Args:
        subject: What is healed.
        steps: Of a whole rehearsal.
        seconds: Time limit.
        seed: The first one.
        progress: Receives progress events.
        most_steps: Limit of the steps of all rehearsals together; None for none.

    Attributes:
        baselines: Outcomes of the baseline, by steps and seed.
        tried: All that was rehearsed, by remedies.
        best: The attempt that closed most in a whole rehearsal.
    """

    def __init__(
        self,
        subject: Subject,
        steps: int,
        seconds: float,
        seed: int,
        progress: Progress,
        most_steps: int | None = None,
    ) -> None:
        self.subject, self.steps, self.seed, self.progress = subject, steps, seed, progress
        self.seconds, self.most_steps = seconds, most_steps
        self.began = time.monotonic()
        self.runs = self.steps_taken = 0
        self.full_seconds = 0.0
        self._slowest = 0.0  # seconds of the baseline, processes and libraries included
        self._timed = False  # whether rehearsals after the first one were
        self.best: HealAttempt | None = None
        self.baselines: dict[tuple[int, int], RehearsalOutcome] = {}  # by steps and seed
        self.tried: dict[tuple[str, ...], Tried] = {}

    @property
    def before(self) -> RehearsalOutcome:
        """The outcome of the baseline."""
        return self.baselines[self.steps, self.seed]

    @property
    def left(self) -> float:
        """Seconds until the time limit."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def affordable(self, share: float) -> float:
        """How many whole rehearsals there is time for in a share of the time that is left."""
        by_time = share * self.left * self.subject.jobs / max(self.full_seconds, 1e-3)
        if self.most_steps is None:
            return by_time
        full = max(1, self.before.steps)
        return min(by_time, share * max(0, self.most_steps - self.steps_taken) / full)

    def spent(self) -> float:
        """The share of the time limit, or of the limit of steps, that is used up, whichever is more."""
        time_spent = (time.monotonic() - self.began) / self.seconds
        return max(time_spent, self.steps_taken / self.most_steps if self.most_steps else 0.0)

    def was_tried(self, combination: Combination) -> bool:
        """Whether these remedies were rehearsed together, or a part of them could not be applied."""
        return _key(combination) in self.tried or any(
            (str(one),) in self.tried and self.tried[(str(one),)].refused for one in combination.remedies
        )

    def watch(self, seed: int | None = None) -> Trace:
        """Rehearse the baseline, measured; beside it, of a script, its first steps to test what depends on what.

        Args:
            seed: The seed to go by from now on; None for the one that is gone by.
        """
        self.seed = self.seed if seed is None else seed
        start = time.monotonic()
        asks = [Ask(self.steps, (), self.seed, "start", WATCH_SHARE * self.seconds)]
        if self.subject.own_end and self.steps > DEPENDENCE_STEPS:
            asks.append(Ask(DEPENDENCE_STEPS, (), self.seed, "dependence", WATCH_SHARE * self.seconds))
        found, *tested = self.subject.rehearse_all(asks)
        self.full_seconds = self._slowest = time.monotonic() - start
        if isinstance(found, InputError):
            raise found
        trace = found if isinstance(found, Trace) else getattr(found, "trace", None) or Trace()
        outcome = outcome_of(found)
        for one in (found, *tested):
            self._count(outcome_of(one))
        if trace.facts.get(ENDED_BY) == TIME_LIMIT:
            self.steps = max(1, outcome.steps)
        self.baselines[self.steps, self.seed] = outcome
        return with_dependence(trace, tested[0]) if tested else trace

    def measure(self, combination: Combination) -> tuple[Trace | None, RehearsalOutcome]:
        """Rehearse remedies once more, measured as the baseline was, to be diagnosed."""
        ask = Ask(self.steps, combination.remedies, self.seed, "start", self._longest(1.0))
        found = self.subject.rehearse_all([ask])[0]
        outcome = outcome_of(found)
        self._count(outcome)
        return (found if isinstance(found, Trace) else getattr(found, "trace", None)), outcome

    def compare(
        self,
        combinations: Sequence[Combination],
        steps: int,
        stage: str,
        share: float = 1.0,
        *,
        within: float = 1.0,
    ) -> list[HealAttempt]:
        """Rehearse combinations, and the baseline where it is not known yet.

        Args:
            combinations: What to rehearse.
            steps: Of each.
            stage: What for.
            share: Of a whole rehearsal's steps.
            within: The share of the time that is left, after which nothing new is begun.

        Returns:
            Attempts, the best first.
        """
        if not combinations:
            return []
        asks = [Ask(steps, one.remedies, self.seed, "losses", self._longest(share)) for one in combinations]
        if (steps, self.seed) not in self.baselines:
            asks.insert(0, Ask(steps, (), self.seed, "losses", self._longest(share)))
        spent = self.spent()
        until = min(SEARCH_SHARE, spent + within * max(0.0, 1 - spent))
        found = self._rehearse(asks, stage, until=until, share=share)
        if not found:
            return []
        if len(asks) > len(combinations):
            self.baselines[steps, self.seed] = outcome_of(found.pop(0))
        before = self.baselines[steps, self.seed]
        attempts, again = [], []
        for combination, one in zip(combinations, found, strict=False):  # time may have run out before the last ones
            refused = isinstance(one, InputError)
            outcome = outcome_of(one)
            closed = math.nan if refused else gain(before, outcome, comparable=not changes_the_loss(combination))
            told = Tried(
                combination.remedies,
                closed,
                {} if refused else outcome.values,
                combination.because,
                str(one).splitlines()[0] if refused else "",
                share,
            )
            self.tried[_key(combination)] = told
            self.progress(RemediesTried(told))
            if not refused:
                attempts.append(HealAttempt(combination, outcome, closed, share))
                if share == 1.0 and (self.best is None or attempts[-1].gain > self.best.gain):
                    self.best = attempts[-1]
            elif isinstance(one, NotAppliedError):
                for remedy, reason in one.missing:
                    self.tried.setdefault((remedy,), Tried((Remedy.parse(remedy),), math.nan, refused=reason))
                again.append(without(combination, one))
        rest = [one for one in unique(again) if one.remedies and not self.was_tried(one)]
        if rest:
            attempts += self.compare(rest, steps, stage, share, within=within)
        return sorted(attempts, key=lambda attempt: -attempt.rank)

    def on_seeds(self, combinations: Sequence[Combination], seeds: Sequence[int]) -> dict[int, list[RehearsalOutcome]]:
        """Whole rehearsals of combinations on further seeds, by their places; the baseline has place -1."""
        places = [-1, *range(len(combinations))]
        wanted = [(place, seed) for seed in seeds for place in places]
        asks = [
            Ask(self.steps, combinations[place].remedies if place >= 0 else (), seed, "losses", self._longest(1.0))
            for place, seed in wanted
        ]
        found = self._rehearse(asks, "further seeds", until=1.0, share=1.0)
        outcomes: dict[int, list[RehearsalOutcome]] = {place: [] for place in places}
        for (place, _), one in zip(wanted, found, strict=False):
            outcomes[place].append(outcome_of(one))
        return outcomes

    def _rehearse(self, asks: Sequence[Ask], stage: str, *, until: float, share: float) -> list[Trace | BabysitError]:
        """Rehearse in order, until a share of the time limit or of the limit of steps is used up."""
        self.progress(RehearsalsBegan(stage, len(asks)))
        found: list[Trace | BabysitError] = []
        for place in range(0, len(asks), self.subject.jobs):
            if self.spent() > until:
                break
            start = time.monotonic()
            some = self.subject.rehearse_all(asks[place : place + self.subject.jobs])
            for one in some:
                self._count(outcome_of(one))
            self._took((time.monotonic() - start) / share, some)
            found += some
        return found

    def _took(self, seconds: float, found: Sequence[Trace | BabysitError]) -> None:
        """What a whole rehearsal takes. The first one also loaded libraries and began processes: it says too much."""
        if not any(isinstance(one, Trace) for one in found):
            return
        self.full_seconds = seconds if not self._timed else 0.5 * (self.full_seconds + seconds)
        self._timed = True

    def _longest(self, share: float) -> float:
        return max(5.0, SLOWER * share * self._slowest)

    def _count(self, outcome: RehearsalOutcome) -> None:
        self.runs += 1
        self.steps_taken += outcome.steps


def _key(combination: Combination) -> tuple[str, ...]:
    return tuple(sorted(map(str, combination.remedies)))
