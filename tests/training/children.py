"""`babysit` in processes of its own, which can be killed: forked from a server that has loaded PyTorch, once."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

from babysit.cli import main

# The server is a fresh process without threads; what it forks starts in milliseconds instead of seconds.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["babysit.cli", "babysit.api", "torch._dynamo"])
Prepare = Callable[[], object]


class Child:
    """A process that runs a command, its outputs in files.

    Args:
        *arguments: Of `babysit`.
        prepare: Called in the process before; of a module, as it travels by name.
    """

    def __init__(self, *arguments: str, prepare: Prepare | None = None) -> None:
        folder = pathlib.Path(tempfile.mkdtemp())
        self.out_file, self.err_file = folder / "out", folder / "err"
        self.process = SERVER.Process(target=_run, args=(arguments, prepare, str(self.out_file), str(self.err_file)))
        self.process.start()

    def wait_for(self, text: str, *, seconds: float = 240.0) -> None:
        """Until the text stands among the errors, or it has ended."""
        end = time.monotonic() + seconds
        while text not in self.err and self.process.is_alive() and time.monotonic() < end:
            time.sleep(0.005)

    def end(self, *, seconds: float = 240.0) -> int:
        """Wait for it; its exit code, negative for the signal that ended it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "it still runs"
        return self.process.exitcode

    def kill(self) -> int:
        """kill -9."""
        self.process.kill()
        return self.end()

    def send(self, signal: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, signal)

    @property
    def out(self) -> str:
        return self.out_file.read_text() if self.out_file.exists() else ""

    @property
    def err(self) -> str:
        return self.err_file.read_text() if self.err_file.exists() else ""


def _run(arguments: tuple[str, ...], prepare: Prepare | None, out: str, err: str) -> None:
    import torch

    for descriptor, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    torch.set_num_threads(1)
    if prepare is not None:
        prepare()
    main(list(arguments))
