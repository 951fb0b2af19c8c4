"""Remedies tried in a check: what they do, compared with the baseline, and which cause that proves.

A remedy that mends a training names the cause surer than any number measured in the sick one. So the remedies of what
was found are rehearsed, and where nothing serious was found, those whose disease a trace alone hardly shows: a rate
that is too low, too few epochs, a penalty that is too strong.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from babysit.diseases import DISEASES, ranked
from babysit.record import Finding, InputError, OutOfTimeError, Remedy, Trace
from babysit.rehearsal._combinations import worth_trying
from babysit.rehearsal._examination import Examination
from babysit.rehearsal._outcome import RehearsalOutcome, gain, outcome_of
from babysit.rehearsal._subject import TO_THE_END, Ask
from babysit.remedies import REMEDIES

TRIED, NOT_TRIED = "tried", "not tried"  # evidence: what the remedy did, or why it could not be applied
MENDED = 0.6  # of the gap: a remedy that closes this much treats a cause
CLEARLY = 0.08  # what the remedy of a suspected disease must add to a score: seeds of sound trainings differ by less
MOST_ROOTS, VALUES = 3, 2
NOTHING_KNOWN = (InputError, OutOfTimeError)  # a remedy that could not be applied, or that no time was left for
SLOWER = 3.0  # times the watched training's seconds
SHARE = 0.8  # of the time that is left


@dataclasses.dataclass(frozen=True)
class Suspicion:
    """A remedy to be tried, and the disease that it would prove."""

    remedy: Remedy
    disease: str


def with_tried_remedies(examination: Examination, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings with what their remedies did; those that were proven first.

    Args:
        examination: Whose subject is rehearsed; it must have been watched to its end.
        findings: Of all steps, ranked.

    Returns:
        The same findings and those of suspects that a remedy proved, ranked again.
    """
    trace = examination.watched
    before = outcome_of(trace)
    suspicions = _of_findings(findings, trace) + _of_suspects(findings, trace, before)
    suspicions = [suspicion for suspicion in suspicions if suspicion.disease not in examination.ignore]
    affordable = SHARE * examination.left / max(0.1, examination.watched_seconds) * examination.subject.jobs
    suspicions = suspicions[: int(affordable)]
    if not examination.left or not suspicions or before.steps == 0 or examination.fails:
        return tuple(findings)
    asks = [
        Ask(TO_THE_END, (suspicion.remedy,), examination.seed, "losses", max(5.0, SLOWER * examination.watched_seconds))
        for suspicion in suspicions
    ]
    began = time.monotonic()
    traces = examination.subject.rehearse_all(asks, seconds=examination.left)
    examination.watched_seconds += time.monotonic() - began
    pairs = list(zip(suspicions, traces, strict=True))
    refused = {one.disease: str(error).splitlines()[0] for one, error in pairs if isinstance(error, NOTHING_KNOWN)}
    done = [(one, outcome_of(trace)) for one, trace in pairs if not isinstance(trace, NOTHING_KNOWN)]
    tried = {one.disease for one, _ in done}
    told = [
        dataclasses.replace(finding, evidence={**finding.evidence, NOT_TRIED: refused[finding.name]})
        if finding.name in refused and finding.name not in tried and finding.severity != "note"
        else finding
        for finding in findings
    ]
    return _judged(told, done, before, examination)


def tried_remedies(findings: Sequence[Finding]) -> dict[str, tuple[tuple[Remedy, ...], str]]:
    """By the name of a finding, the remedy that was tried for it, none where it did no good, and what it did.

    Example:
        >>> tried = {TRIED: "lr=0.01: loss 2.3 -> loss 0.4"}
        >>> finding = Finding("diverged", "sick", evidence=tried, remedies=(Remedy("lr", "0.01"),))
        >>> remedies, did = tried_remedies([finding])["diverged"]
        >>> str(remedies[0]), did
        ('lr=0.01', 'lr=0.01: loss 2.3 -> loss 0.4')
    """
    told = {finding.name: (finding, str(finding.evidence[TRIED])) for finding in findings if TRIED in finding.evidence}
    return {
        name: (finding.remedies[:1] if text.startswith(f"{' '.join(map(str, finding.remedies[:1]))}: ") else (), text)
        for name, (finding, text) in told.items()
    }


