"""HealRounds: diagnose, try what the findings ask for, keep what helps, diagnose the healed training again.

Several faults hide one another: of a training that is fed raw numbers through a softmax over one output at a low rate,
the second shows only once the first is mended. So each round begins from the best combination so far, diagnosed as a
training of its own, and ends when its verdict is sound, nothing helps, or the time is spent.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from babysit.diseases import DISEASES, diagnose, evidence_of_learning, solved
from babysit.record import Finding, Remedy, Trace
from babysit.rehearsal._combinations import (
    Combination,
    asked_by,
    extended,
    for_any_training,
    more_epochs,
    unique,
)
from babysit.rehearsal._heal_session import HealAttempt, HealSession
from babysit.rehearsal._outcome import RehearsalOutcome, gain
from babysit.remedies import REMEDIES, rate_of

SINGLES_SHARE = 0.5  # of the time that is left, at most, for the remedies of one round
DONE = 0.9  # of the gap: where this much is closed and nothing is wrong, no remedy is tried that nothing asks for
HELPS = 0.1  # of the gap that is left: what a remedy must close that no finding asks for
ASKED_HELPS = 0.03  # the same of one that a finding asks for; what is not needed is left out at the end
RATE_HELPS = 0.02  # of the gap that is left: what another rate must close
DISPENSABLE = 0.03  # of the gap: what may be lost by leaving a remedy out
HARMLESS = 0.1  # of the gap: what remedies of causes may lose for the while in which a further cause hides their effect
MOST_ROUNDS = 12
IN_VAIN = 2  # rounds in a row that only followed the findings, and closed nothing
REDUCTION = 3  # from rung to rung, so many times fewer combinations and more steps
FEWEST_STEPS = 30  # of the lowest rung; losses of fewer steps are mostly noise
TIMES = (10.0, 0.1, 3.0, 0.3)  # the rate, in the ladder around a combination that helps
FURTHER = (3.0, 10.0)  # times the ladder's best, where that is at its end
BETWEEN = (0.6, 1.7)  # times the ladder's best, where that is not
MENDS = frozenset({"wiring"})  # groups of findings that are faults whatever the score is


@dataclasses.dataclass(frozen=True)
class HealStanding:
    """A combination of remedies and the diagnosis of the training under it.

    Attributes:
        combination: Of its remedies; none at first.
        outcome: Of its whole rehearsal on the first seed.
        gain: The share of the gap that it closes.
        trace: What was measured under it.
        findings: What is wrong with it, causes first.
    """

    combination: Combination
    outcome: RehearsalOutcome
    gain: float
    trace: Trace
    findings: tuple[Finding, ...]

    @property
    def roots(self) -> tuple[Finding, ...]:
        """What is wrong, more than a note, and not explained by anything else."""
        return tuple(one for one in self.findings if one.severity != "note" and not one.explained_by)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it, and it was seen to learn."""
        return not self.roots and not self.outcome.failed and evidence_of_learning(self.trace).strength != "none"


