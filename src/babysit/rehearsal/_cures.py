"""Cures tried: what the remedies of findings do, held against the training as it is; what a cure proves to be a cause.

A remedy that mends a training names the cause surer than any number measured in the sick one. So the remedies of what
was found are rehearsed, and where nothing serious was found, those whose disease a trace alone hardly shows: a rate
that is too low, too few epochs, a penalty that is too strong.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from babysit.diseases import DISEASES, ranked
from babysit.record import Finding, Remedy, Trace
from babysit.rehearsal._candidates import more_epochs, rate_of, with_values
from babysit.rehearsal._examination import Examination
from babysit.rehearsal._outcome import RehearsalOutcome, gain, outcome_of
from babysit.rehearsal._subject import TO_THE_END, Ask

TRIED = "tried"  # evidence: what the remedy did
CURED = 0.6  # of the gap: so much is closed by treating a cause, hardly ever by treating anything else
CLEARLY = 0.08  # of a score, that a suspect's remedy must add: seeds of sound trainings differ by less
MOST_ROOTS, VALUES = 3, 2
SLOWER = 3.0  # times the watched training's seconds
SHARE = 0.8  # of the time that is left
NEW_SCALE = frozenset({"loss", "standardise-targets", "class-weights", "remove-softmax", "remove-sigmoid"})


@dataclasses.dataclass(frozen=True)
class Cure:
    """A remedy to be tried, and the disease that it would prove."""

    remedy: Remedy
    disease: str


def with_cures(examination: Examination, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings with what their remedies did; those that were proven first.

    Args:
        examination: Whose subject is rehearsed; it must have been watched to its end.
        findings: Of all steps, ranked.

    Returns:
        The same findings and those of suspects that a remedy proved, ranked again.
    """
    trace = examination.watched
    before = outcome_of(trace)
    cures = _of_findings(findings, trace) + _of_suspects(findings, trace, before)
    cures = [cure for cure in cures if cure.disease not in examination.ignore]
    room = (
        SHARE * examination.left / max(0.1, examination.watched_seconds) * int(getattr(examination.subject, "jobs", 1))
    )
    cures = cures[: int(room)]
    if not cures or before.steps == 0 or examination.fails:
        return tuple(findings)
    asks = [
        Ask(TO_THE_END, (cure.remedy,), examination.seed, "losses", max(5.0, SLOWER * examination.watched_seconds))
        for cure in cures
    ]
    began = time.monotonic()
    outcomes = [outcome_of(found) for found in examination.subject.rehearse_all(asks)]
    examination.watched_seconds += time.monotonic() - began
    return _judged(findings, cures, before, outcomes, examination)


def _of_findings(findings: Sequence[Finding], trace: Trace) -> list[Cure]:
    roots = [one for one in findings if not one.explained_by and one.severity != "note"][:MOST_ROOTS]
    return [
        Cure(remedy, finding.name)
        for finding in roots
        for remedy in [value for one in finding.remedies for value in with_values(one, trace, finding.name)][:VALUES]
    ]


def _of_suspects(findings: Sequence[Finding], trace: Trace, before: RehearsalOutcome) -> list[Cure]:
    """Diseases that hide, and the notes that may be more: nothing of it where something sick is known."""
    if any(finding.severity == "sick" for finding in findings):
        return []
    known = {finding.name for finding in findings if finding.severity != "note"}
    rate = rate_of(trace)
    found = []
    if rate is not None:
        found += [Cure(Remedy("lr", f"{10 * rate:.3g}"), "learning-rate-too-low"),
                  Cure(Remedy("lr", f"{rate / 10:.3g}"), "learning-rate-too-high")]  # fmt: skip
    for finding in findings:
        for remedy in finding.remedies[:1] if finding.severity == "note" else ():
            found += [Cure(value, finding.name) for value in with_values(remedy, trace, finding.name)[:1]]
    if float(trace.facts.get("weight-decay", "0") or 0) > 0:
        found.append(Cure(Remedy("weight-decay", "0"), "weight-decay-too-strong"))
    if any(layer.kind == "dropout" for layer in trace.layers):
        found.append(Cure(Remedy("dropout", "0"), "dropout-too-high"))
    more = more_epochs(trace)
    if more is not None:
        found.append(Cure(more, "stopped-too-early"))
    return [cure for cure in found if cure.disease not in known and cure.disease in DISEASES]


def _judged(
    findings: Sequence[Finding],
    cures: Sequence[Cure],
    before: RehearsalOutcome,
    outcomes: Sequence[RehearsalOutcome],
    examination: Examination,
) -> tuple[Finding, ...]:
    found = {finding.name: finding for finding in findings}
    best: dict[str, tuple[float, Cure, RehearsalOutcome]] = {}
    for cure, after in zip(cures, outcomes, strict=True):
        closed = gain(before, after, comparable=cure.remedy.name not in NEW_SCALE)
        if cure.disease not in best or closed > best[cure.disease][0]:
            best[cure.disease] = (closed, cure, after)
    proven = set()
    for name, (closed, cure, after) in best.items():
        told = f"{cure.remedy}: {before} -> {after}"
        known = found.get(name)
        cured = closed >= CURED
        if known is not None and known.severity != "note":
            remedies = (cure.remedy, *(one for one in known.remedies if one.name != cure.remedy.name))
            found[name] = dataclasses.replace(
                known, evidence={**known.evidence, TRIED: told}, remedies=remedies if closed > 0 else known.remedies
            )
        elif closed >= CURED / 2 and _clearly(before, after):
            evidence = {
                **(known.evidence if known is not None else {}),
                TRIED: told,
                "threshold of the gain": CURED / 2,
            }
            found[name] = DISEASES[name].finding(
                known.where if known is not None else "", evidence=evidence, severity="warning",
                remedies=(str(cure.remedy),),
            )  # fmt: skip
        else:
            continue
        if cured:
            proven.add(name)
    # Of what a remedy mended, nothing else is the cause.
    diseases = {**DISEASES, **{name: dataclasses.replace(DISEASES[name], explained_by=()) for name in proven}}
    order = ranked(found, diseases, ignore=examination.ignore)
    if not proven:
        return tuple(order)
    top = max(proven, key=lambda name: best[name][0])
    first = order[0].name
    failed = first not in proven and first in best and best[first][0] < CURED / 2
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
