"""Examination: what the steps of a pre-flight share: the subject, its time, one watched training."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from babysit.diseases import DISEASES, diagnose
from babysit.record import (
    BabysitError,
    Event,
    Finding,
    InputError,
    OutOfTimeError,
    PreFlightStep,
    RehearsalError,
    Remedy,
    Row,
    Trace,
)
from babysit.rehearsal._live_dependence import live_dependence
from babysit.rehearsal._look_at_rows import RowsSeen, look_at_rows
from babysit.rehearsal._restore import restored
from babysit.rehearsal._row_mixing import row_mixing
from babysit.rehearsal._subject import CHECK_SECONDS, Ask, LiveParts, Probes, Subject
from babysit.remedies import REMEDIES

WATCHED_STEPS = 200  # enough for the dynamics' first signs, and for units to show whether they live
# Shares of the time limit, at most; small networks need less.
WATCHED_SHARE, ROWS_SHARE = 0.25, 0.1
DEPENDENCE_STEPS = 4
# The tiny batch: how long it may be trained on, and without what.
TINY = 20  # examples; CS231n lecture 6
TINY_STEPS = 600  # sound networks at sound rates need 15 to 300 on digits
TINY_SHARE = 0.2  # of the check's time, for the first attempt
TINY_BATCH = Remedy("tiny-batch", str(TINY))
PLAIN = tuple(Remedy(kind.name, kind.off) for kind in REMEDIES.values() if kind.too_strong)
WHOLE_UNTIL = 0.65  # of the time limit: what runs beside it, and what a first process needs to begin, are in it
WHOLE_SHARE = 0.5  # of a script, which is watched to its end where there is time: its evaluations come there


class Examination:
    """What the steps of a pre-flight share.

    Args:
        subject: What is checked; afterwards as it was.
        seconds: Time limit of all steps together.
        steps: Of the watched training, at most.
        seed: Of every rehearsal.
        ignore: Findings to ignore.
        ahead: Whether the tiny batch is rehearsed beside the watched training, where two run at a time.
        found: Receives the findings of the watched training while it runs.

    Example:
        >>> import torch
        >>> from babysit.rehearsal import LiveObjects, check_initial_loss
        >>> batches = [(torch.randn(32, 4), torch.randint(0, 3, (32,))) for _ in range(4)]
        >>> net = torch.nn.Linear(4, 3)
        >>> subject = LiveObjects(net, torch.nn.CrossEntropyLoss(), batches, lambda p: torch.optim.Adam(p))
        >>> check_initial_loss(Examination(subject, steps=5)).verdict
        'pass'
    """

    def __init__(
        self,
        subject: Subject,
        *,
        seconds: float = CHECK_SECONDS,
        steps: int = WATCHED_STEPS,
        seed: int = 0,
        ignore: Collection[str] = (),
        ahead: bool = False,
        found: Callable[[Sequence[Finding]], object] = len,
    ) -> None:
        self.subject = subject
        self.seconds = seconds
        self.steps = steps
        self.seed = seed
        self.ignore = tuple(ignore)
        self.watched_seconds = 0.0
        self.ahead = ahead and subject.jobs > 1 and not subject.has_live_parts
        self._found = found
        self._known: dict[Ask, Trace] = {}  # what was rehearsed beside the watched training
        self._began = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the time limit."""
        return max(0.0, self.seconds - (time.monotonic() - self._began))

    @property
    def no_time(self) -> str:
        """Why a step is left out when the time is over."""
        return f"no time was left of the {self.seconds:g} s that the check may take (--seconds gives it more)"

    @functools.cached_property
    def live(self) -> LiveParts:
        """The live parts, of a subject that has them."""
        return self.subject.live_parts()

    @functools.cached_property
    def watched(self) -> Trace:
        """A short training as it is, its first steps measured one by one."""
        start = time.monotonic()
        share = WHOLE_SHARE if self.subject.own_end else WATCHED_SHARE
        if self.subject.own_end:
            found = self._watched_and_tested(share * self.seconds)
        else:
            found = self._with_live_dependence(self.rehearsed(self.steps, seconds=share * self.seconds))
        self.watched_seconds = time.monotonic() - start
        return found

    @property
    def watched_so_far(self) -> Trace:
        """What was watched; nothing where it did not come to that."""
        found = self.__dict__.get("watched")
        return found if isinstance(found, Trace) else Trace()

    @property
    def trace_so_far(self) -> Trace:
        """Everything that was measured by now, and nothing more is."""
        found = self.__dict__.get("trace")
        return found if isinstance(found, Trace) else self.watched_so_far

    def _with_live_dependence(self, watched: Trace) -> Trace:
        """The training, and what the live parts show of what depends on what."""
        if not self.subject.has_live_parts or watched.happened("failed") or not self.left:
            return watched
        with self.as_before():
            tested = live_dependence(self.live, seed=self.seed, seconds=ROWS_SHARE * self.left)
        return with_dependence(watched, tested)

    def _watched_and_tested(self, seconds: float) -> Trace:
        """The training, and beside it its first steps, in which is tested what depends on what."""
        whole = Ask(self.steps, (), self.seed, "start", seconds)
        tested = Ask(DEPENDENCE_STEPS, (), self.seed, "dependence", seconds)
        asks = [whole, tested]
        if self.ahead:
            asks.append(Ask(TINY_STEPS, (TINY_BATCH, *PLAIN), self.seed, "losses", TINY_SHARE * self.seconds))
        until = max(1.0, WHOLE_UNTIL * self.seconds - (time.monotonic() - self._began))
        found, looked_at, *more_found = self.subject.rehearse_all(asks, seconds=until, look=self._look)
        for ask, one in zip(asks[2:], more_found, strict=True):
            if not isinstance(one, InputError | OutOfTimeError):
                self._known[self._key(ask)] = _trace_of(one)
        if isinstance(found, RehearsalError):
            found = _trace_of(found)
        elif not isinstance(found, Trace):
            raise found
        return with_dependence(found, looked_at)

    def _look(self, trace: Trace) -> None:
        """Tell what a training that still runs shows by now."""
        self._found(diagnose(trace, ignore=self.ignore))

    def rehearsed(self, steps: int, *remedies: Remedy, seconds: float, losses_only: bool = False) -> Trace:
        """A rehearsal, which may fail: the trace then ends with the event `failed`."""
        probes: Probes = "losses" if losses_only else "start"
        known = self._known.get(self._key(Ask(steps, remedies, self.seed, probes)))
        if known is not None:
            return known
        try:
            return self.subject.rehearse(steps, remedies, seed=self.seed, probes=probes, seconds=seconds)
        except RehearsalError as error:
            return _trace_of(error)

    @staticmethod
    def _key(ask: Ask) -> Ask:
        """The same for asks that differ in their time limits alone."""
        return dataclasses.replace(ask, seconds=None)

    @property
    def fails(self) -> bool:
        """Whether the training fails by an error."""
        return bool(self.watched.happened("failed"))

    @functools.cached_property
    def rows_seen(self) -> RowsSeen | None:
        """All rows gone through once; None where there are none to be had."""
        if not self.subject.has_live_parts or not self.live.epoch_steps:
            return None
        steps = self.watched.series("loss").steps
        width = self.watched.series("width", layer="(outputs)").values
        with self.as_before():
            return look_at_rows(
                self.live,
                (steps[-1] + 1) if steps else 0,
                seconds=ROWS_SHARE * self.seconds,
                width=int(width[-1]) if width else 0,
                seed=self.seed,
            )

    @functools.cached_property
    def mixing(self) -> float | None:
        """How far rows change each other's answers; None where that cannot be measured."""
        if not self.subject.has_live_parts or self.fails:
            return None
        with self.as_before():
            return row_mixing(self.live, self.seed)

    @functools.cached_property
    def trace(self) -> Trace:
        """Everything measured: the watched training, all rows, whether they mix."""
        rows = list(self.watched.rows)
        if self.rows_seen is not None:
            rows += [row for row in self.rows_seen.rows if isinstance(row, Row)]
        if self.mixing is not None:
            rows.append(Row(0, "train", "(outputs)", "row-mixing", self.mixing))
        return dataclasses.replace(self.watched, rows=tuple(rows))

    @functools.cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the watched training and the rows show, causes first."""
        return tuple(diagnose(self.trace, ignore=self.ignore))

    def of_groups(self, groups: Collection[str], without: Collection[str] = ()) -> list[Finding]:
        """Findings of some groups of the catalogue."""
        return [one for one in self.findings if DISEASES[one.name].group in groups and one.name not in without]

    def named(self, names: Collection[str]) -> list[Finding]:
        """Findings of these names."""
        return [one for one in self.findings if one.name in names]

    @contextlib.contextmanager
    def as_before(self) -> Iterator[None]:
        """Within it the live parts may be worked on; afterwards they are as they were."""
        live = self.live
        with restored([live.network], live.optimizers, (), live.loaders):
            yield


def _trace_of(found: Trace | BabysitError) -> Trace:
    """What was measured until an error."""
    if isinstance(found, Trace):
        return found
    trace = getattr(found, "trace", None)
    return trace if isinstance(trace, Trace) else Trace(events=(Event(0, "failed", str(found)),))


def with_dependence(watched: Trace, tested: Trace | BabysitError) -> Trace:
    """A watched training's trace, with what the test of its first steps has found."""
    if not isinstance(tested, Trace):
        return watched
    known = {(event.kind, event.text) for event in watched.events}
    of_it = [one for one in DISEASES.values() if one.group == "dependence"]
    shown = {name.removeprefix("event:") for one in of_it for name in one.reads}
    more = tuple(one for one in tested.events if one.kind in shown and (one.kind, one.text) not in known)
    rows = tuple(row for row in tested.rows if row.quantity.startswith("return-") or row.quantity == "row-mixing")
    return dataclasses.replace(watched, events=(*watched.events, *more), rows=(*watched.rows, *rows))


def skipped(name: str, why: str) -> PreFlightStep:
    """A step that was not done."""
    return PreFlightStep(name, "skip", why=why)
