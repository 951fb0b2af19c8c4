"""run: a script that knows nothing of babysit is run in full and watched, with remedies where they are asked for."""

from __future__ import annotations

import atexit
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from rich.console import Group, RenderableType
from rich.text import Text

from babysit.api._result import Result, trace_picture
from babysit.diseases import Repeatedly, check_names, diagnose
from babysit.record import (
    Finding,
    FindingsChanged,
    InputError,
    Progress,
    Remedy,
    RunAnswer,
    ScriptEnded,
    Trace,
    TraceStore,
    silent,
)
from babysit.rehearsal import KINDS
from babysit.remedies import Epochs, applied_to_script
from babysit.reports import (
    FindingLines,
    account_of_trace,
    event_lines,
    findings_renderable,
    render_account,
    reproduction,
    trace_headline,
    write_out,
)
from babysit.scripts import Ended, Patcher, failure, located, run_script, with_arguments

ScriptEnd = Literal["finished", "failed", "interrupted"]


@dataclass(frozen=True, repr=False)
class ScriptRun(Result):
    """What `run` answers.

    Attributes:
        found: What was wrong with its training, causes first; `.findings` is the same.
        trace: What was measured.
        steps: That its optimizer took.
        ended: `finished`, `failed` (an error, or an exit code of its own that is not 0) or `interrupted`.
        code: The script's exit code.
        error: The error that ended it, in one line.
        traceback: Of the error, as the script alone would have it.
        name: Of the script.
        seconds: How long it ran.
    """

    found: tuple[Finding, ...]
    trace: Trace
    steps: int
    ended: ScriptEnd
    code: int = 0
    error: str = ""
    traceback: str = ""
    name: str = ""
    seconds: float = 0.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was wrong with its training, causes first."""
        return self.found

    @property
    def ok(self) -> bool:
        """Whether the script finished and nothing sick was found."""
        return self.ended == "finished" and super().ok

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped the script."""
        return self.ended == "interrupted"

    def _record(self) -> RunAnswer:
        unseen = tuple(event.text for event in self.trace.happened("unseen"))
        not_applied = tuple(event.text for event in self.trace.happened("not-applied"))
        return RunAnswer(self.found, unseen, self.steps, self.ended, self.code, self.error, not_applied)

    def _title(self) -> str:
        return trace_headline(self.trace, self.findings)

    def _picture(self) -> str:
        return trace_picture(self.trace)

    def _page(self, command: str = "") -> str:
        made = reproduction(self.name, command, self.seconds)
        return render_account(account_of_trace(self.trace, self.findings, name=self.name or "this script", made=made))

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [Text(f"{self.ended}. {self._title()}")]
        parts += map(Text, event_lines(self.trace))
        return Group(*parts, *([findings_renderable(self.findings)] if self.findings else []))


def run(
    script: str | pathlib.Path,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    remedies: Sequence[str | Remedy] = (),
    overhead: float | None = 0.01,
    ignore: Sequence[str] = (),
    progress: Progress | None = None,
    keep: str | pathlib.Path | None = None,
) -> ScriptRun:
    """Run a script that knows nothing of babysit, in this process, and say what is wrong with its training.

    Its numbers are bit for bit what they are without: weights, random numbers, output. An error of the script is
    printed as Python prints it and is part of the answer; it is not raised.

    Args:
        script: A Python file, or a module's name.
        arguments: The script's own.
        module: Whether it is a module's name.
        remedies: Remedies to run it under, as `NAME` or `NAME=VALUE`.
        overhead: Share of the time that measuring may take; None measures every step.
        ignore: Findings to ignore, by name.
        progress: Receives progress events: `FindingsChanged` about once a second, `ScriptEnded`. None writes lines on
            the standard error stream.
        keep: A file to keep the trace in, for `babysit diagnose`; None keeps it in memory.

    Raises:
        InputError: The script cannot be run, or a remedy cannot be applied to it.

    Example:
        >>> import tempfile
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), 0.1)\\n"
        >>> text += "for _ in range(5):\\n    net(torch.ones(3, 2)).mean().backward()\\n    opt.step()\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.py")
        ...     _ = path.write_text(text)
        ...     done = run(path, progress=lambda event: None)
        >>> done.ended, done.steps, len(done.trace.series("loss").values)
        ('finished', 5, 5)
    """
    check_names(ignore)
    if overhead is not None and not 0 < overhead <= 1:
        raise InputError(f"overhead is {overhead}", legal="above 0 and at most 1")
    receive = FindingLines(notes=False) if progress is None else progress
    asked = [one if isinstance(one, Remedy) else Remedy.parse(one) for one in remedies]
    epochs = Epochs().number(asked)
    applied = applied_to_script(asked, kinds=KINDS) if asked else None
    target = with_arguments(str(script), arguments, module=module)
    with TraceStore(pathlib.Path(keep) if keep is not None else None) as store:

        def read() -> Trace:
            store.flush()
            return store.read()

        repeatedly = Repeatedly(read, lambda _, found: receive(FindingsChanged(tuple(found))), ignore=ignore)
        # Called at each step: without a detour, and not at all where nobody reads it.
        more = None if receive is silent else repeatedly.when_due
        began, process = time.monotonic(), os.getpid()
        patcher = Patcher(store, remedies=applied, overhead=overhead, more=more, scores=False)
        with patcher:
            ended = run_script(target, epochs=epochs)
            if os.getpid() != process:
                _leave(ended)
            if sys.stdout is not None:
                sys.stdout.flush()  # what the script said comes before what is said of it
        patcher.tell(finished=ended.how == "finished" and not ended.code)
        if ended.how == "failed":
            store.add([failure(patcher.steps, ended, changed=bool(asked))])
            store.flush()
        trace = store.read()
    findings = located(target, diagnose(trace, ignore=ignore))
    how: ScriptEnd = "interrupted" if ended.how == "interrupted" else "failed"
    if ended.how == "finished" and not ended.code:
        how = "finished"
    seconds = time.monotonic() - began
    done = ScriptRun(
        findings, trace, patcher.steps, how, ended.code, ended.error, ended.traceback, target.name, seconds
    )
    receive(ScriptEnded(target.name, how, seconds, trace, findings, ended.traceback))
    return done


def _leave(ended: Ended) -> NoReturn:
    """The end of a process that the script forked: as the script's own, and none of what watches it."""
    if ended.traceback:
        write_out(sys.stderr, ended.traceback)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(ended.code)
