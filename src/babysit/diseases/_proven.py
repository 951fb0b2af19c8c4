"""Faults that are proven as a program runs: the trace holds an event of the disease's name."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.record import Finding, Severity, Trace


def told_by_event(disease: Disease, trace: Trace, kind: str = "", severity: Severity | None = None) -> list[Finding]:
    """The first event of that name as a finding: where it happened, at which step, and what was seen.

    Args:
        disease: The event has its name; its text begins with the line of the script and a colon, where that is known.
        trace: What was measured.
        kind: Of the event, where it has another name.
        severity: Where it is not the usual one.
    """
    return [
        disease.finding(
            event.text.partition(": ")[0],
            evidence={
                "step": event.step,
                "seen": event.text.partition(": ")[2] or event.text,
                "threshold": "seen once",
            },
            severity=severity,
        )
        for event in trace.happened(kind or disease.name)[:1]
    ]
