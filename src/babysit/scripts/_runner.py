"""Runner: runs scripts in processes of their own, forked from one that has imported PyTorch (`_fork_server`).

Where processes cannot be forked, or a forked script dies of a signal (what it uses may not be fork-safe), or the server
itself is gone, scripts are started without a fork instead, and those that were running are begun again.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import math
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from babysit.scripts._messages import MessageReader, RunBegan, RunEnded, RunRequest, written
from babysit.training import FORKS

SERVER = pathlib.Path(__file__).with_name("_fork_server.py")
LOOK_EVERY = 0.05  # seconds
LEAST_SECONDS = 1.0  # of a script that is begun at all
KILLED_WITHIN = 10.0  # seconds; the server may be importing


class Started:
    """A script that was started.

    Attributes:
        request: What was asked for.
        process: Number of its process, which leads a group; None until it is known.
        code: Its exit code, or minus a signal's number; None while it runs.
        late: Whether it was killed because its time limit was over.
    """

    def __init__(self, runner: Runner, request: RunRequest) -> None:
        self._runner = runner
        self.request = request
        self.process: int | None = None
        self.code: int | None = None
        self.late = self.killed = False

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        self._runner.listen(0.0)
        return self.code

    def kill(self) -> None:
        """End it, and what it has started; wait until it has ended."""
        self.killed = True
        ends = time.monotonic() + KILLED_WITHIN
        while self.code is None and time.monotonic() < ends:
            if self.process is not None:
                end_group(self.process)
            self._runner.listen(LOOK_EVERY)


class Runner:
    """Runs scripts, each in a process of its own.

    Args:
        jobs: How many of `run_all`'s run at a time.
        environment: Of all of them; None takes this process's.

    Attributes:
        forks: Whether scripts are forked.
        servers: How many servers were started.

    Example:
        >>> with Runner() as runner:
        ...     runner.servers
        0
    """

    def __init__(self, jobs: int = 1, environment: Mapping[str, str] | None = None) -> None:
        self.jobs = jobs
        self.forks, self.servers = FORKS, 0
        self._environment = dict(os.environ if environment is None else environment)
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self._running: dict[int, Started] = {}
        self._alone: dict[int, tuple[subprocess.Popen[bytes], float]] = {}  # without a fork: process, time limit
        self._heard = MessageReader()

    def begin(self, request: RunRequest) -> Started:
        """Start one. What is not a file or a module (`-c`) is left to Python."""
        number = next(self._numbers)
        started = self._running[number] = Started(self, dataclasses.replace(request, number=number))
        self._start(started)
        return started

    def run_all(
        self,
        requests: Sequence[RunRequest],
        *,
        seconds: float | None = None,
        meanwhile: Callable[[Sequence[Started]], object] = len,
    ) -> list[Started]:
        """Run several to their ends, as many at a time as there are jobs; in their order.

        Args:
            requests: What to run.
            seconds: Time limit for all of them together. What has not begun by then is left out, and what is running is
                told to end by then.
            meanwhile: Called again and again with those that were begun.
        """
        until = math.inf if seconds is None else time.monotonic() + seconds
        found: list[Started] = []
        waiting = collections.deque(requests)
        try:
            while waiting or any(one.code is None for one in found):
                while waiting and sum(one.code is None for one in found) < self.jobs:
                    left = until - time.monotonic()
                    if left <= 0 and found:
                        waiting.clear()
                        break
                    found.append(self.begin(_ending(waiting.popleft(), until)))
                # Libraries that take hold of SIGINT (polars is one) let a blocked read go on: so it never blocks long.
                self.listen(LOOK_EVERY)
                meanwhile(found)
        except BaseException:
            self._shut()
            raise
        return found

    def listen(self, seconds: float) -> None:
        """Take note of those that have ended, for so long at most or until one has."""
        if self._alone:
            self._look_at_those_alone(seconds if self._server is None else 0.0)
        while self._server is not None:
            assert self._server.stdout is not None
            if not select.select([self._server.stdout], [], [], seconds)[0]:
                return
            piece = os.read(self._server.stdout.fileno(), 65536)
            if not piece:
                self._without_server()
                return
            for message in self._heard.feed(piece):
                if isinstance(message, RunBegan):
                    self._running[message.number].process = message.process
                elif isinstance(message, RunEnded):
                    self._ended(message)
            seconds = 0.0

    def close(self) -> None:
        """End all, and the server."""
        self.listen(0.0)
        self._shut()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, started: Started) -> None:
        request = started.request
        if not self.forks or not (request.module or request.target.endswith(".py")):
            self._start_alone(started)
            return
        if self._server is None:
            # A session of its own: Ctrl-C at the terminal reaches this process alone, which then ends the server.
            self._server = self._popen([str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._end_server = weakref.finalize(self, _end, self._server)
            self.servers += 1
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(written(request))
            self._server.stdin.flush()
        except OSError:
            self._without_server()

    def _start_alone(self, started: Started) -> None:
        request = started.request
        if request.watch is not None or (request.sandbox is not None and request.target != "-c"):
            command = [str(SERVER), written(request).decode()]
        else:
            command = [*(["-m"] if request.module else []), request.target, *request.arguments]
        with open(request.output, "ab") as output:
            process = self._popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=request.folder
            )
        self._alone[request.number] = process, request.deadline(time.monotonic())
        started.process = process.pid

    def _popen(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *command], env=self._environment, start_new_session=True, **options)

    def _look_at_those_alone(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            for number, (process, deadline) in [*self._alone.items()]:
                late = process.poll() is None and time.monotonic() > deadline
                if late:
                    end_group(process.pid)
                    process.wait()
                if process.returncode is not None:
                    end_group(process.pid)
                    self._ended(RunEnded(number, process.returncode, late))
            left = until - time.monotonic()
            if left <= 0 or not self._alone:
                return
            time.sleep(min(left, LOOK_EVERY))

    def _ended(self, message: RunEnded) -> None:
        started = self._running[message.number]
        forked = self._alone.pop(message.number, None) is None
        if forked and message.code < 0 and not message.late and not started.killed:
            # What it uses is not fork-safe, perhaps: it is begun again, as everybody begins it, and so are others.
            self.forks = False
            self._again(started)
            return
        del self._running[message.number]
        started.code, started.late = message.code, message.late

    def _without_server(self) -> None:
        """The server is gone: those that it was running are begun again without it."""
        lost = {number: one for number, one in self._running.items() if number not in self._alone}
        self.forks = False
        self._shut(lost)
        for started in lost.values():
            if started.killed:
                started.code = -signal.SIGKILL
            else:
                self._running[started.request.number] = started
                self._again(started)

    def _again(self, started: Started) -> None:
        request = started.request
        os.truncate(request.output, 0)
        kept = request.watch.kept if request.watch is not None else request.sandbox
        if kept is not None:  # empty again
            shutil.rmtree(kept, ignore_errors=True)
            os.makedirs(kept, exist_ok=True)
        self._start(started)

    def _shut(self, those: Mapping[int, Started] | None = None) -> None:
        """End some runs, or all of them, and the server."""
        ending = dict(self._running if those is None else those)
        server, self._server = self._server, None
        for number, started in ending.items():
            if started.process is not None:
                end_group(started.process)
            if number in self._alone:
                self._alone.pop(number)[0].wait()
            self._running.pop(number, None)
        if server is not None:
            # It may be importing, which is not waited for. Scripts whose processes are not known here it ends itself.
            if all(started.process is not None for started in ending.values()):
                server.kill()
            self._end_server()
        self._heard = MessageReader()


def _ending(request: RunRequest, until: float) -> RunRequest:
    """The request, of a watched run with the time at which it shall end."""
    if request.watch is None or math.isinf(until):
        return request
    until = max(until, time.monotonic() + LEAST_SECONDS)
    return dataclasses.replace(request, watch=dataclasses.replace(request.watch, until=until))


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server, which ends what it runs."""
    for pipe in (server.stdin, server.stdout):
        with contextlib.suppress(OSError):  # a request that nobody reads any more
            if pipe is not None:
                pipe.close()
    server.terminate()
    try:
        server.wait(KILLED_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def end_group(group: int) -> None:
    """Kill a process that leads a group, and what it has started; one that is gone is not a mistake."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
