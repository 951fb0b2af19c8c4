"""watch: any PyTorch training loop, observed and diagnosed while it runs."""

from __future__ import annotations

import contextlib
import pathlib
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from types import TracebackType
from typing import Literal, Self

from rich.console import Group, RenderableType
from rich.text import Text
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.adapters import Sinks
from babysit.api._result import Result, trace_picture
from babysit.diseases import Repeatedly, check_names, diagnose
from babysit.probes import Observer
from babysit.record import (
    FACTS,
    Diagnosis,
    Event,
    Finding,
    FindingsChanged,
    GuardActed,
    Histogram,
    InputError,
    NotFiniteError,
    Progress,
    ProgressEvent,
    Row,
    Trace,
    TraceLayer,
    TraceStore,
    silent,
)
from babysit.reports import FindingLines, Notify, NotifyLike, findings_renderable, render_trace_page, trace_headline
from babysit.training import GUARD_FOLDER, Guard, GuardMode, blown_up, check_guard, dead_start, plain_optimizer

OnNotFinite = Literal["go-on", "stop", "raise"]


class _Stop(Exception):  # noqa: N818  no error: it ends the block that is watched
    """Ends the block under `watch` at a loss that is NaN or infinite, or where its guard stops it."""


class Watch(Result):
    """What `watch` gives: the training's trace and its findings, while it runs and after it.

    Use it as a context manager; the training happens inside. Findings go to `progress` as they are made.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[Optimizer],
        *,
        overhead: float | None,
        ignore: Sequence[str],
        on_not_finite: OnNotFinite,
        progress: Progress,
        keep: pathlib.Path | None,
        guard: GuardMode,
        guard_folder: pathlib.Path,
        notify: Notify | None,
        sinks: Sinks | None,
    ) -> None:
        self._store = TraceStore(keep)
        weakref.finalize(self, self._store.close)  # where the block is never entered
        self._ended: Trace | None = None
        self._ignore = tuple(ignore)
        self._on_not_finite = on_not_finite
        self._notify = notify
        self._sinks = sinks
        self._progress = progress if notify is None else _Both(progress, notify)
        self._repeatedly = Repeatedly(self._read, self._found, ignore=self._ignore)
        sink = _Telling(self._store, self._more)
        self._observer = Observer(network, optimizers, sink, overhead=overhead, on_not_finite=self._not_finite)
        self._guard: Guard | None = None
        if guard != "off":
            self._guard = Guard(
                network,
                optimizers,
                mode=guard,
                folder=guard_folder,
                tell=self._acted,
                look=self._lost,
                stop=self._end_block,
                together=isinstance(network, nn.parallel.DistributedDataParallel),
            )
        self._active = False

    def __enter__(self) -> Self:
        self._refuse_after_the_end()
        self._active = True
        self._observer.attach()
        if self._guard is not None:
            self._guard.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._active = False
        if self._guard is not None:
            self._guard.end(keep=error is not None)
        self._observer.detach()
        self._ended = self._read()
        self._store.close()
        if self._listens:
            self._found(self.trace, list(self.findings))
        if self._sinks is not None:
            self._sinks.close()
        if self._notify is not None:
            self._notify.wait()
        return isinstance(error, _Stop)

    def loss(self, value: Tensor | float) -> Tensor | float:
        """Give the step's loss, where it is not the tensor that `backward` is called on. Returns it.

        Call it before `backward`.
        """
        self._observer.loss(value)
        return value

    def evaluated(self, *, phase: Literal["train", "validation"] = "validation", **numbers: float) -> None:
        """Tell how an evaluation came out, so that overfitting and the like can be seen.

        Args:
            phase: On which rows, measured in evaluation mode.
            **numbers: `loss` (mean over the rows), `accuracy` (share), `r2`.

        Raises:
            InputError: An unknown number, or the block has ended.
        """
        self._refuse_after_the_end()
        names = {"loss": "data-loss", "accuracy": "accuracy", "r2": "r2"}
        unknown = sorted(set(numbers) - set(names))
        if unknown:
            raise InputError(f"an evaluation has no {unknown[0]}", legal=", ".join(names))
        step = max(0, self._observer.step)
        self._store.add([Row(step, phase, "", names[name], float(value)) for name, value in numbers.items()])

    def describe(self, facts: Mapping[str, str]) -> None:
        """Tell what holds for the whole training, such as `{"epochs": "20"}`.

        Raises:
            InputError: There is no such fact (`babysit.record.FACTS` lists them), or the block has ended.
        """
        self._refuse_after_the_end()
        unknown = sorted(set(facts) - set(FACTS))
        if unknown:
            raise InputError(f"there is no fact '{unknown[0]}'", legal=", ".join(FACTS))
        self._store.describe(facts=facts)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong by now, causes first."""
        return tuple(diagnose(self.trace, ignore=self._ignore))

    @property
    def trace(self) -> Trace:
        """What was measured by now."""
        if self._ended is not None:
            return self._ended
        if self._active:
            self._observer.flush()
        return self._read()

    def last_good(self) -> dict[str, Tensor] | None:
        """A state dict from before the last measured step whose loss was a number; None before the first.

        `network.load_state_dict(w.last_good())` takes a training back to before it broke.
        """
        return self._observer.last_good()

    @property
    def stopped(self) -> str:
        """Why the guard stopped the training; empty where it did not."""
        return "" if self._guard is None else self._guard.stopped

    @property
    def kept(self) -> pathlib.Path | None:
        """The file with the guard's last good weights (`network.NAME`) and optimizer state, if there is one."""
        return None if self._guard is None else self._guard.kept

    def _record(self) -> Diagnosis:
        return Diagnosis(self.findings)

    def _title(self) -> str:
        return trace_headline(self.trace, self.findings)

    def _picture(self) -> str:
        return trace_picture(self.trace)

    def _page(self, command: str = "") -> str:
        return render_trace_page(self.trace, self.findings)

    def __rich__(self) -> RenderableType:
        trace, findings = self.trace, self.findings
        return Group(Text(trace_headline(trace, findings)), findings_renderable(findings))

    def _more(self) -> None:
        if self._active and self._listens:
            self._repeatedly.when_due()

    @property
    def _listens(self) -> bool:
        """Whether somebody is told while it runs."""
        return self._progress is not silent or self._sinks is not None

    def _refuse_after_the_end(self) -> None:
        if self._ended is not None:
            raise InputError(
                "the training that was watched has ended",
                cause="what is kept of it is closed when the `with` block ends",
                write="with babysit.watch(model, optimizer) as w: (the training, and what is said of it, inside)",
            )

    def _read(self) -> Trace:
        self._store.flush()
        return self._store.read()

    def _found(self, trace: Trace, findings: list[Finding]) -> None:
        self._progress(FindingsChanged(tuple(findings)))
        if self._sinks is not None:
            self._sinks.update(trace, findings)

    def _lost(self) -> str:
        """Why the training is lost by what was found; empty where it is not."""
        trace = self.trace
        findings = diagnose(trace, ignore=self._ignore)
        return dead_start(trace, findings) or blown_up(trace, findings)

    def _acted(self, event: Event) -> None:
        self._store.add([event])
        self._progress(GuardActed(event.step, event.text))

    def _end_block(self, text: str) -> None:
        raise _Stop(text)

    def _not_finite(self, step: int, loss: float, layer: str, sentence: str) -> None:
        text = f"the loss became {loss} at step {step}: {sentence}"
        if self._on_not_finite == "raise":
            raise NotFiniteError(text, write="w.last_good() holds the weights from before")
        if self._on_not_finite == "stop":
            raise _Stop(text)


