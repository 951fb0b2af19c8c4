"""The pre-flight: eight steps in the lecture's order, each with a verdict, before hours are spent."""

from __future__ import annotations

import dataclasses
import difflib
import time
from collections.abc import Callable, Collection, Sequence

from babysit.diseases import DISEASES, check_names, ranked
from babysit.record import (
    DOES_NOT_APPLY,
    PRE_FLIGHT_STEPS,
    BabysitError,
    CheckBegan,
    CheckEnded,
    CheckStepBegan,
    CheckStepEnded,
    Finding,
    FindingsChanged,
    InputError,
    PreFlight,
    PreFlightStep,
    Progress,
    silent,
)
from babysit.rehearsal._check_data import check_data
from babysit.rehearsal._check_init import check_init
from babysit.rehearsal._check_initial_loss import check_initial_loss
from babysit.rehearsal._check_overfit_tiny import WITH_IT, check_overfit_tiny
from babysit.rehearsal._check_rate_range import check_rate_range
from babysit.rehearsal._check_regularisation import check_regularisation
from babysit.rehearsal._check_short_training import check_short_training
from babysit.rehearsal._check_wiring import check_wiring
from babysit.rehearsal._examination import WATCHED_STEPS, Examination, skipped
from babysit.rehearsal._outcome import check_training
from babysit.rehearsal._subject import CHECK_SECONDS, Subject
from babysit.rehearsal._tried_remedies import with_tried_remedies
from babysit.rehearsal._verdict import verdict_of, verdict_of_check

STEPS: dict[str, Callable[[Examination], PreFlightStep]] = {
    "data": check_data,
    "wiring": check_wiring,
    "init": check_init,
    "initial-loss": check_initial_loss,
    "regularisation": check_regularisation,
    "overfit-tiny": check_overfit_tiny,
    "rate-range": check_rate_range,
    "short-training": check_short_training,
}
assert STEPS.keys() == PRE_FLIGHT_STEPS.keys()
# The order in which steps are done and told: those that read the watched training cost nothing more.
MOST_TELLING = (
    "wiring",
    "short-training",
    "data",
    "initial-loss",
    "init",
    "regularisation",
    "overfit-tiny",
    "rate-range",
)
SEVERITIES = ("sick", "warning", "note")


def pre_flight(
    subject: Subject,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    seconds: float = CHECK_SECONDS,
    steps: int = WATCHED_STEPS,
    seed: int = 0,
    ignore: Sequence[str] = (),
    progress: Progress = silent,
) -> PreFlight:
    """Check a subject before it is trained; it is afterwards as it was, bit for bit.

    Args:
        subject: A recipe, live objects or a script.
        only: Names of the steps to do; empty means all.
        skip: Names of steps not to do.
        seconds: Time limit; each step takes at most a share of it.
        steps: Of the watched training, at most.
        seed: Of every rehearsal.
        ignore: Findings to ignore.
        progress: Receives progress events.

    Returns:
        A verdict for each step, and the findings, causes first. Ctrl-C ends it with what was done by then.

    Raises:
        InputError: An unknown step or finding, no time, or a subject that cannot be trained at all.
    """
    _check_steps(only, skip)
    check_names(ignore)
    if not seconds > 0 or steps < 1:
        raise InputError(f"a check of {seconds:g} seconds and {steps} steps", legal="above 0, both")
    wanted = [name for name in STEPS if (not only or name in only) and name not in skip]
    examination = Examination(
        subject,
        seconds=seconds,
        steps=steps,
        seed=seed,
        ignore=ignore,
        ahead="overfit-tiny" in wanted,
        found=lambda findings: progress(FindingsChanged(tuple(findings))),
    )
    began = time.monotonic()
    done: list[PreFlightStep] = []
    interrupted = False
    progress(CheckBegan(tuple(wanted), seconds))
    try:
        # Most steps read the short watched training, so that it comes before all of them.
        progress(CheckStepBegan("short-training"))
        _ = examination.watched
        if not subject.has_live_parts:
            check_training(subject.name, examination.watched)
        progress(FindingsChanged(examination.findings))
        # What says most comes first, and what trains again comes last.
        for name in sorted(wanted, key=MOST_TELLING.index):
            progress(CheckStepBegan(name))
            start = time.monotonic()
            step = _step(name, examination)
            seconds_taken = time.monotonic() - start + (name == "short-training") * examination.watched_seconds
            step = dataclasses.replace(step, seconds=seconds_taken)
            done.append(step)
            progress(CheckStepEnded(step))
        findings = merged(_in_order(done), ignore)
        if not subject.has_live_parts and len(wanted) == len(STEPS):
            findings = with_tried_remedies(examination, findings)
    except KeyboardInterrupt:
        interrupted = True
        known = {step.name for step in done}
        done += [skipped(name, "interrupted") for name in wanted if name not in known]
        findings = merged(_in_order(done), ignore)
    finally:
        progress(CheckEnded(examination.trace_so_far))
    told = _with_causes(_in_order(done), findings)
    verdict, reasons = verdict_of_check(examination.watched_so_far, told, findings, interrupted=interrupted)
    taken = time.monotonic() - began
    return PreFlight(subject.name, tuple(told), findings, taken, interrupted, verdict=verdict, reasons=reasons)


