"""Scripts that run one after the other, each in a process of its own that need not import PyTorch again."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import select
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence

from babysit.scripts._starter import end_group
from babysit.training import FORKS

STARTER = pathlib.Path(__file__).with_name("_starter.py")
LOST = -1000  # in place of an exit code: nobody knows how it ended
LOOK_EVERY = 0.05  # seconds
KILLED_WITHIN = 10.0  # seconds; it may be importing


class Started:
    """A script that was started.

    Attributes:
        pid: Of the process, which leads a group; None until it is known.
        returncode: Its exit code, minus a signal's number, or `LOST`; None while it runs.
    """

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self.pid: int | None = None
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        self._starter.listen(0.0)
        return self.returncode

    def kill(self) -> None:
        """End it, and what it has started; wait until it has ended."""
        ends = time.monotonic() + KILLED_WITHIN
        while self.returncode is None and time.monotonic() < ends:
            if self.pid is not None:
                end_group(self.pid)
            self._starter.listen(LOOK_EVERY)


class Starter:
    """Does what `python ARGUMENTS` does, by forking a process that has imported what such scripts import.

    Args:
        environment: Of all of them.

    Example:
        >>> with Starter(os.environ) as starter:
        ...     starter.usable
        True
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self._running: dict[int, Started] = {}
        self._heard = b""
        self.usable = FORKS

    def begin(self, arguments: Sequence[str], output: str) -> Started:
        """Start one, in this process's folder.

        Args:
            arguments: A script and its arguments, or -m and a module.
            output: File of what it prints.
        """
        number = next(self._numbers)
        started = self._running[number] = Started(self)
        if self._process is None:
            # A session of its own: Ctrl-C at the terminal reaches whoever waits here, who then ends it.
            self._process = subprocess.Popen(
                [sys.executable, str(STARTER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
            self._ended = weakref.finalize(self, _end, self._process)
        self._ask({"id": number, "arguments": [*arguments], "output": output, "folder": os.getcwd()})
        return started

    def listen(self, seconds: float) -> None:
        """Take note of who has ended, for so long at most or until somebody has."""
        if self._process is None:
            return
        assert self._process.stdout is not None
        while select.select([self._process.stdout], [], [], seconds)[0]:
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                self._give_up()
                return
            *lines, self._heard = (self._heard + read).split(b"\n")
            for line in lines:
                told = json.loads(line)
                started = self._running[told["id"]]
                if "pid" in told:
                    started.pid = told["pid"]
                else:
                    started.returncode = told["code"]
                    del self._running[told["id"]]
            seconds = 0.0

    def close(self) -> None:
        """End all, and the process that starts them."""
        self.listen(0.0)
        self._shut()

    def _shut(self) -> None:
        process, self._process = self._process, None
        for started in self._running.values():
            if started.pid is not None:
                end_group(started.pid)
        if process is not None:
            # It may be importing, and nobody is left to wait for that; but what nobody knows of it has to end itself.
            if all(started.pid is not None for started in self._running.values()):
                process.kill()
            self._ended()
        self._running.clear()
        self._heard = b""

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Mapping[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """The process is gone: so are those that it had started, and others are started otherwise."""
        lost = [*self._running.values()]
        self.usable = False
        self._shut()
        for started in lost:
            started.returncode = LOST


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process that starts others; without an input it ends them, too."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # a request that nobody reads any more
            if pipe is not None:
                pipe.close()
    try:
        process.wait(KILLED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
