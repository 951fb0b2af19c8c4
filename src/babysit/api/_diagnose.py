"""diagnose: what was wrong with a training, from its trace."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from babysit.api._result import Result
from babysit.diseases import diagnose as find
from babysit.record import Diagnosis, Finding, InputError, Run, Trace, read_trace
from babysit.reports import findings_renderable, render_trace_page, trace_headline


@dataclass(frozen=True, repr=False)
class Diagnosed(Result):
    """What `diagnose` answers.

    Attributes:
        found: What is wrong, causes first; `.findings` is the same.
        trace: What was measured.
    """

    found: tuple[Finding, ...]
    trace: Trace = field(default_factory=Trace)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, causes first."""
        return self.found

    def _record(self) -> Diagnosis:
        return Diagnosis(self.found)

    def _title(self) -> str:
        return trace_headline(self.trace, self.found)

    def _page(self) -> str:
        return render_trace_page(self.trace, self.found)

    def __rich__(self) -> RenderableType:
        return Group(Text(self._title()), findings_renderable(self.found))


def diagnose(subject: Trace | Run | str | pathlib.Path, *, ignore: Sequence[str] = ()) -> Diagnosed:
    """Find what was wrong with a training from what was measured of it.

    Args:
        subject: A Trace; or a Run, its folder, or a file that `babysit.watch(..., keep=FILE)` wrote.
        ignore: Findings to ignore, by name.

    Raises:
        InputError: There is no such folder or file, or no finding has the name.

    Example:
        >>> from babysit.record import Row
        >>> found = diagnose(Trace([Row(step, "train", "", "loss", float("nan")) for step in range(3)]))
        >>> found.ok, found.findings[0].name
        (False, 'diverged')
    """
    trace = _trace_of(subject)
    return Diagnosed(tuple(find(trace, ignore=ignore)), trace)


def _trace_of(subject: Trace | Run | str | pathlib.Path) -> Trace:
    if isinstance(subject, Trace):
        return subject
    if isinstance(subject, Run):
        return subject.trace()
    path = pathlib.Path(subject)
    if path.is_dir():
        return Run(path).trace()
    if path.is_file():
        return read_trace(path)
    raise InputError(f"there is no {path}", legal="the folder of a Run, or the file of a trace")