class HealRounds:
    """The rounds of one healing.

    Args:
        session: What it rehearses with.
        first: The baseline, diagnosed.
        ignore: Findings to ignore.

    Attributes:
        first: The baseline, diagnosed.
        standing: The best so far.
        untried: What findings ask for and was not rehearsed for lack of time.
    """

    def __init__(self, session: HealSession, first: HealStanding, ignore: Sequence[str] = ()) -> None:
        self.session, self.first, self.standing = session, first, first
        self._ignore = ignore
        self._attempts: list[HealAttempt] = []
        self.untried: list[Combination] = []
        self._ladders: set[frozenset[str]] = set()
        self._of_faults = _remedies_of_faults(first.findings)

    def run(self) -> None:
        """All rounds, and at the end everything left out that the rest does without."""
        at, in_vain, general = self.first, 0, set[frozenset[str]]()
        for _ in range(MOST_ROUNDS):
            if _is_solved(at):
                break
            if self.session.affordable(SINGLES_SHARE) < 1:
                self.untried += asked_by(at.findings, at.trace, at.combination)
                break
            following = self._following(at)
            if following is not None and following.gain > at.gain:
                at, in_vain = following, 0
            elif (better := self._with_a_better_rate(at)) is not None:
                at, in_vain = better, 0
            elif following is not None and in_vain < IN_VAIN:
                at, in_vain = following, in_vain + 1
            else:
                at, in_vain = self.standing, 0
                if at.sound and at.gain >= DONE:
                    break
                known = frozenset(map(str, at.combination.remedies))
                if known in general:
                    break
                general.add(known)
                found = self._in_general(at)
                if found is None:
                    break
                at = found
            self._note(at)
        self._prune()

    def _note(self, at: HealStanding) -> None:
        if at.gain > self.standing.gain + 1e-9:
            self.standing = at

    # One round.

    def _following(self, at: HealStanding) -> HealStanding | None:
        """What the findings ask for, one by one and all together: the best, diagnosed; None where nothing is asked."""
        asked = asked_by(at.findings, at.trace, at.combination)
        asked = [one for one in asked if not self.session.was_tried(one)]
        if not asked:
            return None
        attempts = self._halving(asked, "what the findings ask for")
        whole = [one for one in attempts if one.share == 1.0]
        helpful = [one for one in whole if gain(at.outcome, one.outcome, comparable=one.comparable) >= ASKED_HELPS]
        if helpful and helpful[0].gain > at.gain:
            return self._diagnosed(max(helpful, key=lambda one: one.rank))
        # Nothing helps alone: another cause may hide what it does. Go on from as many mended as do no harm.
        harmless = [one for one in whole if one.gain >= at.gain - HARMLESS and one.combination.root]
        # What is wired wrongly is a fault whatever the score: at another rate, its remedy may show what it is worth.
        faults = [one for one in whole if _is_of_a_fault(one.combination) and not one.outcome.failed]
        if not harmless and not faults:
            return None
        return self._diagnosed(max(harmless or faults, key=lambda one: len(one.combination.remedies)))

    def _with_a_better_rate(self, at: HealStanding) -> HealStanding | None:
        """A short ladder of rates around that of a combination, each once; None where no rate is better."""
        key = frozenset(str(one) for one in at.combination.remedies if one.name != "lr")
        rate = rate_of(at.trace)
        if key in self._ladders or rate is None or not at.combination.remedies:
            return None
        self._ladders.add(key)
        tried = self._at_rates(at, rate, TIMES)
        best = tried[0] if tried else None
        while best is not None and self._better(at, best):
            rates = [_rate_in(one) for one in tried]
            here = _rate_in(best)
            factors = FURTHER if here in (max(rates), min(rates)) else BETWEEN
            way = 1 if here > rate else -1
            tried += self._at_rates(at, here, [factor**way for factor in factors])
            further = max(tried, key=lambda one: one.gain)
            if further is best or factors is BETWEEN:
                return self._diagnosed(further)
            best = further
        return None

    def _at_rates(self, at: HealStanding, rate: float, factors: Iterable[float]) -> list[HealAttempt]:
        asked = [extended(at.combination, (Remedy("lr", f"{rate * factor:.3g}"),)) for factor in factors]
        asked = [one for one in asked if not self.session.was_tried(one)]
        return self.session.compare(asked, self.session.steps, "the rates around it")

    def _better(self, at: HealStanding, attempt: HealAttempt) -> bool:
        closed = gain(at.outcome, attempt.outcome, comparable=attempt.comparable)
        return attempt.gain > at.gain and closed >= RATE_HELPS

    def _in_general(self, at: HealStanding) -> HealStanding | None:
        """What every training may need, on top of the best so far, and what helped elsewhere; None where none helps."""
        asked = [extended(at.combination, one.remedies) for one in for_any_training(at.trace)]
        helped = [one for one in self._attempts if one.gain > 0 and one.combination.remedies]
        asked += [
            extended(at.combination, one.combination.remedies, because=one.combination.because)
            for one in sorted(helped, key=lambda one: -one.rank)[:4]
        ]
        more = more_epochs(at.trace)
        if more is not None:
            asked.append(extended(at.combination, (more,)))
        asked = [one for one in unique(asked) if not self.session.was_tried(one)]
        if not asked:
            return None
        attempts = self._halving(asked, "what every training may need")
        for one in attempts:
            if one.share == 1.0 and gain(at.outcome, one.outcome, comparable=one.comparable) >= HELPS:
                return self._diagnosed(one) if one.gain > at.gain else None
        return None

    def _halving(self, combinations: Sequence[Combination], stage: str) -> list[HealAttempt]:
        """Successive halving: all combinations for few steps, the best third for three times as many, and so on.

        Where there is time for all of them in full there is one rung. Attempts that were dropped are not returned.
        """
        session = self.session
        full = session.before.steps
        afford = max(2.0, session.affordable(SINGLES_SHARE))
        rungs = 0
        while (
            len(combinations) * (rungs + 1) / REDUCTION**rungs > afford
            and full / REDUCTION ** (rungs + 1) >= FEWEST_STEPS
        ):
            rungs += 1
        alive = list(combinations)
        attempts: list[HealAttempt] = []
        for rung in range(rungs, -1, -1):
            share = REDUCTION**-rung
            steps = session.steps if rung == 0 else max(FEWEST_STEPS, round(full * share))
            found = session.compare(alive, steps, stage, share, within=1 / (rung + 2))  # the next rungs get as much
            if rung == rungs and len(found) < len(alive):
                self.untried += [one for one in alive if one.because and not session.was_tried(one)]
            attempts = found or attempts
            if rung:
                kept = max(2, math.ceil(len(attempts) / REDUCTION))
                # Gradients that add up are ahead for a while: what mends a fault of the wiring is tried in full.
                faults = [one for one in attempts[kept:] if _is_of_a_fault(one.combination) and not one.outcome.failed]
                alive = [attempt.combination for attempt in (*attempts[:kept], *faults)]
        self._attempts += attempts
        return attempts

    def _diagnosed(self, attempt: HealAttempt) -> HealStanding:
        """The training under a combination, measured and diagnosed."""
        trace, outcome = self.session.measure(attempt.combination)
        if trace is None:
            trace, outcome = Trace(), attempt.outcome
        treated = _treated_unseen(attempt.combination)
        findings = tuple(diagnose(trace, ignore=[*self._ignore, *treated])) if trace.rows else ()
        self._of_faults |= _remedies_of_faults(findings)
        return HealStanding(attempt.combination, outcome, attempt.gain, trace, findings)

    # The end.

    def _prune(self) -> None:
        """Leave out every remedy that the others do without, the least needed first.

        What mends a fault of the wiring stays: a rate may make up for gradients that are never cleared, and the fault
        is still there.
        """
        session, best = self.session, self.standing
        while len(best.combination.remedies) > 1 and session.affordable(0.6) >= len(best.combination.remedies):
            remedies = best.combination.remedies
            without = [
                dataclasses.replace(best.combination, remedies=(*remedies[:at], *remedies[at + 1 :]))
                for at in range(len(remedies))
                if remedies[at].name not in self._of_faults
            ]
            tried = session.compare(without, session.steps, "what it does without")
            tried = [one for one in tried if one.gain >= best.gain - DISPENSABLE]
            if not tried:
                break
            fewer = max(tried, key=lambda one: one.gain)
            best = HealStanding(fewer.combination, fewer.outcome, fewer.gain, best.trace, best.findings)
        if best is not self.standing:
            attempt = HealAttempt(best.combination, best.outcome, best.gain)
            self.standing = self._diagnosed(attempt) if session.affordable(0.6) >= 1 else best

    def mended(self) -> tuple[Remedy, ...]:
        """Remedies of faults that were found and that the score does without, such as a mode; each does no harm."""
        best, found = self.standing, list[Remedy]()
        wrong = {one.name: one for one in (*self.first.findings, *best.findings)}
        known = {one.name for one in best.combination.remedies}
        for finding in wrong.values():
            disease = DISEASES.get(finding.name)
            if finding.severity == "note" or disease is None or disease.group not in MENDS:
                continue
            asked = asked_by([finding], best.trace, best.combination)[:1]
            if not asked or {one.name for one in finding.remedies} & known or self.session.affordable(0.5) < 1:
                continue
            combination = extended(asked[0], found)
            tried = self.session.compare(
                [combination], self.session.steps, "what was found, and the score does without"
            )
            if tried and tried[0].gain >= best.gain - DISPENSABLE:
                found = [one for one in tried[0].combination.remedies if one not in best.combination.remedies]
        return tuple(found)

    def finalists(self, most: int, works: float) -> list[HealAttempt]:
        """The best combinations, the best first, that close enough to be recommended."""
        best = self.standing
        attempts = [HealAttempt(best.combination, best.outcome, best.gain)] if best.combination.remedies else []
        attempts += sorted(self._attempts, key=lambda one: (-one.share, -one.rank))
        distinct = unique(attempt.combination for attempt in attempts if attempt.gain >= works)
        return [next(one for one in attempts if one.combination is kept) for kept in distinct][:most]


def _is_solved(at: HealStanding) -> bool:
    scored = at.outcome.evaluated or at.outcome.trained
    return scored is not None and solved(scored[1])


def _is_of_a_fault(combination: Combination) -> bool:
    disease = DISEASES.get(combination.because)
    return combination.root and disease is not None and disease.group in MENDS


def _remedies_of_faults(findings: Iterable[Finding]) -> set[str]:
    sick = [one for one in findings if one.severity == "sick" and one.name in DISEASES]
    return {remedy.name for one in sick if DISEASES[one.name].group in MENDS for remedy in one.remedies}


def _treated_unseen(combination: Combination) -> list[str]:
    """Diseases that a combination treats where probes still measure what the script has."""
    behind = {one.name for one in combination.remedies if one.name in REMEDIES and REMEDIES[one.name].behind_probes}
    return [
        name for name, disease in DISEASES.items() if {text.partition("=")[0] for text in disease.remedies} & behind
    ]


def _rate_in(attempt: HealAttempt) -> float:
    return next(float(one.value or 1) for one in attempt.combination.remedies if one.name == "lr")
