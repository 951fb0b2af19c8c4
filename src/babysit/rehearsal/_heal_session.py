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
    Trace,
    Tried,
)
from babysit.rehearsal._combinations import Combination, changes_the_loss, unique, without
from babysit.rehearsal._outcome import RehearsalOutcome, gain, outcome_of
from babysit.rehearsal._subject import Ask, Subject

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
        self.baselines: dict[tuple[int, int], RehearsalOutcome] = {}  # by steps and seed
        self.tried: dict[tuple[str, ...], Tried] = {}

    @property
    def left(self) -> float:
        """Seconds until the time limit."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def affordable(self, share: float) -> float:
        """How many whole rehearsals there is time for in a share of the time that is left."""
        by_time = share * self.left * self.subject.jobs / max(self.full_seconds, 1e-3)
        if self.most_steps is None:
            return by_time
        full = max(1, self.baselines[self.steps, self.seed].steps)
        return min(by_time, share * max(0, self.most_steps - self.steps_taken) / full)

    def spent(self) -> float:
        """The share of the time limit, or of the limit of steps, that is used up, whichever is more."""
        time_spent = (time.monotonic() - self.began) / self.seconds
        return max(time_spent, self.steps_taken / self.most_steps if self.most_steps else 0.0)

    def watch(self) -> Trace:
        """Rehearse the baseline, measured."""
        start = time.monotonic()
        ask = Ask(self.steps, (), self.seed, "start", WATCH_SHARE * self.seconds)
        found = self.subject.rehearse_all([ask])[0]
        self.full_seconds = time.monotonic() - start
        if isinstance(found, InputError):
            raise found
        trace = found if isinstance(found, Trace) else getattr(found, "trace", None) or Trace()
        outcome = outcome_of(found)
        self._count(outcome)
        ended_early = isinstance(found, Trace) and self.full_seconds > 0.95 * WATCH_SHARE * self.seconds
        if ended_early:
            self.steps = outcome.steps
        self.baselines[self.steps, self.seed] = outcome
        return trace

    def compare(
        self, combinations: Sequence[Combination], steps: int, stage: str, share: float = 1.0
    ) -> list[HealAttempt]:
        """Rehearse combinations, and the baseline where it is not known yet. Returns attempts, the best first."""
        asks = [Ask(steps, one.remedies, self.seed, "losses", self._longest(share)) for one in combinations]
        if (steps, self.seed) not in self.baselines:
            asks.insert(0, Ask(steps, (), self.seed, "losses", self._longest(share)))
        found = self._rehearse(asks, stage, until=SEARCH_SHARE)
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
            self.tried[tuple(sorted(map(str, combination.remedies)))] = told
            self.progress(RemediesTried(told))
            if not refused:
                attempts.append(HealAttempt(combination, outcome, closed, share))
            elif isinstance(one, NotAppliedError):
                again.append(without(combination, one))
        rest = [one for one in unique(again) if tuple(sorted(map(str, one.remedies))) not in self.tried]
        if rest := [one for one in rest if one.remedies]:
            attempts += self.compare(rest, steps, stage, share)
        return sorted(attempts, key=lambda attempt: -attempt.rank)

    def on_seeds(self, combinations: Sequence[Combination], seeds: Sequence[int]) -> dict[int, list[RehearsalOutcome]]:
        """Whole rehearsals of combinations on further seeds, by their places; the baseline has place -1."""
        places = [-1, *range(len(combinations))]
        wanted = [(place, seed) for seed in seeds for place in places]
        asks = [
            Ask(self.steps, combinations[place].remedies if place >= 0 else (), seed, "losses", self._longest(1.0))
            for place, seed in wanted
        ]
        found = self._rehearse(asks, "further seeds", until=1.0)
        outcomes: dict[int, list[RehearsalOutcome]] = {place: [] for place in places}
        for (place, _), one in zip(wanted, found, strict=False):
            outcomes[place].append(outcome_of(one))
        return outcomes

    def _rehearse(self, asks: Sequence[Ask], stage: str, *, until: float) -> list[Trace | BabysitError]:
        """Rehearse in order, until a share of the time limit or of the limit of steps is used up."""
        self.progress(RehearsalsBegan(stage, len(asks)))
        found: list[Trace | BabysitError] = []
        for place in range(0, len(asks), self.subject.jobs):
            if self.spent() > until:
                break
            some = self.subject.rehearse_all(asks[place : place + self.subject.jobs])
            for one in some:
                self._count(outcome_of(one))
            found += some
        return found

    def _longest(self, share: float) -> float:
        return max(5.0, SLOWER * share * self.full_seconds)

    def _count(self, outcome: RehearsalOutcome) -> None:
        self.runs += 1
        self.steps_taken += outcome.steps
