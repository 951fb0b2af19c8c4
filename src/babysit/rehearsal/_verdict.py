"""What a check says in the end, and what a step says: one rule for each, by what was measured and what was expected."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from babysit.diseases import evidence_of_learning, validation_agrees
from babysit.record import (
    DOES_NOT_APPLY,
    PRE_FLIGHT_STEPS,
    CheckVerdict,
    Finding,
    PreFlightStep,
    StepVerdict,
    Trace,
)
from babysit.rehearsal._outcome import first_line

# Steps that a sound verdict stands on: where one of them was asked for and could not be judged, neither can the check.
DECISIVE = ("wiring", "overfit-tiny", "short-training")
MOST_REASONS = 3  # of one kind


def verdict_of(findings: Sequence[Finding], meets: bool | None = True, otherwise: StepVerdict = "warn") -> StepVerdict:
    """The rule that every step follows: what was found decides first, then number against expectation.

    Args:
        findings: Of the step.
        meets: Whether what was measured is what was expected; None where it could not be measured or compared.
        otherwise: What a number that does not meet its expectation means, where no finding says why.

    Example:
        >>> verdict_of([]), verdict_of([], meets=False), verdict_of([], meets=None)
        ('pass', 'warn', 'not judged')
    """
    severities = {finding.severity for finding in findings}
    if "sick" in severities:
        return "fail"
    if "warning" in severities:
        return "warn"
    if meets is None:
        return "not judged"
    return "pass" if meets else otherwise


def verdict_of_check(
    trace: Trace, steps: Sequence[PreFlightStep], findings: Sequence[Finding], *, interrupted: bool = False
) -> tuple[CheckVerdict, tuple[str, ...]]:
    """Sick, sound or not judged, with the reasons: what was found, what shows that it learns, or what is missing.

    Only what was asked for is judged: without the short training nothing is said of learning, and without the tiny
    batch nothing of overfitting it.
    """
    sick = [one for one in findings if one.severity == "sick"]
    if sick:
        told = [one for one in sick if not one.explained_by] or sick
        return "sick", tuple(f"{one.name} was found{_where(one)}{_error(one)}" for one in told)
    asked = {step.name: step for step in steps}
    missing = ["it was interrupted before all steps were done"] if interrupted else []
    shown: list[str] = []
    failed = trace.happened("failed")
    if failed:
        missing.append(f"the training failed: {first_line(failed[-1].text)}")
    if "short-training" in asked and not failed:
        found = evidence_of_learning(trace)
        # A loss of unknown level may fall for any reason; that a few rows are answered right shows what it is worth.
        if found.strength == "clear" or (found.strength == "weak" and _rows_are_right(asked.get("overfit-tiny"))):
            shown.append(found.told)
        else:
            missing.append(found.told)
    missing += _unseen(trace, asked.keys(), shown)
    for name in DECISIVE:
        step = asked.get(name)
        if step is None:
            continue
        if step.verdict == "not judged" and (name != "short-training" or not missing):
            missing.append(f"{name}: {step.measured or step.why}")
        elif step.verdict == "skip" and not failed and not step.why.startswith(DOES_NOT_APPLY):
            missing.append(f"{name} was not done: {step.why}")
        elif step.verdict in ("pass", "warn") and name == "overfit-tiny":
            shown.append(f"it overfits a few rows: {step.measured}")
    if not any(step.verdict in ("pass", "warn", "fail") for step in steps):
        if not missing:
            missing += [f"{step.name}: {step.measured or step.why}" for step in steps[:MOST_REASONS]]
        missing = missing or ["no step was done"]
    if missing:
        return "not judged", tuple(missing)
    return "sound", tuple(shown) or (f"nothing was found in: {', '.join(asked)}",)


def verdict_of_trace(trace: Trace, findings: Sequence[Finding]) -> tuple[CheckVerdict, tuple[str, ...]]:
    """The same of a training that was measured and is over, or of its log.

    Example:
        >>> verdict_of_trace(Trace(), [])
        ('not judged', ('no training was seen: no loss was measured',))
    """
    sick = [one for one in findings if one.severity == "sick"]
    if sick:
        told = [one for one in sick if not one.explained_by] or sick
        return "sick", tuple(f"{one.name} was found{_where(one)}{_error(one)}" for one in told)
    failed = trace.happened("failed")
    missing = [f"the training failed: {first_line(failed[-1].text)}"] if failed else []
    found = evidence_of_learning(trace)
    # A loss of unknown level that falls shows little by itself, and more where rows that were not trained on agree.
    agreed = found.strength == "weak" and validation_agrees(trace)
    if found.strength != "clear" and not agreed:
        missing.append(found.told)
    missing += _unseen(trace, PRE_FLIGHT_STEPS, () if missing else (found.told,))
    if missing:
        return "not judged", tuple(missing)
    return "sound", (f"{found.told}; validation agrees" if agreed else found.told,)


def _rows_are_right(step: PreFlightStep | None) -> bool:
    return step is not None and step.verdict == "pass" and any(name in step.numbers for name in ("accuracy", "r2"))


def _where(finding: Finding) -> str:
    return f" ({finding.where})" if finding.where else ""


def _error(finding: Finding) -> str:
    """The script's own error, where the finding is one."""
    error = finding.evidence.get("error")
    return f": {first_line(str(error))}" if error else ""


def _unseen(trace: Trace, asked: Collection[str], shown: Sequence[str]) -> list[str]:
    """What was not measured and matters: whole trainings; of one layer only where nothing else shows that it learns."""
    if not {"wiring", "short-training"} & set(asked):
        return []
    events = [event for event in trace.happened("unseen") if not event.layer or not shown]
    if "short-training" not in asked:
        events = [event for event in events if not event.layer]
    told = list(dict.fromkeys(f"{event.layer}: {event.text}" if event.layer else event.text for event in events))
    more = [f"and {len(told) - MOST_REASONS} more were not measured"] if len(told) > MOST_REASONS else []
    return [f"not measured: {text}" for text in told[:MOST_REASONS]] + more
