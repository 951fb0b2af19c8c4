"""Processes that train members side by side: they are forked once, receive members as they are, and return them.

Threads of one interpreter wait for each other between any two calls of PyTorch. Of two stacks of 10 members with 100
units a layer, a member's step takes 125 microseconds one stack after the other, 90 in two threads, 65 in two processes;
of stacks of 30, 113, 80 and 68 (`benchmarks/side_by_side.py`). A forked process has rows, preprocessing and networks in
its memory, without a copy. Members travel through memory that both see, as the
bytes that a search keeps them as (`pack_members`: safetensors and JSON). All other messages are JSON. No pickle is
written or read.

Members change only when a helper's whole answer has arrived. So a helper that dies, hangs or raises an error costs only
time: this process does its job, and raises the error where it can be read.
"""

from __future__ import annotations

import collections
import gc
import json
import mmap
import multiprocessing
import os
import signal
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

import torch

from babysit.record import RunFolderError, from_json, to_json
from babysit.training._cohort_watch import CohortWatch
from babysit.training._layouts import ComputePlan
from babysit.training._phase import PhaseNumbers
from babysit.training._stacked_optimizer import STATES
from babysit.training._trial_alone import Look
from babysit.training._trial_member import Member, pack_members, unpack_members

Measured = dict[int, PhaseNumbers]
LOOK_EVERY = 0.1  # seconds between two tellings while helpers work
# Seconds of work from which a job is worth a process: to fork one takes 10 to 60 milliseconds, to hand over ten. Less
# is enough for one that is there and waits.
WORTH_A_PROCESS, WORTH_HANDING_OVER = 0.1, 0.04
# Seconds after which a helper hangs that has not said a word about its job, or not another word since: a step and a
# validation may take long.
SILENT, SILENT_SINCE = 60.0, 600.0
CPU = torch.device("cpu")
FORKS = sys.platform == "linux"  # where it is safe, as PyTorch's own DataLoader holds


@dataclass
class Job:
    """Members that are trained together, by whoever does it.

    Attributes:
        members: Where they stand.
        constants: What a constant answer costs each, on its training rows.
        plan: How they are computed.
        until: Steps that they are brought to.
    """

    members: list[Member]
    constants: list[float]
    plan: ComputePlan
    until: int

    def pack(self) -> bytes:
        """As bytes."""
        settings = {"constants": self.constants, "plan": to_json(self.plan), "until": self.until}
        return pack_members(self.members, settings)

    @classmethod
    def unpack(cls, content: bytes) -> Job:
        """What `pack` wrote down."""
        members, settings = unpack_members(content, CPU)
        return cls(members, settings["constants"], from_json(ComputePlan, settings["plan"]), settings["until"])


Train = Callable[[Job, Look], Measured]


