"""Findings of a watched training as lines, as they are made; and all that was seen of it, when a script ends."""

from __future__ import annotations

import sys

from rich.console import Console

from babysit.record import Finding, FindingsChanged, GuardActed, ProgressEvent, ScriptEnded, Trace
from babysit.reports._console import CleanConsole, write_out
from babysit.reports._findings import finding_line, findings_renderable
from babysit.reports._trace_page import trace_headline

TOLD_EVENTS = ("unseen", "not-applied", "not-finite", "guard")


class FindingLines:
    """A Progress that writes each finding as one line, once, and at the end of a script all of them.

    Args:
        console: Where to; None takes the standard error.
        notes: Whether notes have lines, too.

    Example:
        >>> import io
        >>> shown = io.StringIO()
        >>> lines = FindingLines(Console(file=shown, width=100))
        >>> for _ in range(2):
        ...     lines(FindingsChanged((Finding("diverged", "sick", "step 12"),)))
        >>> shown.getvalue()
        'sick: diverged, step 12\\n'
    """

    def __init__(self, console: Console | None = None, *, notes: bool = True) -> None:
        self._console = console or CleanConsole(stderr=True)
        self._notes = notes
        self._shown: set[tuple[str, str]] = set()

    def __call__(self, event: ProgressEvent, /) -> None:
        """Show an event."""
        if isinstance(event, FindingsChanged):
            for finding in event.findings:
                self._line(finding)
        elif isinstance(event, GuardActed):
            self._console.print(f"babysit: {event.text}", soft_wrap=True, highlight=False, markup=False)
        elif isinstance(event, ScriptEnded):
            self._end(event)

    def _line(self, finding: Finding) -> None:
        key = (finding.name, finding.severity)
        if key not in self._shown and (self._notes or finding.severity != "note"):
            self._shown.add(key)
            self._console.print(finding_line(finding), soft_wrap=True)

    def _end(self, event: ScriptEnded) -> None:
        """The script's own traceback first, then what was seen."""
        if event.traceback:
            write_out(sys.stderr, event.traceback)
        headline = trace_headline(event.trace, event.findings)
        first = f"babysit: {event.name} {event.ended} after {event.seconds:.1f} s. {headline}"
        for line in (first, *event_lines(event.trace)):
            self._console.print(line, soft_wrap=True, highlight=False)
        if event.findings:
            self._console.print(findings_renderable(event.findings))
            self._console.print(f"babysit: {event.name}: {headline}", soft_wrap=True, highlight=False)


def event_lines(trace: Trace) -> list[str]:
    """What happened in a training beside what was measured, a line for each that people should know of."""
    told = [event for event in trace.events if event.kind in TOLD_EVENTS]
    return [
        f"step {one.step}: {one.text}" if one.kind in ("not-finite", "guard") else f"{one.kind}: {one.text}"
        for one in told
    ]
