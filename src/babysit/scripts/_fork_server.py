"""A process that runs scripts by forking itself: each finds PyTorch imported, which takes seconds.

It is run as a file (`python _fork_server.py`), not as a module: so nothing of babysit, which imports PyTorch, is loaded
for scripts that do not need it, and it is there at once. What the first script has imported, as far as those packages
are fork-safe, is then imported here, too, and later scripts begin with it. Before the first watched script it imports
what watches.

It reads `RunRequest`s from the standard input and answers each with `RunBegan` and, later, `RunEnded`. When the input
ends, or its parent does, it ends all that it runs. Where processes cannot be forked, `python _fork_server.py REQUEST`
runs a single request in itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import pathlib
import random
import select
import shutil
import signal
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from babysit.scripts._as_main import NoSuchModuleError, leave, run_as_main, show_error
    from babysit.scripts._messages import MessageReader, RunBegan, RunEnded, RunRequest, read, written
    from babysit.scripts._sandbox import (
        NO_PROTECTION,
        OFFLINE,
        available,
        enter_copy,
        enter_overlay,
        places_of,
        with_all_that_it_starts,
    )
    from babysit.scripts._scratch import in_mirror, is_left_over
else:
    # Beside this file: as parts of the package they would import PyTorch.
    from _as_main import NoSuchModuleError, leave, run_as_main, show_error
    from _messages import MessageReader, RunBegan, RunEnded, RunRequest, read, written
    from _sandbox import (
        NO_PROTECTION,
        OFFLINE,
        available,
        enter_copy,
        enter_overlay,
        places_of,
        with_all_that_it_starts,
    )
    from _scratch import in_mirror, is_left_over

REFUSED, PATIENCE = 2, 200
LOOK_EVERY = 0.01  # seconds between two looks whether a script has ended
LOOK_FOR_PARENT = 1.0  # the same at the parent, while nothing runs
# Packages that start no threads when they are imported, so that a process may fork afterwards, with what of them a
# training uses; the first optimizer of a process imports `torch._dynamo`, for a second and more.
FORK_SAFE = {
    "numpy": ("numpy",),
    "torch": ("torch", "torch.utils.data", "torch._dynamo"),
    "scipy": ("scipy",),
    "sklearn": ("sklearn", "sklearn.datasets", "sklearn.model_selection", "sklearn.preprocessing"),
    "pandas": ("pandas",),
}
WATCHES = "babysit.scripts._watched"
HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None
PARENT_DEATH_SIGNAL = 1  # prctl's name for it on Linux


class _Child(BaseException):
    """Raised in a forked process, out of all that the server was doing."""

    def __init__(self, request: RunRequest, imported: int) -> None:
        super().__init__()
        self.request, self.imported = request, imported


@dataclass
class _Running:
    """A run's number, where it tells what it imported, and until when it may run."""

    number: int
    imported: int
    deadline: float
    late: bool = False


def main() -> None:
    """Serve until the input ends; a forked process ends with its script's exit code."""
    sys.path.pop(0)  # this file's folder, which no script would have
    if len(sys.argv) > 1:
        request = read(sys.argv[1].encode())
        assert isinstance(request, RunRequest)
        end_with_parent(signal.SIGTERM)
        run(protected(request), None)
    replies = os.dup(1)
    os.set_inheritable(replies, False)
    os.dup2(2, 1)  # what a package prints while it is imported is not an answer
    try:
        _Server(replies).serve()
    except _Child as child:
        os.close(replies)
        request, imported = child.request, child.imported  # the server's frames are gone with the exception
    else:
        return
    run(request, imported)