class Helpers:
    """Some processes, forked when they are first needed.

    Args:
        train: What a process does with a job: brings its members up to date.
    """

    def __init__(self, train: Train) -> None:
        self._train = train
        self._idle: list[_Helper] = []
        self.usable = FORKS and not multiprocessing.current_process().daemon
        self._ended = weakref.finalize(self, _end_all, self._idle)

    def train(self, jobs: Sequence[Job], count: int, watch: CohortWatch) -> Measured:
        """Do jobs with at most `count` processes at a time; `watch` is called from this thread alone.

        Returns:
            What was measured of those that arrived. All members are up to date.
        """
        waiting = collections.deque(jobs)
        left: list[Job] = []
        busy: dict[Connection, tuple[_Helper, Job]] = {}
        found: Measured = {}
        told = time.monotonic()
        try:
            while (waiting and not watch.asked) or busy:
                while waiting and len(busy) < count and not watch.asked:
                    job = waiting.popleft()
                    helper = self._begin(job) if self.usable else None
                    if helper is None:
                        left.append(job)
                    else:
                        busy[helper.pipe] = helper, job
                for pipe in wait([*busy], LOOK_EVERY):
                    assert isinstance(pipe, Connection)
                    helper, job = busy[pipe]
                    if (answer := helper.hear(watch)) is None:
                        continue
                    del busy[pipe]
                    if isinstance(answer, _Failure):
                        left.append(job)
                        self._give_up(helper)
                    else:
                        found |= _taken_over(job, answer)
                        self._idle.append(helper)
                for pipe, (helper, job) in [*busy.items()]:
                    if helper.hangs:
                        del busy[pipe]
                        left.append(job)
                        self._give_up(helper)
                if time.monotonic() - told >= LOOK_EVERY or not busy:
                    watch.report()
                    told = time.monotonic()
                for helper, _ in busy.values():
                    helper.stop(watch.asked)
        finally:
            # After an error or a Ctrl-C: what they did is not taken over.
            for helper, _ in busy.values():
                helper.kill()

        def look(taken: list[tuple[int, int, float]]) -> bool:
            watch.look(taken)
            watch.report()
            return watch.asked

        for job in left:
            if not watch.asked:
                found |= self._train(job, look)
        return found

    def worth(self, seconds: float, most: int) -> int:
        """How many processes so much work is worth, at most so many; one or none is this one alone."""
        if not self.usable:
            return 1
        waiting = min(len(self._idle), int(seconds / WORTH_HANDING_OVER))
        return min(most, max(waiting, int(seconds / WORTH_A_PROCESS)))

    def _begin(self, job: Job) -> _Helper | None:
        """A process that has begun with the job; None when there is none to be had."""
        needed = _bytes_of(job)
        helper = next((one for one in self._idle if one.capacity >= needed), None)
        try:
            if helper is not None:
                self._idle.remove(helper)
            else:
                if self._idle:  # too small for this job
                    self._idle.pop(0).end()
                helper = _Helper(self._train, needed + needed // 2)
            helper.begin(job)
        except (OSError, MemoryError, AssertionError):  # no processes or memory left; a daemon may have no children
            if helper is not None:
                helper.kill()
            self.usable = False
            return None
        return helper

    def _give_up(self, helper: _Helper) -> None:
        """A machine on which one failed is not trusted with others."""
        helper.kill()
        self.usable = False

    def close(self) -> None:
        """End the processes; new ones are forked when there is something to do again."""
        _end_all(self._idle)


def _end_all(idle: list[_Helper]) -> None:
    while idle:
        idle.pop().end()


class _Failure:
    """In place of an answer: the process raised an error, or is gone."""


class _Answer(NamedTuple):
    """Members as they are now, and what was measured of those that arrived."""

    members: list[Member]
    measured: Measured


class _Helper:
    """One process, seen from the one that forked it.

    Args:
        train: What it does with a job.
        capacity: Bytes of the members that it can be given.
    """

    def __init__(self, train: Train, capacity: int) -> None:
        self.capacity = capacity
        self._told, self._said = mmap.mmap(-1, capacity), mmap.mmap(-1, capacity)
        self._asked = mmap.mmap(-1, 1)
        self.pipe, theirs = multiprocessing.Pipe()
        self._heard, self._spoke = 0.0, False
        context = multiprocessing.get_context("fork")
        self._process = context.Process(
            target=_serve,
            args=(train, theirs, self.pipe, self._told, self._said, self._asked, os.getpid()),
            daemon=True,
            name="babysit-helper",
        )
        with warnings.catch_warnings():
            # Python warns of every fork beside threads since 3.12: here the child computes with one thread, and a child
            # that hangs nevertheless is noticed.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()

    def begin(self, job: Job) -> None:
        """Hand over a job."""
        self._asked[0] = 0
        self._heard, self._spoke = time.monotonic(), False
        self.pipe.send_bytes(_write(self._told, job.pack()))

    def hear(self, watch: CohortWatch) -> _Answer | _Failure | None:
        """What it says next; None when that was no answer yet."""
        try:
            said = json.loads(self.pipe.recv_bytes())
            self._heard, self._spoke = time.monotonic(), True
            if "looks" in said:
                watch.look([(trial, steps, loss) for trial, steps, loss in said["looks"]], said["failed"])
                return None
            members, measured = unpack_members(self._said[: said["size"]], CPU)
        except (EOFError, OSError, ValueError, RunFolderError):
            return _Failure()
        return _Answer(members, {int(number): PhaseNumbers(*numbers) for number, numbers in measured.items()})

    @property
    def hangs(self) -> bool:
        """Whether it was last heard of too long ago; asked of one that has a job."""
        return time.monotonic() - self._heard > (SILENT_SINCE if self._spoke else SILENT)

    def stop(self, asked: bool) -> None:
        """Whether it should stop between two steps."""
        self._asked[0] = asked

    def end(self) -> None:
        """While it is idle."""
        try:
            self.pipe.send_bytes(b"")
            self.pipe.close()
        except OSError:
            pass  # it is gone
        self._process.join(1.0)
        self.kill()

    def kill(self) -> None:
        """At once."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self.pipe.close()


def _serve(
    train: Train, pipe: Connection, parents: Connection, told: mmap.mmap, said: mmap.mmap, asked: mmap.mmap, parent: int
) -> None:
    """What the process does until its parent is gone or ends it."""
    # Ctrl-C reaches every process of a terminal; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parents.close()
    gc.freeze()  # a collection would touch, and so copy, all of the parent's objects
    torch.set_num_threads(1)

    def orphaned() -> bool:
        return os.getppid() != parent

    try:
        while True:
            while not pipe.poll(1.0):
                if orphaned():
                    return
            content = pipe.recv_bytes()
            if not content:
                return
            job = Job.unpack(told[: int(content)])

            def look(taken: list[tuple[int, int, float]], job: Job = job) -> bool:
                failed = [member.trial.number for member in job.members if member.failed]
                pipe.send_bytes(json.dumps({"looks": taken, "failed": failed}).encode())
                return bool(asked[0]) or orphaned()

            measured = train(job, look)
            size = int(
                _write(said, pack_members(job.members, {str(number): numbers for number, numbers in measured.items()}))
            )
            pipe.send_bytes(json.dumps({"size": size}).encode())
    except (EOFError, OSError):
        return  # the parent is gone
    except Exception:
        # The parent does the job again, and raises what is wrong with it where it can be read.
        return


def _write(memory: mmap.mmap, content: bytes) -> bytes:
    """Put something there, and say how long it is."""
    if len(content) > len(memory):
        raise MemoryError("members take more memory than was set aside for them")
    memory[: len(content)] = content
    return str(len(content)).encode()


def _taken_over(job: Job, answer: _Answer) -> Measured:
    for member, trained in zip(job.members, answer.members, strict=True):
        kept = {"trial": member.trial, "score": member.score}
        vars(member).update({**vars(trained), **kept})
    return answer.measured


def _bytes_of(job: Job) -> int:
    """That a job's members take at most, before and after it."""
    total = 2**16
    for member in job.members:
        states = 1 + len(STATES[member.trial.recipe.optimizer.name])
        own = sum(value.nbytes for value in member.network.values())
        total += (states + 1) * own + sum(value.nbytes for value in member.best.values()) + 2**14
    return total
