"""What every framework's callback does: it watches one training, tells what it finds, and says when to stop.

A callback is thin: it says when its framework begins and ends a training, and asks after each step whether to stop.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from babysit.diseases import Repeatedly, check_names, diagnose
from babysit.record import (
    CheckVerdict,
    Event,
    Finding,
    FindingsChanged,
    GuardActed,
    InputError,
    MissingExtraError,
    Progress,
    ProgressEvent,
    SickError,
    Trace,
    TraceStore,
    write_atomic,
)
from babysit.rehearsal import LiveObjects, pre_flight, verdict_of_trace
from babysit.reports import (
    CleanConsole,
    FindingLines,
    Notify,
    NotifyLike,
    check_headline,
    check_renderable,
    event_lines,
    finding_line,
    print_findings,
    render_trace_page,
    trace_headline,
)
from babysit.scripts import Patcher, watched_already
from babysit.training import GUARD_FOLDER, Guard, GuardMode, blown_up, check_guard, dead_start, plain_optimizer

FIRST_LOOK, GROWTH = 100, 2  # steps after which it is diagnosed in any case, however little time has passed


def is_first_process() -> bool:
    """Whether this process tells, where several train together: rank 0 does, and each measures."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank() == 0
    return os.environ.get("RANK", "0") == "0"


