"""Jobs: commands that go on in the background, in a folder each: what was asked, the news, the answer and the end.

A job is a process in a session of its own, so that it survives the terminal. It holds a lock as long as it lives: the
system lets go of it however the process ends, so that a job that was killed is never taken for one that runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from babysit.record import InputError, JobAnswer, JobState, hide_arguments, storage_error, write_atomic

FOLDER = "BABYSIT_JOBS"  # in the environment: where jobs are kept
KEPT_DAYS = 7.0  # after its end; the next job that is begun takes older ones away
STOP_SECONDS = 20.0  # what a job that is told to stop may take to write down what it knows
LOOK_EVERY = 0.2  # seconds
ASKED, LOCK, NEWS, TEXT, ANSWER, CODE = "asked.json", "lock", "news.txt", "answer.txt", "answer.json", "code"
_NAME = re.compile(r"[a-z-]+-[0-9a-f]{6}")
KILLED = -1  # the exit code that a job leaves that is killed: none


@dataclass(frozen=True)
class BackgroundJob:
    """A command in the background.

    Attributes:
        path: Its folder.
    """

    path: pathlib.Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    @property
    def runs(self) -> bool:
        """Whether its process lives."""
        try:
            with (self.path / LOCK).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    @property
    def code(self) -> int:
        """Its exit code; `KILLED` where it left none."""
        text = self._text(CODE).strip()
        return int(text) if text.isdecimal() else KILLED

    def told(self, since: int = 0) -> JobAnswer:
        """How it stands.

        Args:
            since: News that is known already, in lines.
        """
        runs = self.runs  # before the rest is read: what ends meanwhile is told the next time
        asked = json.loads(self._text(ASKED))
        news = self._text(NEWS).split("\n")[:-1]
        code = None if runs else self.code
        ended = time.time() if runs else max((self.path / name).stat().st_mtime for name in (NEWS, ASKED))
        return JobAnswer(
            job=self.name,
            command=tuple(hide_arguments(asked["arguments"])),
            state=_state(code),
            code=None if code == KILLED else code,
            seconds=max(0.0, ended - asked["began"]),
            news=tuple(news[since:]),
            next=len(news),
            answer=json.loads(self._text(ANSWER) or "null"),
            text="" if runs else self._text(TEXT),
        )

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after some seconds."""
        until = time.monotonic() + seconds
        while self.runs and time.monotonic() < until:
            time.sleep(LOOK_EVERY)

    def stop(self) -> None:
        """End it: what it knows by then is kept; where it does not end by itself it is killed with all of its own."""
        for kind in (signal.SIGINT, signal.SIGKILL):
            # Its number is its own as long as it holds the lock.
            if self.runs:
                process = int(self._text(LOCK))
                os.kill(process, kind) if kind == signal.SIGINT else os.killpg(process, kind)
                self.wait(STOP_SECONDS)

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def _state(code: int | None) -> JobState:
    if code is None:
        return "running"
    return "killed" if code == KILLED else "stopped" if code == 130 else "failed" if code == 2 else "finished"


def folder() -> pathlib.Path:
    """Where jobs are kept: `BABYSIT_JOBS`, else the user's own folder of the state of programs."""
    given = os.environ.get(FOLDER)
    state = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local" / "state"
    return pathlib.Path(given) if given else pathlib.Path(state, "babysit", "jobs")


def jobs() -> Iterator[BackgroundJob]:
    """All that are kept, the newest first."""
    kept = [path for path in folder().glob("*") if _NAME.fullmatch(path.name) and (path / ASKED).exists()]
    yield from map(BackgroundJob, sorted(kept, key=lambda path: -(path / ASKED).stat().st_mtime))


def job(name: str) -> BackgroundJob:
    """The job of that name.

    Raises:
        InputError: There is none.
    """
    path = folder() / name
    if not _NAME.fullmatch(name) or not (path / ASKED).exists():
        known = [one.name for one in jobs()]
        legal = ", ".join(known[:5]) if known else f"none is kept in {folder()}"
        raise InputError(f"there is no job '{name}'", legal=legal, write="babysit status")
    return BackgroundJob(path)


def begin(arguments: Sequence[str]) -> BackgroundJob:
    """Begin a command in the background.

    Args:
        arguments: What would follow `babysit`.

    Raises:
        StorageError: Its folder cannot be written.
    """
    _forget_old()
    made = BackgroundJob(folder() / f"{arguments[0]}-{secrets.token_hex(3)}")
    try:
        made.path.mkdir(parents=True, mode=0o700)
        asked = {"arguments": [*arguments], "began": time.time(), "folder": os.getcwd()}
        write_atomic(made.path / ASKED, json.dumps(asked))
        with contextlib.ExitStack() as stack:
            news, text = (stack.enter_context((made.path / name).open("wb")) for name in (NEWS, TEXT))
            lock = stack.enter_context((made.path / LOCK).open("w+b"))
            # Locked before it begins, and inherited: at no time does it seem to have ended.
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = subprocess.Popen(
                [sys.executable, "-m", "babysit.cli._job_process", str(made.path), str(lock.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=text,
                stderr=news,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
            lock.write(str(process.pid).encode())
            # Where this process lives on, as a server does, it takes note of the end: else the job stays a zombie.
            threading.Thread(target=process.wait, daemon=True).start()
    except OSError as error:
        raise storage_error(error, made.path) from error
    return made


def _forget_old() -> None:
    for one in jobs():
        with contextlib.suppress(OSError):  # another process takes it away, too
            if time.time() - (one.path / NEWS).stat().st_mtime > KEPT_DAYS * 86400 and not one.runs:
                shutil.rmtree(one.path)
