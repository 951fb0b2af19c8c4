"""What the processes that run scripts tell one another: typed messages, each a line of JSON.

    runner -> server          RunRequest
    server -> runner          RunBegan, RunEnded
    watched script -> runner  ScriptAnswer, in a file of the run's own folder

This file imports the standard library alone: the server reads it before anything else is loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

GRACE, LEAST_GRACE = 10.0, 2.0  # seconds
SCRATCH, TRACE, ANSWER = "scratch", "trace.sqlite", "answer.json"  # in the folder of a watched run


@dataclass(frozen=True)
class WatchRequest:
    """How a script is watched and changed while it runs.

    Attributes:
        kept: An empty folder of the run's own: it holds the scratch folder, the trace and the answer.
        remedies: In their text form.
        steps: Optimizer steps after which the script is ended; None for its own end.
        seconds: Time limit; None for none. It is looked at after each step.
        until: The same as a time of this machine's monotonic clock, which all its processes share: so what a process
            needs to begin counts, too.
        probes: `all` or `losses`.
        seed: 0 leaves the script's seeds as they are; other numbers move them.
        highest_rate: The highest learning rate that the script takes by itself, where that is known.
        threads: That PyTorch may use; 0 leaves what it would use.
        protected: Whether the user's files are to be out of the script's reach.
        network: Whether the script may reach anything beyond loopback.
        protection: How it is protected on this machine: `overlay`, `landlock` or `none`. The server fills it in.
    """

    kept: str
    remedies: tuple[str, ...] = ()
    steps: int | None = None
    seconds: float | None = None
    until: float | None = None
    probes: str = "all"
    seed: int = 0
    highest_rate: float | None = None
    threads: int = 0
    protected: bool = True
    network: bool = False
    protection: str = "none"


@dataclass(frozen=True)
class RunRequest:
    """A script to run.

    Attributes:
        target: The file's path, or the module's name.
        arguments: What follows it.
        module: Whether it is a module's name.
        folder: The working folder. A watched script runs in a scratch folder that looks like it.
        output: File that receives what it prints.
        watch: None to run it as `python` does, and no more.
        seconds: Time limit, after which its processes are killed; None for none.
        number: Of the run; the runner gives it.
        sandbox: Of a script that is not watched: an empty folder for what it writes, so that it is kept away from the
            user's files; None lets it write.
        network: Of a script in a sandbox: whether it may reach anything beyond loopback.
    """

    target: str
    arguments: tuple[str, ...]
    module: bool
    folder: str
    output: str
    watch: WatchRequest | None = None
    seconds: float | None = None
    number: int = 0
    sandbox: str | None = None
    network: bool = False

    def deadline(self, now: float) -> float:
        """When a run that begins now is killed, as a time of the monotonic clock.

        Example:
            >>> request = RunRequest("train.py", (), False, ".", "output.txt", WatchRequest("kept", until=108.0))
            >>> request.deadline(100.0)
            110.0
        """
        limit = math.inf if self.seconds is None else self.seconds
        if self.watch is not None and self.watch.until is not None:
            left = max(0.0, self.watch.until - now)
            limit = min(limit, left + grace(left))
        return now + limit


def grace(seconds: float) -> float:
    """Seconds that a watched script may take to end after its time limit: it looks at the time after each step."""
    return min(GRACE, max(LEAST_GRACE, seconds / 4))


@dataclass(frozen=True)
class RunBegan:
    """A run has a process, which leads a process group."""

    number: int
    process: int


@dataclass(frozen=True)
class RunEnded:
    """A run's process has ended: with an exit code, or with a signal's number below zero.

    Attributes:
        number: Of the run.
        code: How it ended.
        late: Whether it was killed because its time limit was over.
    """

    number: int
    code: int
    late: bool = False


@dataclass(frozen=True)
class ScriptAnswer:
    """What came of a watched script.

    Attributes:
        how: `finished`, `enough` (it took the steps or the seconds asked for), `failed`, `interrupted`, `refused` (a
            remedy cannot be applied) or `killed`.
        error: In one line.
        traceback: Of the script.
        code: Its exit code.
        steps: That its optimizer took.
        seconds: That it took.
        score: Of the last training steps: name and value.
        evaluated: Of the last evaluation: name and value.
        several: Whether it trained several networks.
        unseen: Whether no network was seen in training.
        wrote: Files that it wrote outside its folder.
        not_applied: Remedies that it was to run under and that were not applied, each with the reason.
    """

    how: str
    error: str = ""
    traceback: str = ""
    code: int = 0
    steps: int = 0
    seconds: float = 0.0
    score: tuple[str, float] | None = None
    evaluated: tuple[str, float] | None = None
    several: bool = False
    unseen: bool = False
    wrote: tuple[str, ...] = field(default=())
    not_applied: tuple[tuple[str, str], ...] = ()


Message = RunRequest | RunBegan | RunEnded | ScriptAnswer
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (RunRequest, RunBegan, RunEnded, ScriptAnswer)}


def written(message: Message) -> bytes:
    """A message as a line.

    Example:
        >>> written(RunBegan(3, 4711))
        b'{"kind": "RunBegan", "number": 3, "process": 4711}\\n'
    """
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def read(line: bytes) -> Message:
    """The message of a line.

    Example:
        >>> request = RunRequest("train.py", ("--lr", "0.1"), False, ".", "out", WatchRequest("kept", ("lr=0.1",)))
        >>> read(written(request)) == request
        True
    """
    content = {name: tuple(one) if isinstance(one, list) else one for name, one in json.loads(line).items()}
    if isinstance(watch := content.get("watch"), dict):
        content["watch"] = WatchRequest(**watch | {"remedies": tuple(watch["remedies"])})
    message: Message = KINDS[str(content.pop("kind"))](**content)
    return message


class MessageReader:
    """Messages out of pieces of a stream.

    Example:
        >>> reader = MessageReader()
        >>> line = written(RunEnded(3, 0))
        >>> [*reader.feed(line[:9])], [*reader.feed(line[9:])]
        ([], [RunEnded(number=3, code=0, late=False)])
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that a piece completes."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        yield from map(read, lines)
