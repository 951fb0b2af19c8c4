"""Heal: find the smallest combination of remedies that works, by rehearsing remedies and comparing with the baseline.

    watch    the baseline is rehearsed and diagnosed; its findings recommend remedies, the likeliest first
    halve    all remedies are rehearsed for some of the steps, the best third for three times as many, and so on
    combine  the best one is rehearsed with each of the next ones added, as long as that helps
    prune    remedies that the others work without are left out
    confirm  the finalists and the baseline are rehearsed on further seeds

All rehearsals of a seed have the same rows in the same order and the same first weights, so that a difference in their
outcomes comes from the remedies.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence

from babysit.diseases import check_names, diagnose, solved
from babysit.record import (
    Effect,
    Finding,
    HealBegan,
    HealEnded,
    Healing,
    InputError,
    Progress,
    SubjectWatched,
    Trace,
    silent,
)
from babysit.rehearsal._combinations import (
    Combination,
    changes_the_loss,
    combinations_from,
    for_any_training,
    more_epochs,
    unique,
)
from babysit.rehearsal._heal_session import ROOT_BONUS, HealAttempt, HealSession
from babysit.rehearsal._outcome import RehearsalOutcome, check_training, gain, median_of
from babysit.rehearsal._subject import TO_THE_END, Subject

HEAL_SECONDS = 120.0
SINGLES_SHARE = 0.5  # of the time limit, at most, for remedies one by one
WORKS = 0.1  # of the gap: what a combination must close to be recommended; seeds of one training differ by less
HELPS = 0.1  # of the gap that is left: what one more remedy must close
DISPENSABLE = 0.03  # of the gap: what may be lost by leaving a remedy out
DONE = 0.9  # of the gap: where this much is closed, the search ends
PARTNERS = 6  # remedies that are tried together with the best one
ROUNDS = 3
FINALISTS = 3
SEEDS = 3
REDUCTION = 3  # from rung to rung, so many times fewer combinations and more steps
FEWEST_STEPS = 30  # of the lowest rung; losses of fewer steps are mostly noise


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
        subject.name,
        known,
        best.combination.remedies if best is not None else (),
        effect,
        tried,
        seconds=time.monotonic() - session.began,
        runs=session.runs,
        steps=session.steps_taken,
        interrupted=interrupted,
    )


def _search(session: HealSession, findings: Sequence[Finding], trace: Trace) -> list[HealAttempt]:
    """Finalists, the best first."""
    before = session.baselines[session.steps, session.seed]
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
    """Successive halving: all combinations for few steps, the best third for three times as many, and so on.

    Where there is time for all of them in full there is one rung. Attempts that were dropped are not returned.
    """
    full = session.baselines[session.steps, session.seed].steps
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
    """The best combination with one more remedy: first what helped alone or findings recommend; more epochs last."""
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
    """The combination without the remedies that the others work without."""
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
    """The first finalist whose median gain over the seeds is not much below the best one; with its effect."""
    if not finalists:
        return None, None
    afford = int(session.affordable(1.0)) // max(1, seeds - 1) - 1
    finalists = finalists[: max(1, min(FINALISTS, afford))]
    # Those that were rehearsed for some of the steps only are rehearsed in full on the first seed, too.
    again = any(attempt.share < 1 for attempt in finalists)
    further = range(session.seed + (not again), session.seed + seeds)
    outcomes = session.on_seeds([one.combination for one in finalists], further) if further else {-1: []}
    before = [*([] if again else [session.baselines[session.steps, session.seed]]), *outcomes[-1]]
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
    told = Effect(tuple(one.values for one in before), tuple(one.values for one in after), middle)
    return attempt, told
