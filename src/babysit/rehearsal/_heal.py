"""Heal: the smallest change that works, found by rehearsing remedies beside the untouched training.

    watch the untouched training -> findings -> changes, the likeliest first
    rungs:   all of them for a part of the steps, the better half for more, the best in full (successive halving)
    combine: the best with each of the next ones, for as long as that helps
    prune:   leave out what the rest does without
    confirm: the finalists on further seeds, each beside the untouched training of the same seed

Rows, their order and the first weights are the same in all rehearsals of a seed, so that differences are the change's.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.diseases import check_names, diagnose, solved
from babysit.record import (
    BabysitError,
    Effect,
    Finding,
    HealBegan,
    HealEnded,
    Healing,
    InputError,
    NotAppliedError,
    Progress,
    RehearsalsBegan,
    RemediesTried,
    SubjectWatched,
    Trace,
    Tried,
    silent,
)
from babysit.rehearsal._combinations import (
    Combination,
    changes_the_loss,
    combinations_from,
    for_any_training,
    more_epochs,
    unique,
    without,
)
from babysit.rehearsal._outcome import RehearsalOutcome, gain, median_of, outcome_of
from babysit.rehearsal._subject import TO_THE_END, Ask, Subject
from babysit.rehearsal._trains import check_training

HEAL_SECONDS = 120.0
WATCH_SHARE = 0.25  # of the time, for the untouched training
SEARCH_SHARE = 0.8  # of the time, after which nothing new is tried: what was found has to be confirmed
SINGLES_SHARE = 0.5  # of the time, at the most, for changes one by one
WORKS = 0.1  # of the gap, that a change must close to be recommended; seeds of one training differ by less
HELPS = 0.1  # of the gap that is left, that one more change must close
DISPENSABLE = 0.03  # of the gap: what may be lost by leaving a change out
DONE = 0.9  # of the gap: nobody looks any further
ROOT_BONUS, FOUND_BONUS = 0.05, 0.02  # of the gap: a change that a finding asks for wins against a nearly equal one
PARTNERS = 6  # changes that are tried together with the best one
ROUNDS = 3
FINALISTS = 3
SEEDS = 3
SLOWER = 4.0  # times the untouched training's seconds: a rehearsal that takes longer is ended
REDUCTION = 3  # of the changes, and of the steps, from rung to rung
FEWEST_STEPS = 30  # of the lowest rung; fewer say nothing


@dataclass(frozen=True)
class HealAttempt:
    """A change, and what it came to.

    Attributes:
        combination: The change.
        outcome: Of its rehearsal.
        gain: Over the untouched training after as many steps.
        share: Of all steps that it was rehearsed for.
    """

    combination: Combination
    outcome: RehearsalOutcome
    gain: float
    share: float = 1.0

    @property
    def rank(self) -> float:
        """Its gain, with a little for being asked for by a finding, and a little less for each further change."""
        asked = ROOT_BONUS if self.combination.root else FOUND_BONUS if self.combination.because else 0.0
        return self.gain + asked - 0.01 * (len(self.combination.remedies) - 1)


class HealSession:
    """One healing under way: what was rehearsed, and the time that is left."""

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
        self.untouched: dict[tuple[int, int], RehearsalOutcome] = {}  # by steps and seed
        self.tried: dict[tuple[str, ...], Tried] = {}

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def affordable(self, share: float) -> float:
        """Rehearsals in full that a share of the remaining time pays for."""
        by_time = share * self.left * self.subject.jobs / max(self.full_seconds, 1e-3)
        if self.most_steps is None:
            return by_time
        full = max(1, self.untouched[self.steps, self.seed].steps)
        return min(by_time, share * max(0, self.most_steps - self.steps_taken) / full)

    def spent(self) -> float:
        """The share of the time, or of the steps, that is spent, whichever is more."""
        time_spent = (time.monotonic() - self.began) / self.seconds
        return max(time_spent, self.steps_taken / self.most_steps if self.most_steps else 0.0)

    def watch(self) -> Trace:
        """The untouched training, measured."""
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
        self.untouched[self.steps, self.seed] = outcome
        return trace

    def compare(
        self, combinations: Sequence[Combination], steps: int, stage: str, share: float = 1.0
    ) -> list[HealAttempt]:
        """Rehearse changes, and the untouched training where it is not known yet; the best first."""
        asks = [Ask(steps, one.remedies, self.seed, "losses", self._longest(share)) for one in combinations]
        if (steps, self.seed) not in self.untouched:
            asks.insert(0, Ask(steps, (), self.seed, "losses", self._longest(share)))
        found = self._rehearse(asks, stage, until=SEARCH_SHARE)
        if not found:
            return []
        if len(asks) > len(combinations):
            self.untouched[steps, self.seed] = outcome_of(found.pop(0))
        before = self.untouched[steps, self.seed]
        attempts, again = [], []
        for combination, one in zip(combinations, found, strict=False):  # some may have found no time
            refused = isinstance(one, InputError)
            outcome = outcome_of(one)
            closed = math.nan if refused else gain(before, outcome, comparable=not changes_the_loss(combination))
            told = Tried(
                combination.remedies,
                closed,
                {} if refused else outcome.to_dict(),
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
        """Changes in full on further seeds, by place, with the untouched training under -1."""
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
        """Rehearse in order, until a share of the time or of the steps is spent."""
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


def heal(
    subject: Subject,
    *,
    seconds: float = HEAL_SECONDS,
    steps: int = TO_THE_END,
    seeds: int = SEEDS,
    seed: int = 0,
    most_steps: int | None = None,
    ignore: Sequence[str] = (),
    findings: Sequence[Finding] | None = None,
    progress: Progress = silent,
) -> Healing:
    """Find the smallest change that works; the subject is afterwards as it was.

    Args:
        subject: What is sick.
        seconds: That may be spent; what is found by then is told.
        steps: Of each rehearsal; a script is rehearsed to its own end.
        seeds: On which the recommended change is held against the untouched training.
        seed: The first of them.
        most_steps: Of all rehearsals together; None goes by time alone.
        ignore: Names of findings not to go by.
        findings: Known already; None diagnoses the watched training.
        progress: Receives progress events.

    Returns:
        The change with its measured effect, and all that was tried. Ctrl-C ends it with what is known by then.

    Raises:
        InputError: Nothing to rehearse, no time, or no seeds.
    """
    check_names(ignore)
    if not seconds > 0 or steps < 1 or seeds < 1:
        raise InputError(
            f"a healing of {seconds:g} seconds, {steps} steps and {seeds} seeds", legal="above 0, all three"
        )
    session = HealSession(subject, steps, seconds, seed, progress, most_steps)
    progress(HealBegan(seconds))
    known: tuple[Finding, ...] = tuple(findings or ())
    best: HealAttempt | None = None
    effect: Effect | None = None
    interrupted = False
    try:
        trace = session.watch()
        check_training(subject.name, trace)
        if findings is None:
            known = tuple(diagnose(trace, ignore=ignore))
        progress(SubjectWatched(known))
        finalists = _search(session, known, trace)
        best, effect = _confirmed(session, finalists, seeds)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress(HealEnded())
    tried = tuple(sorted(session.tried.values(), key=lambda one: (bool(one.refused), -one.share, -one.gain)))
    return Healing(
        subject.name, known, best.combination.remedies if best is not None else (), effect, tried,
        seconds=time.monotonic() - session.began, runs=session.runs, steps=session.steps_taken, interrupted=interrupted,
    )  # fmt: skip


def _search(session: HealSession, findings: Sequence[Finding], trace: Trace) -> list[HealAttempt]:
    """Finalists, the best first."""
    before = session.untouched[session.steps, session.seed]
    asked = combinations_from(findings, trace)
    attempts = _halving(session, asked, "what the findings ask for") if asked else []
    best_asked = attempts[0].gain if attempts else -1.0
    if best_asked < DONE and not _solved(before):
        attempts += _halving(session, _others(asked, for_any_training(trace)), "what every training may need")
    attempts.sort(key=lambda attempt: -attempt.rank)
    best = attempts[0] if attempts else None
    last: list[HealAttempt] = []
    for _ in range(ROUNDS):
        if best is None or best.gain >= DONE or session.affordable(0.5) < 2:
            break
        partners = _partners(best, attempts, trace)[: max(2, int(session.affordable(0.4)))]
        if not partners:
            break
        last = session.compare(partners, session.steps, "together")
        if not last or gain(best.outcome, last[0].outcome) < HELPS or last[0].gain <= best.gain:
            break
        attempts = [*last, *attempts]
        best = last[0]
    if best is not None:
        best = _pruned(session, best)
        attempts.insert(0, best)
    distinct = unique(attempt.combination for attempt in attempts)
    kept = [next(attempt for attempt in attempts if attempt.combination is one) for one in distinct]
    return [attempt for attempt in kept if attempt.gain >= WORKS][:FINALISTS]


def _solved(outcome: RehearsalOutcome) -> bool:
    scored = outcome.evaluated or outcome.trained
    return scored is not None and solved(scored[1])


def _others(known: Sequence[Combination], more: Sequence[Combination]) -> list[Combination]:
    return unique([*known, *more])[len(unique(known)) :]


def _halving(session: HealSession, combinations: Sequence[Combination], stage: str) -> list[HealAttempt]:
    """Successive halving over changes: all for few steps, a third of them for three times as many, and so on.

    Where there is time for all in full there is one rung. Trials of lower rungs that were dropped are not returned.
    """
    full = session.untouched[session.steps, session.seed].steps
    afford = max(2.0, session.affordable(SINGLES_SHARE))
    rungs = 0
    while (
        len(combinations) * (rungs + 1) / REDUCTION**rungs > afford and full / REDUCTION ** (rungs + 1) >= FEWEST_STEPS
    ):
        rungs += 1
    alive = list(combinations)
    attempts: list[HealAttempt] = []
    for rung in range(rungs, -1, -1):
        share = REDUCTION**-rung
        steps = session.steps if rung == 0 else max(FEWEST_STEPS, round(full * share))
        room = max(2, int(session.affordable(SINGLES_SHARE) / share / (rung + 1)))
        found = session.compare(alive[:room], steps, stage, share)
        attempts = found or attempts
        if rung:
            alive = [attempt.combination for attempt in attempts[: max(2, math.ceil(len(attempts) / REDUCTION))]]
    return attempts


def _partners(best: HealAttempt, attempts: Sequence[HealAttempt], trace: Trace) -> list[Combination]:
    """The best change with one more: what helped alone first, what findings ask for, more epochs."""
    taken = {remedy.name for remedy in best.combination.remedies}
    order = sorted(attempts, key=lambda attempt: -(attempt.gain + (0.2 if attempt.combination.root else 0.0)))
    found: list[Combination] = []
    for attempt in order:
        if attempt.outcome.failed and not attempt.combination.root:
            continue
        extra = tuple(one for one in attempt.combination.remedies if one.name not in taken)
        if extra and len(extra) == len(attempt.combination.remedies):
            root = best.combination.root or attempt.combination.root
            because = best.combination.because or attempt.combination.because
            found.append(Combination((*best.combination.remedies, *extra), because, root))
    found = unique(found)[:PARTNERS]
    more = more_epochs(trace)
    if more is not None and "epochs" not in taken:
        found.append(dataclasses.replace(best.combination, remedies=(*best.combination.remedies, more)))
    return found


def _pruned(session: HealSession, best: HealAttempt) -> HealAttempt:
    """Without what the rest does without."""
    while len(best.combination.remedies) > 1 and session.affordable(0.6) >= len(best.combination.remedies):
        without = [
            dataclasses.replace(
                best.combination, remedies=(*best.combination.remedies[:at], *best.combination.remedies[at + 1 :])
            )
            for at in range(len(best.combination.remedies))
        ]
        tried = session.compare(without, session.steps, "without")
        if not tried:
            break
        smaller = max(tried, key=lambda attempt: attempt.gain)
        if smaller.gain < best.gain - DISPENSABLE:
            break
        best = smaller
    return best


def _confirmed(
    session: HealSession, finalists: Sequence[HealAttempt], seeds: int
) -> tuple[HealAttempt | None, Effect | None]:
    """The finalist that works on most seeds: the first whose median gain is not beaten by much."""
    if not finalists:
        return None, None
    afford = int(session.affordable(1.0)) // max(1, seeds - 1) - 1
    finalists = finalists[: max(1, min(FINALISTS, afford))]
    # What was rehearsed for a part of the steps only is rehearsed in full on the first seed, too.
    again = any(attempt.share < 1 for attempt in finalists)
    further = range(session.seed + (not again), session.seed + seeds)
    outcomes = session.on_seeds([one.combination for one in finalists], further) if further else {-1: []}
    before = [*([] if again else [session.untouched[session.steps, session.seed]]), *outcomes[-1]]
    if not before:
        return None, None
    judged: list[tuple[float, HealAttempt, list[RehearsalOutcome]]] = []
    for place, attempt in enumerate(finalists):
        after = [*([] if again else [attempt.outcome]), *outcomes.get(place, [])]
        if not after:
            continue
        comparable = not changes_the_loss(attempt.combination)
        middle = gain(median_of(before), median_of(after), comparable=comparable)
        judged.append((middle, attempt, after))
    top = max((middle for middle, _, _ in judged), default=-1.0)
    if top < WORKS:
        return None, None
    middle, attempt, after = next(one for one in judged if one[0] >= top - ROOT_BONUS)
    told = Effect(tuple(one.to_dict() for one in before), tuple(one.to_dict() for one in after), middle)
    return attempt, told
