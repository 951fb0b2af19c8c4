"""From a trace to findings, in the order in which they are likely to be the cause; once, or again and again."""

from __future__ import annotations

import dataclasses
import difflib
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from babysit.diseases._catalogue import DISEASES
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, READS_LOSS
from babysit.record import Finding, InputError, Severity, Trace

SEVERITIES: tuple[Severity, ...] = ("sick", "warning", "note")
# How a training ended, whatever the cause. Their severity says how bad that is, and nothing of how sure a cause is.
OUTCOMES = frozenset({"diverged", "not-learning", "stuck-at-chance"})
# Evidence of the finding that stands first: what ordered it there, where the catalogue alone would not have.
FIRST_BECAUSE = "stands first because"
ALONE = "it alone makes learning impossible"
MOST_LAYERS = 8  # named in the evidence of one finding


def diagnose(trace: Trace, *, ignore: Sequence[str] = ()) -> list[Finding]:
    """What is wrong with a training, causes first.

    A disease is found once at most: where several layers have it, the finding tells of the worst and names the others.
    A finding that another one explains comes after it, with `explained_by` set; what nothing explains is ordered by
    severity (its own or that of the end it explains), then what alone makes learning impossible, then as the catalogue
    is: data, wiring, set-up, dynamics.

    Args:
        trace: What was measured.
        ignore: Findings to ignore, by name.

    Returns:
        Findings, each with its evidence.

    Raises:
        InputError: A name in `ignore` is not the name of a finding.

    Example:
        >>> from babysit.record import Row
        >>> rows = [Row(step, "train", "", "loss", loss) for step, loss in enumerate((2.3, 1e9, float("nan")))]
        >>> [(found.name, found.explained_by) for found in diagnose(Trace(tuple(rows)))]
        [('learning-rate-too-high', ''), ('diverged', 'learning-rate-too-high')]
    """
    check_names(ignore)
    found = {name: _merged(findings) for name, disease in DISEASES.items() if (findings := disease.find(trace))}
    if (last := found.get("not-learning")) is not None and (unfound := _not_found(trace, found)):
        evidence = {**last.evidence, "looked for and not found": unfound}
        found[last.name] = dataclasses.replace(last, evidence=evidence)
    return ranked(found, DISEASES, ignore=ignore)


def ranked(
    found: Mapping[str, Finding], diseases: Mapping[str, Disease], *, ignore: Sequence[str] = ()
) -> list[Finding]:
    """Findings in order, each with the finding that explains it.

    An ignored finding is not reported. What explains it then explains what it would have explained.
    """
    causes = {name: _causes(name, found, diseases) for name in found}
    shown = [name for name in diseases if name in found and name not in ignore]
    roots = {name for name in shown if not causes[name] & set(shown)}
    worst = {name: _place(found[name]) for name in shown}
    for outcome in OUTCOMES & set(shown):
        worst |= {cause: min(worst[cause], _place(found[outcome])) for cause in causes[outcome] & set(shown)}
    proven = {name for name in shown if diseases[name].alone and found[name].severity == "sick"}
    order = {name: (worst[name], _place(found[name]), name not in proven, at) for at, name in enumerate(shown)}
    waiting, result = set(shown), list[Finding]()
    while waiting:
        # Consequences of what was told already come before the next root.
        ready = [name for name in waiting if not causes[name] & waiting]
        name = min(ready, key=lambda name: (name in roots, order[name]))
        waiting.remove(name)
        explaining = min(causes[name] & roots, key=lambda root: order[root], default="")
        result.append(dataclasses.replace(found[name], explained_by=explaining))
    if result and result[0].name in proven:
        # Findings that the catalogue has before it, and that are as severe.
        behind = [name for name in shown[: shown.index(result[0].name)] if name in roots and _place(found[name]) == 0]
        behind = [name for name in behind if name not in proven]
        if behind:
            told = f"{ALONE}, whatever {', '.join(behind)} does"
            result[0] = dataclasses.replace(result[0], evidence={**result[0].evidence, FIRST_BECAUSE: told})
    return result


def _causes(name: str, found: Mapping[str, Finding], diseases: Mapping[str, Disease]) -> set[str]:
    """All findings that explain it, directly or through others.

    A milder finding does not explain it: what merely slows a training did not break it. An outcome always has a cause,
    so everything that is more than a note explains it.
    """
    causes: set[str] = set()
    waiting = [name]
    while waiting:
        for cause in diseases[waiting.pop()].explained_by:
            if cause in found and cause not in causes and _may_explain(found[cause], found[name]):
                causes.add(cause)
                waiting.append(cause)
    return causes - {name}


