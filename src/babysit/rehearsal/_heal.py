"""Heal: find the smallest combination of remedies that works, by rehearsing remedies and comparing with the baseline.

    watch    the baseline is rehearsed and diagnosed; its findings recommend remedies, the likeliest first
    round    what the findings ask for is rehearsed, on top of what is known to help; the best is diagnosed as a
             training of its own, whose findings ask for the next remedies; then rates around the best, then what any
             training may need; until nothing is wrong, nothing helps, or the time is spent (`HealRounds`)
    prune    remedies that the others work without are left out
    confirm  the finalists and the baseline are rehearsed on further seeds
    mend     faults that were found and that the score does without are mended, too, where that does no harm

All rehearsals of a seed have the same rows in the same order and the same first weights, so that a difference in their
outcomes comes from the remedies.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from babysit.diseases import check_names, diagnose, evidence_of_learning
from babysit.record import (
    Effect,
    Finding,
    HealBegan,
    HealEnded,
    Healing,
    InputError,
    Progress,
    Remedy,
    SubjectWatched,
    silent,
)
from babysit.rehearsal._combinations import NOTHING
from babysit.rehearsal._heal_rounds import HealRounds, HealStanding
from babysit.rehearsal._heal_session import ROOT_BONUS, SEARCH_SHARE, HealAttempt, HealSession
from babysit.rehearsal._outcome import RehearsalOutcome, check_training, gain, median_of
from babysit.rehearsal._subject import TO_THE_END, Subject

HEAL_SECONDS = 120.0
WORKS = 0.1  # of the gap: what a combination must close to be recommended; seeds of one training differ by less
FINALISTS = 3
SEEDS = 3
FAILS = 0.5  # of the gap between a seed that fails and one that learns: less is the difference of two good ones
SLACK = 1.3  # times the seconds that what was not tried is expected to take


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
    """Find the smallest combination of remedies that works; the subject is afterwards as it was.

    Args:
        subject: What is sick.
        seconds: Time limit; what is found by then is told.
        steps: Of each rehearsal; a script is rehearsed to its own end.
        seeds: On how many seeds the recommendation is compared with the baseline.
        seed: The first of them.
        most_steps: Limit of the steps of all rehearsals together; None for none.
        ignore: Findings to ignore.
        findings: Known already; None diagnoses the baseline.
        progress: Receives progress events.

    Returns:
        The remedies with their measured effect, and all that was tried. Ctrl-C ends it with what is known by then.

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
    rounds: HealRounds | None = None
    best: HealAttempt | None = None
    effect: Effect | None = None
    mended: tuple[Remedy, ...] = ()
    interrupted = False
    try:
        trace = session.watch()
        check_training(subject.name, trace)
        known = tuple(diagnose(trace, ignore=ignore)) if findings is None else known
        if findings is None and seeds > 2 and not any(one.severity == "sick" for one in known):
            failing = _failing_seed(session, seeds)
            if failing is not None:
                trace = session.watch(failing)
                known = tuple(diagnose(trace, ignore=ignore))
        progress(SubjectWatched(known))
        rounds = HealRounds(session, HealStanding(NOTHING, session.before, 0.0, trace, known), ignore)
        rounds.run()
        best, effect = _confirmed(session, rounds.finalists(FINALISTS, WORKS), seeds)
        if best is not None or not rounds.standing.combination.remedies:
            mended = rounds.mended()
    except KeyboardInterrupt:
        interrupted = True
        if best is None and session.best is not None and session.best.gain >= WORKS:
            best = session.best
            effect = Effect((session.before.values,), (best.outcome.values,), best.gain)
    finally:
        best_known = rounds.standing if rounds is not None else None
        healed = best_known is not None and best is not None and best.combination == best_known.combination
        first = rounds.first.trace if rounds is not None else None
        progress(HealEnded(first, best_known.trace if best_known is not None and healed else None))
    tried = tuple(sorted(session.tried.values(), key=lambda one: (bool(one.refused), -one.share, -one.gain)))
    remedies = best.combination.remedies if best is not None else ()
    return Healing(
        subject.name,
        known,
        remedies,
        effect,
        tried,
        mended=mended,
        left=rounds.standing.roots if rounds is not None and remedies == rounds.standing.combination.remedies else (),
        unjudged="" if remedies else _unjudged(rounds),
        seconds_wanted=_seconds_wanted(session, rounds),
        seconds=time.monotonic() - session.began,
        runs=session.runs,
        steps=session.steps_taken,
        interrupted=interrupted,
    )


def _unjudged(rounds: HealRounds | None) -> str:
    """Why a training in which nothing was found is not called sound; empty where it is, or is sick."""
    if rounds is None or rounds.first.roots:
        return ""
    seen = evidence_of_learning(rounds.first.trace)
    return seen.told if seen.strength == "none" else ""


def _failing_seed(session: HealSession, seeds: int) -> int | None:
    """A seed on which the training fails, where it fails on most others than the first one, too."""
    further = [session.seed + number for number in range(1, seeds)]
    outcomes = session.on_seeds([], further)[-1]
    failing = [seed for seed, one in zip(further, outcomes, strict=False) if gain(one, session.before) >= FAILS]
    return failing[0] if len(failing) > seeds / 2 else None


def _seconds_wanted(session: HealSession, rounds: HealRounds | None) -> float:
    """The time limit that would do for all that findings ask for; 0 where all of it was tried."""
    untried = [one for one in rounds.untried if not session.was_tried(one)] if rounds is not None else []
    if not untried:
        return 0.0
    more = len(untried) * session.full_seconds / session.subject.jobs
    return math.ceil(SLACK * (session.seconds + more / SEARCH_SHARE))


def _confirmed(
    session: HealSession, finalists: Sequence[HealAttempt], seeds: int
) -> tuple[HealAttempt | None, Effect | None]:
    """The first finalist whose median gain over the seeds is not much below the best one; with its effect."""
    if not finalists:
        return None, None
    afford = int(session.affordable(1.0)) // max(1, seeds - 1) - 1
    finalists = finalists[: max(1, min(FINALISTS, afford))]
    # Those that were rehearsed for some of the steps only are rehearsed in full on the first seed, too.
    again = any(attempt.share < 1 for attempt in finalists)
    further = range(session.seed + (not again), session.seed + seeds)
    outcomes = session.on_seeds([one.combination for one in finalists], further) if further else {-1: []}
    before = [*([] if again else [session.before]), *outcomes[-1]]
    if not before:
        return None, None
    judged: list[tuple[float, HealAttempt, list[RehearsalOutcome]]] = []
    for place, attempt in enumerate(finalists):
        after = [*([] if again else [attempt.outcome]), *outcomes.get(place, [])]
        if not after:
            continue
        middle = gain(median_of(before), median_of(after), comparable=attempt.comparable)
        judged.append((middle, attempt, after))
    top = max((middle for middle, _, _ in judged), default=-1.0)
    if top < WORKS:
        return None, None
    middle, attempt, after = next(one for one in judged if one[0] >= top - ROOT_BONUS)
    told = Effect(tuple(one.values for one in before), tuple(one.values for one in after), middle)
    return attempt, told