def _in_order(steps: Sequence[PreFlightStep]) -> list[PreFlightStep]:
    """Steps in the lecture's order, whatever the order in which they were done."""
    names = list(STEPS)
    return sorted(steps, key=lambda step: names.index(step.name))


def _step(name: str, examination: Examination) -> PreFlightStep:
    """One step; of a script that cannot be rehearsed as it needs, nothing but that is said."""
    try:
        return STEPS[name](examination)
    except InputError as error:
        if examination.subject.has_live_parts:
            raise
        why = str(error).splitlines()[0]
        return skipped(
            name,
            why if why.startswith(DOES_NOT_APPLY) else f"the script cannot be rehearsed for this step: {why}",
        )
    except BabysitError as error:
        # One step that fails does not end the check.
        return skipped(name, f"this step failed: {str(error).splitlines()[0]}")


def merged(steps: Sequence[PreFlightStep], ignore: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings of all steps, each name once with its worst, ranked together."""
    found: dict[str, Finding] = {}
    for finding in (finding for step in steps for finding in step.findings):
        before = found.get(finding.name)
        if before is None or SEVERITIES.index(finding.severity) < SEVERITIES.index(before.severity):
            found[finding.name] = finding
    # What was switched off and on again is proven to be a cause: nothing else explains it.
    proven = {name: DISEASES[name] for name, finding in found.items() if WITH_IT in finding.evidence}
    known = {**DISEASES, **{name: dataclasses.replace(one, explained_by=()) for name, one in proven.items()}}
    return tuple(ranked(found, known, ignore=ignore))


def _with_causes(steps: Sequence[PreFlightStep], findings: Sequence[Finding]) -> list[PreFlightStep]:
    """Steps whose findings know what explains them."""
    by_name = {finding.name: finding.explained_by for finding in findings}
    result = []
    for step in steps:
        told = tuple(
            dataclasses.replace(one, explained_by=by_name[one.name]) for one in step.findings if one.name in by_name
        )
        # What number and expectation said stands, where no finding says more or less of it.
        by_findings = any(one.severity in ("sick", "warning") for one in step.findings)
        verdict = verdict_of(told) if by_findings and step.verdict != "skip" else step.verdict
        result.append(dataclasses.replace(step, findings=told, verdict=verdict))
    return result


def _check_steps(only: Collection[str], skip: Collection[str]) -> None:
    for name in (*only, *skip):
        if name not in STEPS:
            nearest = difflib.get_close_matches(name, STEPS, n=1, cutoff=0.0)[0]
            raise InputError(f"the check has no step '{name}'", legal=", ".join(STEPS), write=f"'{nearest}'")
    if not [name for name in STEPS if (not only or name in only) and name not in skip]:
        raise InputError("no step is left to do", legal=", ".join(STEPS))