def _of_findings(findings: Sequence[Finding], trace: Trace) -> list[Suspicion]:
    roots = [one for one in findings if not one.explained_by and one.severity != "note"][:MOST_ROOTS]
    return [
        Suspicion(remedy, finding.name)
        for finding in roots
        for remedy in [value for one in finding.remedies for value in worth_trying(one, trace, finding.name)][:VALUES]
    ]


def _of_suspects(findings: Sequence[Finding], trace: Trace, before: RehearsalOutcome) -> list[Suspicion]:
    """Diseases that hide, and the notes that may be more: nothing of it where something sick is known."""
    if any(finding.severity == "sick" for finding in findings):
        return []
    known = {finding.name for finding in findings if finding.severity != "note"}
    found = [
        (place, Suspicion(Remedy(kind.name, value), disease))
        for kind in REMEDIES.values()
        for place, value, disease in kind.suspects(trace)
    ]
    for finding in findings:
        for remedy in finding.remedies[:1] if finding.severity == "note" else ():
            found += [(1, Suspicion(value, finding.name)) for value in worth_trying(remedy, trace, finding.name)[:1]]
    ordered = [suspicion for _, suspicion in sorted(found, key=lambda one: one[0])]
    return [suspicion for suspicion in ordered if suspicion.disease not in known and suspicion.disease in DISEASES]


def _judged(
    findings: Sequence[Finding],
    done: Sequence[tuple[Suspicion, RehearsalOutcome]],
    before: RehearsalOutcome,
    examination: Examination,
) -> tuple[Finding, ...]:
    found = {finding.name: finding for finding in findings}
    best: dict[str, tuple[float, Suspicion, RehearsalOutcome]] = {}
    for suspicion, after in done:
        closed = gain(before, after, comparable=not REMEDIES[suspicion.remedy.name].new_scale)
        if suspicion.disease not in best or closed > best[suspicion.disease][0]:
            best[suspicion.disease] = (closed, suspicion, after)
    proven = set()
    for name, (closed, suspicion, after) in best.items():
        told = f"{suspicion.remedy}: {before} -> {after}"
        known = found.get(name)
        mended = closed >= MENDED
        if known is not None and known.severity != "note":
            remedies = (suspicion.remedy, *(one for one in known.remedies if one.name != suspicion.remedy.name))
            found[name] = dataclasses.replace(
                known, evidence={**known.evidence, TRIED: told}, remedies=remedies if closed > 0 else known.remedies
            )
        elif closed >= MENDED / 2 and _clearly(before, after):
            evidence = {
                **(known.evidence if known is not None else {}),
                TRIED: told,
                "threshold of the gain": MENDED / 2,
            }
            found[name] = DISEASES[name].finding(
                known.where if known is not None else "",
                evidence=evidence,
                severity="warning",
                remedies=(str(suspicion.remedy),),
            )
        else:
            continue
        if mended:
            proven.add(name)
    # Of what a remedy mended, nothing else is the cause.
    diseases = {**DISEASES, **{name: dataclasses.replace(DISEASES[name], explained_by=()) for name in proven}}
    order = ranked(found, diseases, ignore=examination.ignore)
    if not proven:
        return tuple(order)
    top = max(proven, key=lambda name: best[name][0])
    first = order[0].name
    failed = first not in proven and first in best and best[first][0] < MENDED / 2
    if failed or (first in proven and first != top and _deeper(top, first)):
        order.sort(key=lambda finding: finding.name != top)
    return tuple(order)


def _deeper(one: str, other: str) -> bool:
    """Whether a disease lies nearer to the data than another: what mends as much there is the cause of the other.

    Fresh weights or batch norm let many a network learn that is fed or wired wrongly.
    """
    order = [name for name, disease in DISEASES.items() if disease.group in ("data", "wiring")]
    return one in order and (other not in order or order.index(one) < order.index(other))


def _clearly(before: RehearsalOutcome, after: RehearsalOutcome) -> bool:
    """Whether a score rose by more than chance; where none was seen, whether the loss was cut in half."""
    for first, second in ((before.evaluated, after.evaluated), (before.trained, after.trained)):
        if first is not None and second is not None and first[0] == second[0]:
            return second[1] - max(0.0, first[1]) >= CLEARLY
    return after.loss < 0.5 * before.loss
