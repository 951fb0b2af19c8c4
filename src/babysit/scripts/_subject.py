"""A script as a Subject: rehearsed in child processes, in a scratch folder, under changes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from babysit.record import BabysitError, Event, InputError, RehearsalError, Remedy, Trace, TraceStore
from babysit.rehearsal import TO_THE_END, Ask, LiveParts, Probes
from babysit.scripts._child import Answer, Request
from babysit.scripts._processes import Processes
from babysit.scripts._script import Script

SECONDS = 600.0  # of one run, where nobody says less
OUTPUT = 4000  # characters of what a run printed that are kept


@dataclass(frozen=True)
class Rehearsed:
    """One run of a script.

    Attributes:
        trace: What was measured.
        answer: How it ended.
        output: The last of what it printed.
    """

    trace: Trace
    answer: Answer
    output: str = ""


class ScriptSubject:
    """A script as a Subject.

    Args:
        script: Checked.
        folder: Where it would be run; None is the working directory.
        jobs: How many runs at a time; None as many as there are processors, at most four.
        processes: To run in; None starts some of its own, which end with it.

    Example:
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), 0.1)\\n"
        >>> text += "for _ in range(5):\\n    net(torch.ones(3, 2)).mean().backward()\\n    opt.step()\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.py")
        ...     _ = path.write_text(text)
        ...     with ScriptSubject(Script(str(path)), jobs=1) as subject:
        ...         trace = subject.rehearse(3)
        >>> len(trace.series("loss").values)
        3
    """

    def __init__(
        self,
        script: Script,
        *,
        folder: pathlib.Path | None = None,
        jobs: int | None = None,
        processes: Processes | None = None,
    ) -> None:
        script.check()
        self.script = script
        self.runs = self.steps = 0
        self.seconds = 0.0
        self.wrote: set[str] = set()
        self._folder = (folder or pathlib.Path.cwd()).resolve()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.jobs = processes.jobs if processes is not None else jobs or min(4, cores)
        self._threads = max(1, cores // self.jobs)
        self._own = processes is None
        self._processes = processes or Processes(self.jobs)

    @property
    def name(self) -> str:
        """The script's name."""
        return self.script.name

    def live_parts(self) -> LiveParts | None:
        """A script has nothing to be worked on outside itself."""
        return None

    def rehearse(
        self,
        steps: int,
        remedies: Sequence[Remedy] = (),
        *,
        seed: int = 0,
        probes: Probes = "all",
        seconds: float | None = None,
    ) -> Trace:
        """Run the script for some steps; see `Subject`.

        Raises:
            InputError: A remedy that it cannot take.
            RehearsalError: The script failed, with what was measured until then.
        """
        if steps < 1:
            raise InputError(f"a rehearsal of {steps} steps", legal="1 or more")
        found = self.rehearse_together([Ask(steps, tuple(remedies), seed, probes, seconds)])[0]
        if isinstance(found, BabysitError):
            raise found
        return found

    def rehearse_together(self, asks: Sequence[Ask]) -> list[Trace | BabysitError]:
        """Several at a time; see `Together`."""
        return [self._as_rehearsal(one) for one in self.run_all(asks)]

    def _as_rehearsal(self, done: Rehearsed) -> Trace | BabysitError:
        if done.answer.how == "refused":
            return InputError(done.answer.error)
        if done.answer.how in ("failed", "killed"):
            failed = RehearsalError(f"{self.name} failed at step {done.answer.steps}: {done.answer.error}")
            failed.trace = done.trace
            return failed
        return done.trace

    def run(self, ask: Ask) -> Rehearsed:
        """One run."""
        return self.run_all([ask])[0]

    def run_all(self, asks: Sequence[Ask]) -> list[Rehearsed]:
        """Several runs, as many at a time as there are jobs."""
        with contextlib.ExitStack() as stack:
            folders = [pathlib.Path(stack.enter_context(_temporary_folder())) for _ in asks]
            requests = [self._request(ask, folder) for ask, folder in zip(asks, folders, strict=True)]
            answers = self._processes.run_all(requests)
            found = [_read(folder, answer) for folder, answer in zip(folders, answers, strict=True)]
        for one in found:
            self.runs += 1
            self.steps += one.answer.steps
            self.seconds += one.answer.seconds
            self.wrote |= set(one.answer.wrote)
        return found

    def notes(self) -> tuple[str, ...]:
        """What was spent on it, and what its rehearsals left outside the scratch folder."""
        spent = f"{self.runs} runs of {self.name}, {self.steps:,} steps, {self.seconds:.0f} s of its own time"
        wrote = [f"it writes to {path}, which lies outside the folder it was run in" for path in sorted(self.wrote)]
        return (spent, *wrote)

    def close(self) -> None:
        """End the processes, where they are its own."""
        if self._own:
            self._processes.close()

    def __enter__(self) -> ScriptSubject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, ask: Ask, folder: pathlib.Path) -> Request:
        (folder / "scratch").mkdir()
        return Request(
            target=self.script.target,
            arguments=self.script.arguments,
            module=self.script.module,
            folder=str(self._folder),
            scratch=str(folder / "scratch"),
            trace=str(folder / "trace.sqlite"),
            output=str(folder / "output.txt"),
            remedies=tuple(map(str, ask.remedies)),
            steps=None if ask.steps >= TO_THE_END else ask.steps,
            seconds=SECONDS if ask.seconds is None else ask.seconds,
            probes=ask.probes,
            seed=ask.seed,
            threads=self._threads,
        )


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    # What a script leaves read-only, or a worker that still writes, is no reason to fail.
    with tempfile.TemporaryDirectory(prefix="babysit-", ignore_cleanup_errors=True) as folder:
        yield folder


def _read(folder: pathlib.Path, answer: Answer) -> Rehearsed:
    output = ""
    with contextlib.suppress(OSError):
        output = (folder / "output.txt").read_bytes()[-OUTPUT:].decode(errors="replace")
    path = folder / "trace.sqlite"
    if not path.exists():
        return Rehearsed(Trace(events=(Event(0, "failed", answer.error),)), answer, output)
    with TraceStore(path) as store:
        return Rehearsed(store.read(), answer, output)
