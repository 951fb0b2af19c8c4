"""Faults that are proven as a program runs: the trace holds an event of the disease's name."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.record import Finding, Trace


def told_by_event(disease: Disease, trace: Trace) -> list[Finding]:
    """The first event of that name as a finding: where it happened, at which step, and what was seen.

    Args:
        disease: The event has its name; its text begins with the line of the script and a colon, where that is known.
        trace: What was measured.
    """
    return [
        disease.finding(
            event.text.partition(": ")[0],
            evidence={
                "step": event.step,
                "seen": event.text.partition(": ")[2] or event.text,
                "threshold": "seen once",
            },
        )
        for event in trace.happened(disease.name)[:1]
    ]