# What every training has, so that it tells nothing of what was measured.
COMMON = frozenset({*READS_LOSS, *READS_LEARNED, "lr", "accuracy"})


def not_measured(trace: Trace) -> tuple[str, ...]:
    """Diseases that could not be looked for: beside losses and scores nothing that shows them was measured.

    Example:
        >>> "units-dead" in not_measured(Trace()), "diverged" in not_measured(Trace())
        (True, False)
    """
    known = {row.quantity for row in trace.rows} | {f"fact:{name}" for name in trace.facts}
    if any(event.kind != "not-finite" for event in trace.events):
        known |= {read for disease in DISEASES.values() for read in disease.reads if read.startswith("event:")}
    needs = {name: set(disease.reads) - COMMON for name, disease in DISEASES.items()}
    needs = {name: {read for read in reads if not read.startswith("fact:")} for name, reads in needs.items()}
    outcomes = OUTCOMES | {"overfitting", "underfitting"}
    return tuple(name for name, reads in needs.items() if reads and not reads & known and name not in outcomes)


def _not_found(trace: Trace, found: Collection[str]) -> list[str]:
    """Causes of a training that does not learn of which all that shows them was measured, and which were not found."""
    known = {row.quantity for row in trace.rows} | {f"fact:{name}" for name in trace.facts}
    unfound = [name for name in DISEASES["not-learning"].explained_by if name not in found]
    return [name for name in unfound if (reads := _measured_reads(name)) and reads <= known]


def _measured_reads(name: str) -> set[str]:
    return {read for read in DISEASES[name].reads if not read.startswith("event:")}


def _may_explain(cause: Finding, effect: Finding) -> bool:
    return _place(cause) <= _place(effect) or (effect.name in OUTCOMES and cause.severity != "note")


def _place(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)


def _merged(findings: Sequence[Finding]) -> Finding:
    """One finding for a disease that several layers have: the first of the worst, and the names of all."""
    worst = min(findings, key=_place)
    if len(findings) == 1:
        return worst
    layers = list(dict.fromkeys(finding.where for finding in findings if finding.where))
    more = {"layers": layers[:MOST_LAYERS], "more findings": len(findings) - 1}
    return dataclasses.replace(worst, evidence={**worst.evidence, **more})


def check_names(ignore: Sequence[str]) -> None:
    """Refuse names that are not names of findings.

    Raises:
        InputError: With the nearest legal name.
    """
    if isinstance(ignore, str):
        raise InputError(f"ignore is the text '{ignore}'", legal="a list of names", write=f'ignore=["{ignore}"]')
    for name in ignore:
        if name not in DISEASES:
            nearest = difflib.get_close_matches(name, DISEASES, n=1, cutoff=0.0)[0]
            raise InputError(
                f"'{name}' is not the name of a finding", legal="the names in docs/diseases.md", write=f"'{nearest}'"
            )


LEAST_SECONDS = 1.0  # between two diagnoses: people do not read faster
SHARE = 0.005  # of the time, at most, is spent on diagnosing


class Repeatedly:
    """Diagnoses when it is due, and reports the findings.

    Args:
        read: Gives what was measured so far.
        tell: Gets the trace and the findings each time.
        ignore: Findings to ignore, by name.
        clock: Seconds that run evenly.

    Example:
        >>> told = []
        >>> repeatedly = Repeatedly(Trace, lambda trace, findings: told.append(findings))
        >>> repeatedly.now()
        []
        >>> told
        [[]]
    """

    def __init__(
        self,
        read: Callable[[], Trace],
        tell: Callable[[Trace, list[Finding]], object],
        *,
        ignore: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._tell = tell
        self._ignore = ignore
        self._clock = clock
        self._next = clock() + LEAST_SECONDS

    def when_due(self) -> None:
        """Diagnose if enough time has passed since the last time; otherwise do nothing."""
        if self._clock() >= self._next:
            self.now()

    def now(self) -> list[Finding]:
        """Diagnose now."""
        start = self._clock()
        trace = self._read()
        findings = diagnose(trace, ignore=self._ignore)
        self._tell(trace, findings)
        end = self._clock()
        self._next = end + max(LEAST_SECONDS, (end - start) / SHARE)
        return findings
