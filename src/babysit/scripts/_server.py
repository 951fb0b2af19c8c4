"""A process that has imported torch, and forks one child a run: each saves the seconds of the import.

It reads one JSON request a line, and answers each with a line. Packages that the first child imported and that are
known to stand a fork are imported here, too, so that later ones have them.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import time
from typing import Any, NoReturn

# The first optimizer of a process imports it, for a second and more: once for all runs.
import torch._dynamo  # noqa: F401

from babysit.scripts._child import Request, serve
from babysit.scripts._starter import PRELOADED, end_group

GRACE = 10.0  # seconds that a run may take to end itself
LOOK_EVERY = 0.01


def main() -> None:
    """Serve until the standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    signal.signal(signal.SIGTERM, _leave)
    for line in sys.stdin:
        content = json.loads(line)
        request = Request(**{**content, "arguments": tuple(content["arguments"]),
                             "remedies": tuple(content["remedies"])})  # fmt: skip
        replies.write(json.dumps(one_run(request)) + "\n")


def one_run(request: Request) -> dict[str, Any]:
    """Fork, wait, and kill what does not end."""
    with tempfile.TemporaryDirectory(prefix="babysit-") as folder:
        answer_to = os.path.join(folder, "answer.json")
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            serve(request, answer_to)
        deadline = time.monotonic() + request.seconds + GRACE
        killed, parent = False, os.getppid()
        try:
            while True:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    break
                if os.getppid() != parent:
                    sys.exit()  # nobody waits for the answer any more
                if time.monotonic() > deadline and not killed:
                    killed = True
                    end_group(child)
                time.sleep(LOOK_EVERY)
        finally:
            end_group(child)  # and what it has left behind: workers of loaders
        try:
            with open(answer_to) as file:
                answer: dict[str, Any] = json.load(file)
        except (OSError, ValueError):
            signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            how = f"signal {signal_number}" if signal_number else f"exit code {os.waitstatus_to_exitcode(status)}"
            text = "it did not end in time" if killed else f"its process ended with {how}"
            return {"how": "killed", "error": text, "seconds": request.seconds}
    for name, modules in PRELOADED.items():
        if name in answer.get("modules", ()) and name not in sys.modules:
            for module in modules:
                importlib.import_module(module)
    answer.pop("modules", None)
    return answer


def _leave(*_: object) -> NoReturn:
    sys.exit()


if __name__ == "__main__":
    main()
