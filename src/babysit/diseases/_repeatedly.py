"""Diagnosing again and again while a training runs, at a bounded cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from babysit.diseases._rank import diagnose
from babysit.record import Finding, Trace

LEAST_SECONDS = 1.0  # between two looks: people read no faster
SHARE = 0.005  # of the time, at most, goes into looking


class Repeatedly:
    """Diagnoses when it is due, and tells what it found.

    Args:
        read: Gives what was measured so far.
        tell: Gets the trace and the findings each time.
        ignore: Names of findings not to report.
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
        tell: Callable[[Trace, list[Finding]], None],
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
        """Look if enough time has gone by since the last look; otherwise cost nothing."""
        if self._clock() >= self._next:
            self.now()

    def now(self) -> list[Finding]:
        """Look at once."""
        start = self._clock()
        trace = self._read()
        findings = diagnose(trace, ignore=self._ignore)
        self._tell(trace, findings)
        end = self._clock()
        self._next = end + max(LEAST_SECONDS, (end - start) / SHARE)
        return findings
