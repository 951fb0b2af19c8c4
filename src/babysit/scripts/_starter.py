"""A process that does what `python SCRIPT ARGUMENTS` does, again and again, by forking itself.

A script that trains imports PyTorch, which takes seconds; a search runs it a hundred times for seconds each. Run as a
file of its own, this imports nothing that it need not, so it is there at once; what the first script has imported, as
far as it is known to stand a fork, it imports then, too, and later scripts begin with it.

One JSON request a line, {"id", "arguments", "output", "folder"}; answered by a line {"id", "pid"}, and by {"id",
"code"} when it has ended. When the input ends, so do all.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import importlib
import importlib.machinery
import io
import json
import os
import random
import runpy
import select
import signal
import sys
import threading
import types
from typing import Any, NoReturn

LOOK_EVERY = 0.02
# Packages that start no threads when they are imported, so that a process may fork afterwards, with what of them a
# training uses; the first optimizer of a process imports `torch._dynamo`, for a second and more.
PRELOADED = {
    "numpy": ("numpy",),
    "torch": ("torch", "torch.utils.data", "torch._dynamo"),
    "scipy": ("scipy",),
    "sklearn": ("sklearn", "sklearn.datasets", "sklearn.model_selection", "sklearn.preprocessing"),
    "pandas": ("pandas",),
}
INTERRUPTED = 130
EXIT_CODES = 255  # an exit code is a byte
WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


class _Child(BaseException):
    """Raised in a child, out of all that the process was doing."""

    def __init__(self, request: dict[str, Any], told: int) -> None:
        super().__init__()
        self.request, self.told = request, told


def main() -> None:
    """Serve until the input ends; a child ends with its script's exit code."""
    sys.path.pop(0)  # this file's folder, which no script would have
    replies = os.dup(1)
    os.set_inheritable(replies, False)
    try:
        _Server(replies).serve()
    except _Child as child:
        os.close(replies)
        request, told = child.request, child.told  # the exception is gone after this, and with it the server's frames
    else:
        return
    _leave(_run(request, told))


class _Server:
    """Who runs, and who asked."""

    def __init__(self, replies: int) -> None:
        self._replies = replies
        self._running: dict[int, tuple[Any, int]] = {}  # by process: its id, and where it tells what it imported
        self._loaded: set[str] = set()

    def serve(self) -> None:
        """Until the input ends."""
        waiting = b""
        while True:
            if select.select([0], [], [], LOOK_EVERY if self._running else None)[0]:
                read = os.read(0, 65536)
                if not read:
                    break
                *lines, waiting = (waiting + read).split(b"\n")
                for line in lines:
                    self._do(json.loads(line))
            self._reap()
        for process in self._running:
            end_group(process)

    def _do(self, request: dict[str, Any]) -> None:
        read, write = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(read)
            raise _Child(request, write)
        os.close(write)
        os.set_blocking(read, False)
        with contextlib.suppress(OSError):  # it has done so itself, or is gone
            os.setpgid(process, process)
        self._running[process] = request["id"], read
        self._tell(id=request["id"], pid=process)

    def _tell(self, **reply: Any) -> None:
        os.write(self._replies, json.dumps(reply).encode() + b"\n")

    def _reap(self) -> None:
        ended: set[str] = set()
        for process, (name, told) in [*self._running.items()]:
            found, status = os.waitpid(process, os.WNOHANG)
            if not found:
                continue
            end_group(process)  # workers that it has left behind
            del self._running[process]
            with contextlib.suppress(BlockingIOError):  # it told nothing, and who holds the other end says nothing
                ended |= {*os.read(told, 4096).decode().split()}
            os.close(told)
            self._tell(id=name, code=os.waitstatus_to_exitcode(status))
        for package in PRELOADED:
            if package in ended and package not in self._loaded:
                self._loaded.add(package)
                for module in PRELOADED[package]:
                    with contextlib.suppress(ImportError):
                        importlib.import_module(module)
                # Else the first collection in each child would copy every page that they lie on.
                gc.collect()
                gc.freeze()


def _run(request: dict[str, Any], told: int) -> int:
    """The script, in this process."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    with open(request["output"], "ab", buffering=0) as output, open(os.devnull, "rb") as nothing:
        for ours, theirs in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(ours.fileno(), theirs)
    os.chdir(request["folder"])
    # Streams that nobody has seeded are another in every process.
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
    try:
        return _as_main(request["arguments"])
    finally:
        names = {name.partition(".")[0] for name in [*sys.modules]} & PRELOADED.keys()
        os.write(told, " ".join(names).encode())
        os.close(told)


def _as_main(arguments: list[str]) -> int:
    """What `python ARGUMENTS` does."""
    try:
        if arguments[0] == "-m":
            sys.path.insert(0, os.getcwd())
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            path = os.path.abspath(arguments[0])
            sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
            sys.argv = list(arguments)
            main = types.ModuleType("__main__")
            loader = importlib.machinery.SourceFileLoader("__main__", path)
            main.__dict__.update(__file__=path, __builtins__=builtins, __cached__=None, __loader__=loader)
            sys.modules["__main__"] = main
            with open(path, "rb") as file:
                code = compile(file.read(), path, "exec", dont_inherit=True)
            exec(code, main.__dict__)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """End as Python ends, but for taking its own modules apart: nine tenths of a second, where PyTorch is among them.

    Threads are waited for, what was left for the end is done, what the script holds is let go, files are written out.
    """
    # Private, but what Python calls: it wakes the threads of executors before it waits for them.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    _write_out()  # before a circle lets a file go in the wrong order
    if (main := sys.modules["__main__"]).__dict__ is not globals():
        main.__dict__.clear()
    gc.collect()
    _write_out()
    os._exit(code & EXIT_CODES)


def _write_out() -> None:
    """What the script wrote and did not close."""
    for one in [sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, *gc.get_objects()]:
        if type(one) in WRITERS:
            with contextlib.suppress(Exception):  # closed, or the disk is full: nobody is left to be told
                one.flush()


def end_group(group: int) -> None:
    """Kill a process that leads a group, and what it has started; one that is gone is no mistake."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
