"""`babysit` on machines that fail: processes forked from one that has loaded everything, with faults, limits, signals.

The server is a program of its own, so that it can be started with a library in front of the C library's writes.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import importlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

SOURCE = pathlib.Path(__file__).with_name("faults.c")
MODES = {"count": 0, "fail": 1, "full": 2, "kill": 3, "tear": 4}
NOBODY = 65534
WARM_UP = (
    ["fit", "iris", "--seconds", "0", "--set", "epochs=1", "--out"],
    ["tune", "iris", "--trials", "2", "--winners", "1", "--repeats", "1", "--set", "epochs=1", "--out"],
    ["explain", "relu", "--report"],
)
SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


@dataclass(frozen=True)
class Fault:
    """Of the n-th write, fsync, rename or truncation in a folder: `fail` once, `full` from there on, `kill`, `tear`."""

    folder: str
    number: int = 0
    mode: str = "count"
    error: int = 28  # ENOSPC


@dataclass(frozen=True)
class Job:
    """One command, and the machine it runs on."""

    arguments: Sequence[str]
    folder: str = "."
    fault: Fault | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)  # resources by name, such as RLIMIT_NOFILE
    memory: int | None = None  # bytes beyond what the process has
    nobody: bool = False  # runs as a user who owns nothing
    out: str | None = None  # a file for the standard output
    closed: Sequence[int] = ()  # descriptors that are closed
    signals: Sequence[tuple[float, int]] = ()  # seconds after the beginning, and which
    seconds: float = 120.0
    call: str | None = None  # MODULE:FUNCTION, called in the place of the command line with the arguments


@dataclass(frozen=True)
class Done:
    """How it ended."""

    code: int
    out: str
    err: str
    calls: int  # writes and the like beneath the folder
    seconds: float


class Machine:
    """A server that forks."""

    def __init__(self, *, faults: bool = False) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._library = None
        if faults:
            self._library = pathlib.Path(tempfile.mkdtemp()) / "faults.so"
            command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE), "-ldl"]
            subprocess.run(command, check=True)
            environment["LD_PRELOAD"] = environment["BABYSIT_FAULTS"] = str(self._library)
        root = pathlib.Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fire.machine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=root,
        )

    def run(self, *arguments: str, **options: Any) -> Done:
        """Run one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(Job(arguments, **options))) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the server has died"
        return Done(**json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _serve() -> None:

    codecs.lookup("cp437")  # zipfile's, which a process without rights could not load
    import babysit.api
    import babysit.cli
    import babysit.data
    import babysit.search  # noqa: F401, everything is loaded once

    # What the first commands load is loaded here, once, and by name: a process that trained has threads, and no fork.
    with tempfile.TemporaryDirectory() as folder:
        for place, command in enumerate(WARM_UP):
            _waited(_forked(Job([*command, f"{folder}/{place}"], call="tests.fire.machine:tell_modules"), folder))
        names = pathlib.Path(folder, "out").read_text().splitlines()
    for name in dict.fromkeys(line.removeprefix("module ") for line in names if line.startswith("module ")):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for line in sys.stdin:
        content = json.loads(line)
        fault = content.pop("fault")
        job = Job(**content, fault=None if fault is None else Fault(**fault))
        with tempfile.TemporaryDirectory(prefix="machine-") as folder:
            os.chmod(folder, 0o777)
            began = time.monotonic()
            child = _forked(job, folder)
            for after, number in job.signals:
                time.sleep(max(0.0, began + after - time.monotonic()))
                if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    os.kill(child, number)
            code = _waited(child, job.seconds)
            texts = {
                name: pathlib.Path(folder, name).read_text(errors="backslashreplace")
                for name in ("out", "err", "calls")
                if pathlib.Path(folder, name).exists()
            }
        done = Done(
            code, texts.get("out", ""), texts.get("err", ""), int(texts.get("calls") or 0), time.monotonic() - began
        )
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
        sys.stdout.flush()


def tell_modules(*arguments: str) -> int:
    """Carry out a command, and print the modules that are loaded then."""
    from babysit.cli import run

    code = run([*arguments])
    for name in list(sys.modules):
        print(f"module {name}")
    return code


def _waited(child: int, seconds: float = 120.0) -> int:
    """Its exit code, negative for a signal's; -1000 where it was still running and had to be ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1000


def _forked(job: Job, folder: str) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child is what it is to be
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return child
    code = 99
    try:
        code = _in_child(job, folder)
    except KeyboardInterrupt:  # before the command began
        code = 130
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code)
    return 0


def _end(code: int) -> None:
    """As Python ends a process, without what belongs to the server."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = 120  # as Python does
    os._exit(code)


def _in_child(job: Job, folder: str) -> int:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(job.out or f"{folder}/out", flags if job.out is None else os.O_WRONLY, 0o666), 1)
    os.dup2(os.open(f"{folder}/err", flags, 0o666), 2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for name, value in job.environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None
    os.chdir(job.folder)
    sys.argv = ["babysit", *job.arguments]
    counted = os.open(f"{folder}/calls", flags, 0o666)
    if job.nobody:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    library = ctypes.CDLL(os.environ["BABYSIT_FAULTS"]) if "BABYSIT_FAULTS" in os.environ else None
    for name, most in job.limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))
    if job.memory is not None:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + job.memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for descriptor in job.closed:
        os.close(descriptor)
        if descriptor == 1:
            sys.stdout = None
    if library is not None and job.fault is not None:
        error, mode = job.fault.error, MODES[job.fault.mode]
        library.faults_arm(job.fault.folder.encode(), job.fault.number, mode, error)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        if job.call is not None:
            module, _, function = job.call.partition(":")
            return int(getattr(importlib.import_module(module), function)(*job.arguments) or 0)
        from babysit.cli import main

        main(list(job.arguments))
    finally:
        if library is not None:
            os.write(counted, str(library.faults_done()).encode())


if __name__ == "__main__":
    _serve()