class FitWatch:
    """One training under a framework, from its first step to its last.

    Args:
        settings: Of the callback.
        framework: Its name, for messages.
    """

    def __init__(self, settings: BabysitCallback, framework: str) -> None:
        self.stop_because = ""
        self.findings: tuple[Finding, ...] = ()
        self.trace = Trace()
        self.verdict: CheckVerdict = "not judged"
        self.reasons: tuple[str, ...] = ()
        self._settings, self._framework = settings, framework
        self._tells = is_first_process()
        self._lines: Progress = settings.progress or FindingLines(notes=False)
        self._notify = Notify(settings.notify) if settings.notify is not None and self._tells else None
        self._store: TraceStore | None = None
        self._patcher: Patcher | None = None
        self._guard: Guard | None = None
        self._next_look = FIRST_LOOK
        self._suspected: set[str] = set()

    @property
    def running(self) -> bool:
        """Whether it watches."""
        return self._patcher is not None

    def begin(
        self,
        network: nn.Module,
        optimizers: Sequence[Optimizer],
        *,
        together: bool = False,
        lower: Callable[[float], object] | None = None,
    ) -> None:
        """Begin to watch.

        Args:
            network: What is trained.
            optimizers: What steps it; none where the framework has optimizers of its own.
            together: Whether several processes train it together.
            lower: For a guard, where the framework has optimizers of its own.
        """
        if watched_already():
            if self._tells:
                print("babysit: this training is watched already, and the callback leaves it alone", file=sys.stderr)
            return
        settings = self._settings
        store = self._store = TraceStore(pathlib.Path(settings.keep) if settings.keep is not None else None)
        self._repeatedly = Repeatedly(self._read, self._found, ignore=settings.ignore)
        known = [plain_optimizer(one) for one in optimizers]
        self._patcher = Patcher(store, overhead=settings.overhead, more=self._more, scores=False, optimizers=known)
        self._patcher.__enter__()
        # A framework may raise without a word to its callbacks; then this is told at the next training, or at exit.
        atexit.register(self._end_at_exit)
        if settings.guard != "off":
            self._guard = Guard(
                network,
                known,
                mode=settings.guard,
                folder=pathlib.Path(settings.guard_folder),
                tell=self._acted,
                look=self._lost,
                stop=self._stop,
                together=together,
                lower=lower,
            )
            self._guard.begin()

    def step_taken(self) -> None:
        """A step was taken by an optimizer that is not PyTorch's."""
        if self._guard is not None:
            self._guard.step_taken()

    def end(self, *, finished: bool) -> None:
        """The training is over.

        Args:
            finished: Whether it came to its own end.
        """
        if self._patcher is None or self._store is None:
            return
        atexit.unregister(self._end_at_exit)
        if self._guard is not None:
            self._guard.end(keep=not finished)
        patcher, self._patcher = self._patcher, None
        patcher.__exit__()
        patcher.tell(finished=False)
        self.trace = self._store.read()
        self._store.close()
        self.findings = tuple(diagnose(self.trace, ignore=self._settings.ignore))
        self.verdict, self.reasons = verdict_of_trace(self.trace, self.findings)
        theirs = _of_others(self.findings) if finished else []
        if self._tells:
            self._tell_all(theirs)
        if self._notify is not None:
            self._notify(FindingsChanged(self.findings))
            self._notify.wait()

    def _end_at_exit(self) -> None:
        self.end(finished=False)

    def _tell_all(self, theirs: Sequence[str]) -> None:
        if self._settings.report is not None:
            write_atomic(pathlib.Path(self._settings.report), render_trace_page(self.trace, self.findings))
        if self._settings.progress is not None:
            self._settings.progress(FindingsChanged(self.findings))
            return
        console = CleanConsole(stderr=True)
        lines = [f"babysit: {trace_headline(self.trace, self.findings)}", *event_lines(self.trace), *theirs]
        lines += [f"{self.verdict}: {reason}" for reason in self.reasons]
        if self._settings.report is not None:
            lines.append(f"report: {self._settings.report}")
        for line in lines:
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        if self.findings:
            print_findings(list(self.findings), console)

    def check(
        self,
        network: nn.Module,
        loader: Any,
        optimizer: Any,
        *,
        loss: Callable[..., Tensor] | None = None,
        step: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> None:
        """The pre-flight; everything is afterwards as it was.

        Raises:
            SickError: It is sick, and the callback was asked to stop then.
        """
        if watched_already():
            return
        subject = LiveObjects(network, loss, loader, optimizer, step=step, name=self._framework)
        asked = self._settings.preflight
        limit = {} if asked is True else {"seconds": float(asked)}
        with subject:
            found = pre_flight(subject, ignore=self._settings.ignore, **limit)  # type: ignore[arg-type]
        if self._tells:
            CleanConsole(stderr=True).print(check_renderable(found))
        if found.verdict == "sick" and self._settings.stop:
            raise SickError(check_headline(found).plain, cause="; ".join(found.reasons) or None)

    def _read(self) -> Trace:
        assert self._store is not None
        self._store.flush()
        return self._store.read()

    def _more(self) -> None:
        if self._patcher is not None and self._patcher.steps >= self._next_look:
            self._next_look *= GROWTH
            self._repeatedly.now()
        else:
            self._repeatedly.when_due()

    def _found(self, trace: Trace, findings: list[Finding]) -> None:
        self._receive(FindingsChanged(tuple(findings)))
        asked = self._settings.stop
        sick = {one.name: one for one in findings if one.severity == "sick" and not one.explained_by}
        wanted = {name: one for name, one in sick.items() if asked is True or (asked and name in asked)}
        # What was found once may be of the first steps; what is found again stays.
        lasting = [one for name, one in wanted.items() if name in self._suspected]
        self._suspected = set(wanted)
        if lasting and not self.stop_because:
            self._stop(f"stopped, as asked for: {finding_line(lasting[0]).plain}")

    def _receive(self, event: ProgressEvent) -> None:
        if self._tells:
            self._lines(event)
            if self._notify is not None:
                self._notify(event)

    def _acted(self, event: Event) -> None:
        if self._store is not None:
            self._store.add([event])
        if event.kind == "guard":
            self._receive(GuardActed(event.step, event.text))

    def _lost(self) -> str:
        trace = self._read()
        findings = diagnose(trace, ignore=self._settings.ignore)
        return dead_start(trace, findings) or blown_up(trace, findings)

    def _stop(self, text: str) -> None:
        self.stop_because = self.stop_because or text


def _of_others(findings: Sequence[Finding]) -> list[str]:
    """What other processes found and this one did not, a line each."""
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() < 2:
        return []
    found: list[Any] = [None] * distributed.get_world_size()
    told = [(one.name, finding_line(one).plain) for one in findings if one.severity != "note"]
    with contextlib.suppress(Exception):  # a process that is gone already has told nothing
        distributed.all_gather_object(found, told)
    own, lines = {one.name for one in findings}, []
    for rank, theirs in enumerate(found):
        for name, line in theirs or ():
            if name not in own:
                own.add(name)
                lines.append(f"process {rank}: {line}")
    return lines


class BabysitCallback:
    """What the callbacks of all frameworks have in common.

    Args:
        stop: Whether to stop at a sick finding that stays: True at any, names only at these. With `preflight` a sick
            verdict is an error then.
        guard: As for `babysit.watch`: `off`, `stop` or `rollback`.
        preflight: Whether to check the training before its first step: True, or seconds that it may take. Everything is
            afterwards as it was.
        report: A file for the report, one HTML page; None writes none.
        ignore: Findings to ignore, by name.
        overhead: Share of the time that measuring may take; None measures often.
        keep: A file to keep the trace in, for `babysit diagnose`.
        notify: As for `babysit.watch`.
        guard_folder: As for `babysit.watch`.
        progress: Receives progress events; None writes lines on the standard error stream.

    Raises:
        InputError: An argument is not legal.
        MissingExtraError: The framework is not installed.
    """

    framework: ClassVar[str]

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make it one of the framework's own callbacks."""
        made: Self = object.__new__(_joined(cls))
        return made

    def __init__(
        self,
        *,
        stop: bool | Sequence[str] = False,
        guard: GuardMode = "off",
        preflight: bool | float = False,
        report: str | pathlib.Path | None = None,
        ignore: Sequence[str] = (),
        overhead: float | None = 0.01,
        keep: str | pathlib.Path | None = None,
        notify: NotifyLike | None = None,
        guard_folder: str | pathlib.Path = GUARD_FOLDER,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        check_guard(guard)
        check_names(ignore)
        if not isinstance(stop, bool):
            check_names(stop)
        if overhead is not None and not 0 < overhead <= 1:
            raise InputError(f"overhead is {overhead}", legal="above 0 and at most 1, or None")
        if preflight is not True and preflight < 0:
            raise InputError(f"preflight is {preflight}", legal="True, False, or seconds")
        if notify is not None:
            Notify(notify)
        # Under these names: what copies a callback, as scikit-learn does, makes a new one of its attributes. Those that
        # end with an underscore are of one training.
        self.stop, self.guard, self.preflight, self.report = stop, guard, preflight, report
        self.ignore, self.overhead, self.keep, self.notify = ignore, overhead, keep, notify
        self.guard_folder, self.progress = guard_folder, progress
        self.fit_: FitWatch | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, in this process or another, has the settings, and nothing of a training."""
        plain = next(one for one in type(self).__mro__ if "framework" in vars(one))
        return functools.partial(plain, **self.settings()), ()

    def settings(self) -> dict[str, Any]:
        """Its arguments."""
        names = "stop guard preflight report ignore overhead keep notify guard_folder progress".split()
        return {name: getattr(self, name) for name in names}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was wrong with the last training, causes first."""
        return () if self.fit_ is None else self.fit_.findings

    @property
    def verdict(self) -> CheckVerdict:
        """Of the last training: `sick`, `sound`, or `not judged` where it was not seen to learn."""
        return "not judged" if self.fit_ is None else self.fit_.verdict

    @property
    def trace(self) -> Trace:
        """What was measured in the last training."""
        return Trace() if self.fit_ is None else self.fit_.trace

    @property
    def stopped(self) -> str:
        """Why the last training was stopped; empty where it was not."""
        return "" if self.fit_ is None else self.fit_.stop_because

    @staticmethod
    def bases() -> tuple[type, ...]:
        """The framework's own classes to inherit from."""
        return ()

    def _new_fit(self) -> FitWatch:
        self._end_fit(finished=False)
        self.fit_ = FitWatch(self, self.framework)
        return self.fit_

    def _end_fit(self, *, finished: bool = True) -> None:
        if self.fit_ is not None:
            self.fit_.end(finished=finished)


_made: dict[tuple[type, ...], type] = {}


def _joined(plain: type[Any]) -> type[Any]:
    bases = tuple(one for one in plain.bases() if not issubclass(plain, one))
    if not bases:
        return plain
    names = {"__module__": plain.__module__, "__doc__": plain.__doc__, "__qualname__": plain.__qualname__}
    if (plain, *bases) not in _made:
        _made[plain, *bases] = type(plain.__name__, (plain, *bases), names)
    return _made[plain, *bases]


def missing(framework: str, extra: str) -> MissingExtraError:
    """That a framework is not installed."""
    return MissingExtraError(
        f"{framework} is not installed",
        cause="the callback is one of its own, and cannot be made without it",
        write=f"pip install 'babysit[{extra}]'",
    )
