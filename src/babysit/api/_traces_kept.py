"""The traces that a check or a healing ends with, kept for its page."""

from __future__ import annotations

from babysit.record import CheckEnded, HealEnded, Progress, ProgressEvent, Trace


class TracesKept:
    """A Progress that passes every event on, and keeps what was measured.

    Args:
        progress: Receives the events.

    Attributes:
        before: Of the training as it is.
        after: Of the training with the remedies; None where none was found, or it was not measured.

    Example:
        >>> kept = TracesKept(print)
        >>> kept(CheckEnded(Trace()))
        CheckEnded(trace=Trace(rows=(), histograms=(), events=(), layers=(), facts={}, schema=2))
        >>> kept.before
        Trace(rows=(), histograms=(), events=(), layers=(), facts={}, schema=2)
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.before = Trace()
        self.after: Trace | None = None

    def __call__(self, event: ProgressEvent, /) -> None:
        """Take an event."""
        if isinstance(event, CheckEnded):
            self.before = event.trace or Trace()
        elif isinstance(event, HealEnded):
            self.before, self.after = event.before or Trace(), event.after
        self._progress(event)
