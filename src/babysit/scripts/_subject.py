"""A script as a Subject: rehearsed in processes of its own, in a scratch folder, under remedies."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from babysit.record import (
    BabysitError,
    Event,
    Finding,
    InputError,
    NotAppliedError,
    RehearsalError,
    Remedy,
    Trace,
    TraceStore,
)
from babysit.rehearsal import TO_THE_END, Ask, LiveParts, Look, PatchedCopy, Probes, Subject, out_of_time, outcome_of
from babysit.remedies import rate_of
from babysit.scripts._located import located
from babysit.scripts._messages import ANSWER, TRACE, RunRequest, ScriptAnswer, WatchRequest, grace, read
from babysit.scripts._runner import Runner, Started
from babysit.scripts._sandbox import available, protection_line
from babysit.scripts._scratch import own_folder
from babysit.scripts._script import Script, with_arguments

SECONDS = 600.0  # of one run, where nobody says less
LOOK_EVERY, LOOK_SHARE = 0.5, 0.2  # seconds between two looks at a running script; of the time, looks may take so much
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
    answer: ScriptAnswer
    output: str = ""


class ScriptSubject(Subject):
    """A script as a Subject.

    Args:
        script: Checked.
        folder: Where it would be run; None is the working directory.
        jobs: How many runs at a time; None as many as there are processors, at most four.
        runner: To run in; None makes one of its own, which ends with it.
        protected: Whether the user's files are out of the script's reach while it is rehearsed.
        network: Whether it may reach anything beyond loopback.

    Example:
        >>> import tempfile
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

    check_seconds = 90.0  # a script begins anew for every rehearsal
    own_end = True
    has_live_parts = False

    def __init__(
        self,
        script: Script,
        *,
        folder: pathlib.Path | None = None,
        jobs: int | None = None,
        runner: Runner | None = None,
        protected: bool = True,
        network: bool = False,
    ) -> None:
        script.check()
        self.script = script
        self.runs = self.steps = 0
        self.seconds = 0.0
        self.wrote: set[str] = set()
        self._highest_rate: float | None = None  # that the script takes by itself
        self._folder = (folder or pathlib.Path.cwd()).resolve()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.jobs = runner.jobs if runner is not None else jobs or min(4, cores)
        self._threads = max(1, cores // self.jobs)
        self._own = runner is None
        self._protected, self._network = protected, network
        self._runner = runner or Runner(self.jobs, watching_environment())

    @property
    def name(self) -> str:
        """The script's name."""
        return self.script.name

    def live_parts(self) -> LiveParts:
        """They are in processes of its own.

        Raises:
            InputError: Always.
        """
        raise InputError(f"the network of {self.name} cannot be reached: a script runs in processes of its own")

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
        found = self.rehearse_all([Ask(steps, tuple(remedies), seed, probes, seconds)])[0]
        if isinstance(found, BabysitError):
            raise found
        return found

    def rehearse_all(
        self, asks: Sequence[Ask], *, seconds: float | None = None, look: Look | None = None
    ) -> list[Trace | BabysitError]:
        """Several at a time; see `Subject`."""
        found: list[Trace | BabysitError] = [
            self._as_rehearsal(one) for one in self.run_all(asks, seconds=seconds, look=look)
        ]
        return [*found, *(out_of_time() for _ in asks[len(found) :])]

    def _as_rehearsal(self, done: Rehearsed) -> Trace | BabysitError:
        if done.answer.not_applied:
            error = done.answer.error if done.answer.how in ("failed", "killed") else ""
            return NotAppliedError.of(done.answer.not_applied, error)
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

    def run_all(
        self, asks: Sequence[Ask], *, seconds: float | None = None, look: Look | None = None
    ) -> list[Rehearsed]:
        """Several runs, as many at a time as there are jobs; those at the end are left out when the time is over."""
        with contextlib.ExitStack() as stack:
            folders = [stack.enter_context(kept_folder()) for _ in asks]
            requests = [self._request(ask, folder) for ask, folder in zip(asks, folders, strict=True)]
            meanwhile = len if look is None else _Looks(look)
            found = [
                rehearsed(started) for started in self._runner.run_all(requests, seconds=seconds, meanwhile=meanwhile)
            ]
        for ask, one in zip(asks, found, strict=False):
            rate = rate_of(one.trace) if not ask.remedies else None
            if rate is not None:
                self._highest_rate = max(rate, self._highest_rate or 0.0)
            self.runs += 1
            self.steps += one.answer.steps
            self.seconds += one.answer.seconds
            self.wrote |= set(one.answer.wrote)
        return found

    def advice_for(self, remedies: Sequence[Remedy]) -> tuple[str, ...]:
        """A line for each, with the line of the script where that is known."""
        from babysit.scripts.patches import advice_for  # libcst takes a fifth of a second

        return advice_for(self.script, remedies)

    def diff_of(self, remedies: Sequence[Remedy]) -> str:
        """The changes of the script, and of the modules that it imports from its folder."""
        from babysit.scripts.patches import patched

        try:
            return patched(self.script, remedies, with_modules=True).diff if remedies else ""
        except InputError:  # its text cannot be read, or has no place for one of them: the advice is in words
            return ""

    def located(
        self, findings: Sequence[Finding], tried: Mapping[str, tuple[Sequence[Remedy], str]]
    ) -> tuple[Finding, ...]:
        """With file and line in the script or a module of its folder; see `Subject`."""
        return located(self.script, findings, tried)

    def check_copy(self, path: pathlib.Path) -> None:
        """Check that a patched copy of the script can be written to a path.

        Raises:
            InputError: It is run as a module, or the path is the script's own or that of another file.
        """
        from babysit.scripts.patches import check_copy

        if self.script.module:
            raise self._without_text()
        check_copy(self.script, path)

    def patched_copy(self, remedies: Sequence[Remedy], path: pathlib.Path) -> PatchedCopy:
        """Write remedies into a copy of the script, and run the copy as the script was run.

        Raises:
            InputError: As of `check_copy`; nothing is written then.
        """
        from babysit.scripts.patches import is_folder, write_patched

        self.check_copy(path)
        done = write_patched(self.script, remedies, path)
        copied = path / self.script.name if is_folder(path) else path
        script = with_arguments(str(copied.resolve()), self.script.arguments)
        with ScriptSubject(
            script, folder=self._folder, jobs=1, protected=self._protected, network=self._network
        ) as copy:
            outcome = outcome_of(copy.rehearse_all([Ask(probes="losses")])[0])
        return PatchedCopy(path, done.diff, tuple(one.remedy for one in done.written), done.applied, outcome)

    def notes(self) -> tuple[str, ...]:
        """What was spent on it, what held it, and what its rehearsals left outside the scratch folder."""
        spent = f"{self.runs} runs of {self.name}, {self.steps:,} steps, {self.seconds:.0f} s of its own time"
        wrote = [f"it writes to {path}, which lies outside the folder it was run in" for path in sorted(self.wrote)]
        return (spent, protection_line(available() if self._protected else "none", network=self._network), *wrote)

    def close(self) -> None:
        """End the runner, where it is its own."""
        if self._own:
            self._runner.close()

    def _request(self, ask: Ask, folder: pathlib.Path) -> RunRequest:
        seconds = SECONDS if ask.seconds is None else ask.seconds
        watch = WatchRequest(
            kept=str(folder / "kept"),
            remedies=tuple(map(str, ask.remedies)),
            steps=None if ask.steps >= TO_THE_END else ask.steps,
            seconds=seconds,
            probes=ask.probes,
            seed=ask.seed,
            highest_rate=self._highest_rate,
            threads=self._threads,
            protected=self._protected,
            network=self._network,
        )
        script, output = self.script, str(folder / "output.txt")
        return RunRequest(
            script.target, script.arguments, script.module, str(self._folder), output, watch, seconds + grace(seconds)
        )


class _Looks:
    """Looks at the first of several runs while they run, again and again."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._next = 0.0
        self._seen = 0

    def __call__(self, started: Sequence[Started]) -> None:
        now = time.monotonic()
        if now < self._next or not started or started[0].code is not None:
            return
        watch = started[0].request.watch
        assert watch is not None
        path = pathlib.Path(watch.kept, TRACE)
        if path.exists():
            # It is being written: what cannot be read now is read at the next look.
            with contextlib.suppress(BabysitError, sqlite3.Error), TraceStore(path) as store:
                trace = store.read()
                if len(trace.rows) + len(trace.events) > self._seen:
                    self._seen = len(trace.rows) + len(trace.events)
                    self._look(trace)
        took = time.monotonic() - now
        self._next = now + took + max(LOOK_EVERY, took / LOOK_SHARE)


def watching_environment() -> dict[str, str]:
    """Of processes that run watched scripts: as it is, but threads that wait do not take processors from others."""
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}


@contextlib.contextmanager
def kept_folder() -> Iterator[pathlib.Path]:
    """A temporary folder for one watched run: in it `kept`, and what it prints."""
    with own_folder() as path:
        (path / "kept").mkdir()
        yield path


def rehearsed(started: Started) -> Rehearsed:
    """What came of a watched run that has ended."""
    watch = started.request.watch
    assert watch is not None
    kept = pathlib.Path(watch.kept)
    output = ""
    with contextlib.suppress(OSError):
        output = pathlib.Path(started.request.output).read_bytes()[-OUTPUT:].decode(errors="replace")
    try:
        answer = read((kept / ANSWER).read_bytes())
        assert isinstance(answer, ScriptAnswer)
    except (OSError, ValueError):
        answer = ScriptAnswer("killed", _how_it_died(started), seconds=watch.seconds or 0.0)
    if not (kept / TRACE).exists():
        return Rehearsed(Trace(events=(Event(0, "failed", answer.error),)), answer, output)
    with TraceStore(kept / TRACE) as store:
        trace = store.read()
    if started.late and not trace.series("loss").values:
        late = Event(0, "out-of-time", f"no training pass ended within {answer.seconds:.0f} s")
        trace = dataclasses.replace(trace, events=(*trace.events, late))
    return Rehearsed(trace, answer, output)


def _how_it_died(started: Started) -> str:
    if started.late:
        return "it did not end in time"
    code = started.code or 0
    return f"its process ended with signal {-code}" if code < 0 else f"its process ended with exit code {code}"
