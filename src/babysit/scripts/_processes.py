"""Processes that rehearse scripts: servers that fork a child a run, kept for as long as a subject lives."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from typing import Any

from babysit.scripts._child import Answer, Request

LOOK_EVERY = 0.1  # seconds between two looks whether somebody has pressed Ctrl-C


class Processes:
    """As many servers as may run at once, started when they are first needed.

    Args:
        jobs: How many runs at a time.

    Example:
        >>> with Processes(1) as processes:
        ...     processes.started
        0
    """

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self.started = 0
        self._free: queue.SimpleQueue[subprocess.Popen[str] | None] = queue.SimpleQueue()
        self._running: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        for _ in range(jobs):
            self._free.put(None)

    def run(self, request: Request) -> Answer:
        """One run; waits for a free server."""
        server = self._free.get()
        try:
            if server is None or server.poll() is not None:
                server = self._start()
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                server.stdin.write(json.dumps(asdict(request)) + "\n")
                server.stdin.flush()
                # Libraries that take hold of SIGINT (polars is one) let a blocked read go on: so it never blocks long.
                while not select.select([server.stdout], [], [], LOOK_EVERY)[0]:
                    pass
                line = server.stdout.readline()
            except (BrokenPipeError, ValueError):
                line = ""
            if not line:
                return Answer("killed", "the process that rehearses scripts was ended")
            content: dict[str, Any] = json.loads(line)
            for name in ("score", "evaluated"):
                if content.get(name) is not None:
                    content[name] = tuple(content[name])
            for name in ("modules", "wrote"):
                content[name] = tuple(content.get(name, ()))
            return Answer(**content)
        except BaseException:
            # Interrupted while it runs: its answer must not be taken for that of the next run.
            if server is not None:
                _end(server)
            raise
        finally:
            self._free.put(server)

    def run_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Several runs, as many at a time as there are servers; answers in their order."""
        if len(requests) == 1:
            return [self.run(requests[0])]
        threads = ThreadPoolExecutor(self.jobs)
        try:
            runs = [threads.submit(self.run, request) for request in requests]
            while not all(run.done() for run in runs):
                wait(runs, timeout=LOOK_EVERY)
            return [run.result() for run in runs]
        except BaseException:
            self.close()  # what runs is ended, so that no thread waits for it
            raise
        finally:
            threads.shutdown(cancel_futures=True)

    def close(self) -> None:
        """End them; a run under way is ended, too."""
        with self._lock:
            running, self._running = self._running, []
        for server in running:
            _end(server)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "babysit.scripts._server"]
        # A session of its own: Ctrl-C at the terminal reaches whoever waits here, who then ends it.
        server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=_environment(),
        )
        with self._lock:
            self._running.append(server)
            self.started += 1
        return server


def _end(server: subprocess.Popen[str]) -> None:
    """End a server, and what it runs."""
    server.terminate()
    server.wait()
    for pipe in (server.stdin, server.stdout):
        with contextlib.suppress(OSError):  # a request that nobody reads any more
            if pipe is not None:
                pipe.close()


def _environment() -> dict[str, str]:
    """As the script would have it, with this babysit to be found."""
    found = dict(os.environ)
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found["PYTHONPATH"] = os.pathsep.join([home, *filter(None, [found.get("PYTHONPATH")])])
    found.setdefault("MPLBACKEND", "Agg")  # a window would wait for somebody to close it
    found.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait take others' processors
    return found
