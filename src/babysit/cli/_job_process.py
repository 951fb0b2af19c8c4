"""The process of a job: runs one command, and leaves its answer and its exit code in the job's folder.

It is run as `python -m babysit.cli._job_process FOLDER LOCK`, by `_jobs.begin` alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys

from babysit.cli import _answer
from babysit.cli._app import run
from babysit.cli._jobs import ANSWER, ASKED, CODE
from babysit.record import write_atomic


def main() -> None:
    """Run the command that is asked for in a folder."""
    folder, lock = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)  # what the command starts may outlive it, and must not seem to be it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process has it ignored
    verb, *rest = json.loads((folder / ASKED).read_text(encoding="utf-8"))["arguments"]
    _answer.KEPT = folder / ANSWER
    code = run([verb, *(["--plain"] if verb != "explain" else []), *rest])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    write_atomic(folder / CODE, str(code))


if __name__ == "__main__":
    main()
