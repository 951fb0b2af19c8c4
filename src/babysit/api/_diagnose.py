"""diagnose: what was wrong with a training, from its trace."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from babysit.adapters import is_log, read_log
from babysit.api._result import Result, trace_picture
from babysit.diseases import diagnose as find
from babysit.diseases import not_measured
from babysit.record import CheckVerdict, Diagnosis, Finding, InputError, Run, Trace, read_trace
from babysit.rehearsal import verdict_of_trace
from babysit.reports import account_of_trace, findings_renderable, render_account, reproduction, trace_headline

NAMED = 8  # findings that were not looked for


@dataclass(frozen=True, repr=False)
class Diagnosed(Result):
    """What `diagnose` answers.

    Attributes:
        found: What is wrong, causes first; `.findings` is the same.
        trace: What was measured.
        verdict: `sick`, `sound`, or `not judged` where it was not seen to learn.
        reasons: Why, one a line.
        not_judged: Findings that could not be looked for, since nothing that shows them was measured.
        subject: The name of the file or folder; empty of a Trace.
    """

    found: tuple[Finding, ...]
    trace: Trace = field(default_factory=Trace)
    verdict: CheckVerdict = "not judged"
    reasons: tuple[str, ...] = ()
    not_judged: tuple[str, ...] = ()
    subject: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, causes first."""
        return self.found

    @property
    def ok(self) -> bool:
        """Whether it is sound."""
        return self.verdict == "sound"

    @property
    def judged(self) -> bool:
        """Whether enough was measured to say sound or sick."""
        return self.verdict != "not judged"

    def _record(self) -> Diagnosis:
        return Diagnosis(self.found, verdict=self.verdict, reasons=self.reasons, not_judged=self.not_judged)

    def _title(self) -> str:
        return trace_headline(self.trace, self.found)

    def _picture(self) -> str:
        return trace_picture(self.trace)

    def _page(self, command: str = "") -> str:
        made = reproduction(self.subject, command)
        name = self.subject or "this training"
        told = account_of_trace(
            self.trace, self.found, name=name, verdict=self.verdict, reasons=self.reasons, made=made
        )
        return render_account(told)

    def _reasons(self) -> Sequence[str]:
        return [f"{self.verdict}: {reason}" for reason in self.reasons]

    def __rich__(self) -> RenderableType:
        told: list[RenderableType] = [Text(f"{self.verdict}: {reason}") for reason in self.reasons]
        told += [Text(self._title()), findings_renderable(self.found)]
        if self.not_judged:
            names = ", ".join(self.not_judged[:NAMED])
            more = f" and {len(self.not_judged) - NAMED} more" if len(self.not_judged) > NAMED else ""
            told.append(Text(f"not looked for, since nothing that shows them was measured: {names}{more}", style="dim"))
        if self.found:
            told += [Text(f"{self.verdict}: {self._title()}")]
        return Group(*told)


def diagnose(subject: Trace | Run | str | pathlib.Path, *, ignore: Sequence[str] = ()) -> Diagnosed:
    """Find what was wrong with a training from what was measured of it, or from its log.

    Args:
        subject: A Trace; a Run, its folder, or a file that `babysit.watch(..., keep=FILE)` wrote; or a log of any
            training: TensorBoard's event files, an offline run of W&B, MLflow's folder, Transformers'
            `trainer_state.json`, CSV, JSON, JSON lines, or what a script printed.
        ignore: Findings to ignore, by name.

    Raises:
        InputError: There is no such folder or file, it is no log, or no finding has the name.

    Example:
        >>> from babysit.record import Row
        >>> found = diagnose(Trace([Row(step, "train", "", "loss", float("nan")) for step in range(3)]))
        >>> found.ok, found.findings[0].name
        (False, 'diverged')
    """
    trace = _trace_of(subject)
    found = tuple(find(trace, ignore=ignore))
    verdict, reasons = verdict_of_trace(trace, found)
    return Diagnosed(found, trace, verdict, reasons, not_measured(trace), _name_of(subject))


def _name_of(subject: Trace | Run | str | pathlib.Path) -> str:
    if isinstance(subject, Trace):
        return ""
    return subject.path.name if isinstance(subject, Run) else pathlib.Path(subject).name


def _trace_of(subject: Trace | Run | str | pathlib.Path) -> Trace:
    if isinstance(subject, Trace):
        return subject
    if isinstance(subject, Run):
        return subject.trace()
    path = pathlib.Path(subject)
    if not path.exists():
        raise InputError(f"there is no {path}", legal="the folder of a Run, the file of a trace, or a log")
    if not path.is_dir() and not path.is_file():
        raise InputError(f"{path} is not a regular file", legal="the folder of a Run, the file of a trace, or a log")
    if is_log(path):
        return read_log(path)
    return Run(path).trace() if path.is_dir() else read_trace(path)