class _Both:
    """Two that receive progress."""

    def __init__(self, first: Progress, second: Progress) -> None:
        self._first, self._second = first, second

    def __call__(self, event: ProgressEvent, /) -> None:
        self._first(event)
        self._second(event)


class _Telling:
    """A sink that keeps what is measured, and says when there is more."""

    def __init__(self, store: TraceStore, more: Callable[[], None]) -> None:
        self._store = store
        self._more = more

    def add(self, items: Iterable[Row | Histogram | Event]) -> None:
        """Keep it."""
        self._store.add(items)
        self._more()

    def describe(self, layers: Iterable[TraceLayer] = (), facts: Mapping[str, str] | None = None) -> None:
        """Keep it."""
        self._store.describe(layers, facts)


def watch(
    network: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    *,
    overhead: float | None = 0.01,
    ignore: Sequence[str] = (),
    on_not_finite: OnNotFinite = "go-on",
    progress: Progress | None = None,
    keep: str | pathlib.Path | None = None,
    loader: object = None,
    guard: GuardMode = "off",
    guard_folder: str | pathlib.Path = GUARD_FOLDER,
    notify: NotifyLike | None = None,
    sinks: Sequence[str] = (),
) -> Watch:
    """Watch a training: measure it, say what is wrong while it runs, and stay out of its way.

    Weights, buffers and random numbers are bit for bit what they would be without it.

    Args:
        network: What is trained.
        optimizer: What steps it; several in a list.
        overhead: Share of the training's time that may be spent on measuring after the first ten steps, which are
            always measured; None measures every step.
        ignore: Findings to ignore, by name.
        on_not_finite: At the first loss that is NaN or infinite: `go-on`, `stop` (the block ends, without an error) or
            `raise` NotFiniteError. With `stop` and `raise` the step is not taken; `last_good()` has the weights from
            before.
        progress: Receives progress events, `FindingsChanged` about once a second; None writes each finding as a line on
            the standard error stream, once.
        keep: A file to keep the trace in, for `babysit diagnose`; None keeps it in memory.
        loader: The training's DataLoader, for its numbers of rows and batches; nothing is read from it.
        guard: What to do once the training is lost (weights that are NaN, a loss that exploded, a start that never
            learns): `off` nothing; `stop` puts the last good weights and optimizer state back and ends the block,
            without an error; `rollback` puts them back and goes on at a tenth of the rate, three times at most, then
            stops. Either is told in the trace, and `stopped` and `kept` say why and where. Until the guard acts,
            weights are what they would be without it.
        guard_folder: Where the guard keeps the last good state, in a folder for each training. It is deleted at the
            end where it was not needed.
        notify: Told of sick findings and of what the guard did: a command that gets the message as its last argument, a
            web address that gets it as JSON, or a function.
        sinks: Trackers that get what is measured and found while it runs: `tensorboard:FOLDER`, `mlflow:ADDRESS`,
            `wandb:PROJECT`, `trackio:PROJECT`; what stands behind the colon may be left out. A run of theirs that is
            under way is used.

    Raises:
        InputError: The network or an optimizer cannot be watched, or an argument is not legal.

    Example:
        >>> import torch
        >>> net = nn.Linear(4, 2)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> inputs, labels = torch.randn(32, 4), torch.randint(0, 2, (32,))
        >>> with watch(net, optimizer, progress=lambda event: None) as w:
        ...     for step in range(5):
        ...         optimizer.zero_grad()
        ...         torch.nn.functional.cross_entropy(net(inputs), labels).backward()
        ...         optimizer.step()
        >>> [finding.name for finding in w.findings if finding.severity == "sick"]
        []
    """
    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
    check_guard(guard)
    _check(network, optimizers, overhead, on_not_finite)
    check_names(ignore)
    path = pathlib.Path(keep) if keep is not None else None
    receive = FindingLines() if progress is None else progress
    watching = Watch(
        network,
        [plain_optimizer(one) for one in optimizers],
        overhead=overhead,
        ignore=ignore,
        on_not_finite=on_not_finite,
        progress=receive,
        keep=path,
        guard=guard,
        guard_folder=pathlib.Path(guard_folder),
        notify=None if notify is None else Notify(notify),
        sinks=Sinks(sinks) if sinks else None,
    )
    watching.describe(_facts(loader))
    return watching