class _Server:
    """What runs, and where it is told."""

    def __init__(self, replies: int) -> None:
        self._replies = replies
        self._parent, self._own = os.getppid(), os.getpid()
        self._running: dict[int, _Running] = {}  # by process
        self._loaded: set[str] = set()
        self._folders: dict[str, None] = {}  # in which runs of this server were or are
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)
        end_with_parent(signal.SIGTERM)
        _settle()

    def serve(self) -> None:
        """Until the input ends, or the parent."""
        requests = MessageReader()
        try:
            while os.getppid() == self._parent:
                if select.select([0], [], [], LOOK_EVERY if self._running else LOOK_FOR_PARENT)[0]:
                    piece = os.read(0, 65536)
                    if not piece:
                        break
                    for request in requests.feed(piece):
                        assert isinstance(request, RunRequest)
                        self._begin(request)
                self._look()
        finally:
            for process in self._running:  # none, in a forked process
                end_group(process)
            if os.getpid() == self._own and os.getppid() != self._parent:
                self._remove_folders()

    def _remove_folders(self) -> None:
        """Those of a parent that was killed: nobody else is left to do it."""
        for process in self._running:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, 0)
        for folder in self._folders:
            if is_left_over(pathlib.Path(folder), self._parent):
                for _ in range(PATIENCE):  # the kernel ends those that still write in it, which is not at once
                    shutil.rmtree(folder, ignore_errors=True)
                    if not os.path.exists(folder):
                        break
                    time.sleep(LOOK_EVERY)

    def _begin(self, request: RunRequest) -> None:
        request = protected(request)
        self._folders[os.path.dirname(request.output)] = None
        if request.watch is not None and WATCHES not in self._loaded:
            self._loaded.add(WATCHES)
            load_watcher()
            self._load("torch")
            _settle()
        outlet, inlet = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(outlet)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            self._running.clear()
            raise _Child(request, inlet)
        os.close(inlet)
        os.set_blocking(outlet, False)
        with contextlib.suppress(OSError):  # it has done so itself, or is gone
            os.setpgid(process, process)
        self._running[process] = _Running(request.number, outlet, request.deadline(time.monotonic()))
        self._tell(RunBegan(request.number, process))

    def _tell(self, message: RunBegan | RunEnded) -> None:
        os.write(self._replies, written(message))

    def _look(self) -> None:
        """Take note of those that have ended, and kill those whose time is over."""
        imported: set[str] = set()
        for process, one in [*self._running.items()]:
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                if time.monotonic() > one.deadline:
                    one.late = True
                    end_group(process)
                continue
            end_group(process)  # workers that it has left behind
            del self._running[process]
            with contextlib.suppress(BlockingIOError):  # it told nothing, and a process of its own holds the other end
                imported |= {*os.read(one.imported, 4096).decode().split()}
            os.close(one.imported)
            self._tell(RunEnded(one.number, os.waitstatus_to_exitcode(status), one.late))
        new = [package for package in FORK_SAFE if package in imported and package not in self._loaded]
        for package in new:
            self._load(package)
        if new:
            _settle()

    def _load(self, package: str) -> None:
        self._loaded.add(package)
        for module in FORK_SAFE[package]:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)


def protected(request: RunRequest) -> RunRequest:
    """With the way in which this machine keeps the user's files out of a watched script's reach; tried once."""
    if request.watch is None:
        return request
    if not request.watch.protected or request.watch.protection != "none":
        return request
    return replace(request, watch=replace(request.watch, protection=available()))


def _settle() -> None:
    """Keep what is loaded out of collections: the first one in each child would copy every page that it lies on."""
    gc.collect()
    gc.freeze()


def _end(*_: object) -> NoReturn:
    sys.exit()


def run(request: RunRequest, imported: int | None) -> NoReturn:
    """A script, in this process, which ends with it.

    Args:
        request: What to run.
        imported: Where to tell which of the fork-safe packages it imported; None where nothing was forked.
    """
    if imported is not None:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        end_with_parent(signal.SIGKILL)
    with open(request.output, "ab", buffering=0) as output, open(os.devnull, "rb") as nothing:
        for ours, theirs in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(ours.fileno(), theirs)
    os.chdir(request.folder)
    code: int | None = 1
    try:
        code = _plainly(request) if request.watch is None else load_watcher().watch(written(request))
    finally:
        if imported is not None:
            names = {name.partition(".")[0] for name in [*sys.modules]} & FORK_SAFE.keys()
            os.write(imported, " ".join(names).encode())
            os.close(imported)
    if code is None:  # it was ended in the middle: as it is, whatever threads it has
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    leave(code)


def _plainly(request: RunRequest) -> int:
    target = request.target
    if request.sandbox is not None:
        if not request.network:
            os.environ.update(OFFLINE)
        kind, kept = available(), pathlib.Path(request.sandbox)
        if kind == "overlay":
            enter_overlay(kept, kept, places=places_of(request.folder), network=request.network)
            with_all_that_it_starts()
        elif kind == "landlock":
            target = in_mirror(pathlib.Path(request.folder), target, kept, module=request.module)
            enter_copy(kept, kept, network=request.network)
        else:
            print(f"{NO_PROTECTION}; --unprotected lets it run as it is")
            return REFUSED
    # Random streams that are not seeded differ from process to process.
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
    try:
        ended = run_as_main(target, request.arguments, module=request.module)
    except NoSuchModuleError as error:
        print(f"{sys.executable}: {error}", file=sys.stderr)
        return 1
    show_error(ended)
    return ended.code


def load_watcher() -> Any:
    """What watches a script; it imports PyTorch."""
    sys.path.insert(0, HOME)
    try:
        return importlib.import_module(WATCHES)
    finally:
        sys.path.remove(HOME)


def end_with_parent(number: int) -> None:
    """Let the system send this process a signal when its parent dies, where it can (Linux)."""
    if LIBRARY is not None:
        LIBRARY.prctl(PARENT_DEATH_SIGNAL, number, 0, 0, 0)


def end_group(group: int) -> None:
    """Kill a process that leads a group, and what it has started; one that is gone is not a mistake."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