def _facts(loader: object) -> dict[str, str]:
    """Rows and batches of a DataLoader, as far as it knows them."""
    found = {}
    for name, counted in (("rows", getattr(loader, "dataset", None)), ("steps-per-epoch", loader)):
        if isinstance(counted, Sized):
            with contextlib.suppress(TypeError):  # a stream of rows does not know how many there are
                found[name] = str(len(counted))
    return found


def _check(network: object, optimizers: Sequence[object], overhead: float | None, on_not_finite: str) -> None:
    if not isinstance(network, nn.Module):
        raise InputError(f"a {type(network).__name__} cannot be watched", legal="a torch.nn.Module")
    for optimizer in optimizers:
        if not isinstance(optimizer, Optimizer):
            raise InputError(f"a {type(optimizer).__name__} is not an optimizer", legal="torch.optim.Optimizer")
    if not optimizers:
        raise InputError("no optimizer was given", write="babysit.watch(model, optimizer)")
    if overhead is not None and not 0 < overhead <= 1:
        raise InputError(f"overhead is {overhead}", legal="above 0 and at most 1, or None to measure every step")
    if on_not_finite not in ("go-on", "stop", "raise"):
        raise InputError(f"on_not_finite is '{on_not_finite}'", legal="go-on, stop, raise")
