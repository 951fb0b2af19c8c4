"""Folders to run scripts in, so that what they write stays out of the user's; they go with whom they belong to.

The scratch folder looks like the user's: small files are copies, larger ones links to the originals. A link that is
about to be written through becomes a copy first; what is written anywhere else than in the scratch folder or among
temporary files is remembered, to be told.

Each temporary folder holds a file that names its owner: a process, with the time at which it began. What the owner
leaves behind because it was killed, its server removes, or else the next process that makes such a folder.

This file imports the standard library alone: the server reads it before anything else is loaded.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

MOST_BYTES, MOST_ENTRIES = 8 * 2**20, 3000  # copied in all; entries of the user's folder that are looked at
WORK = "work"  # the folder within the scratch folder that looks like the user's
LARGE = 2**20  # a file above is linked
PREFIX, OWNER = "babysit-", ".babysit-owner"
CACHES = frozenset({"__pycache__", "venv", "env", "node_modules", "site-packages"})


@contextlib.contextmanager
def own_folder() -> Iterator[pathlib.Path]:
    """A temporary folder of this process's own, removed at the end; those of processes that were killed go, too."""
    _sweep_once()
    # What a script leaves read-only, or a worker that still writes, is not a reason to fail.
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        path = pathlib.Path(folder)
        (path / OWNER).write_text(json.dumps(_identity(os.getpid())))
        yield path


@functools.cache
def _sweep_once() -> None:
    sweep()


def sweep(folder: pathlib.Path | None = None) -> list[pathlib.Path]:
    """Remove temporary folders whose owner is proven to be dead. Returns them.

    Args:
        folder: Where they are looked for; None is where temporary files are.
    """
    removed = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder or tempfile.gettempdir()):
            path = pathlib.Path(entry.path)
            if entry.name.startswith(PREFIX) and is_left_over(path):
                shutil.rmtree(path, ignore_errors=True)
                removed.append(path)
    return removed


def is_left_over(folder: pathlib.Path, owner: int | None = None) -> bool:
    """Whether a folder is babysit's, belongs to this user, and its owner is dead (or is the process `owner`)."""
    marker = folder / OWNER
    try:
        if folder.is_symlink() or marker.is_symlink() or folder.stat().st_uid != os.geteuid():
            return False
        known = json.loads(marker.read_text())
        here = _identity(known["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if known["process"] == owner:
        return True
    # Of another machine, or of a container with processes of its own, nothing is known.
    return all(known[name] == here[name] for name in ("host", "boot", "space")) and known["began"] != here["began"]


def _identity(process: int) -> dict[str, Any]:
    """What tells a process from all others; `began` is empty of one that is not there."""
    began = boot = space = ""
    try:
        if sys.platform == "linux":
            # The name, in brackets, may hold anything; the time is the twentieth field behind it (proc(5)).
            began = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
            boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            space = os.readlink("/proc/self/ns/pid")
        else:
            os.kill(process, 0)
            began = "some time"
    except PermissionError:
        began = began or "some time"
    except OSError:
        with contextlib.suppress(OSError):
            boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            space = os.readlink("/proc/self/ns/pid")
    return {"process": process, "began": began, "host": socket.gethostname(), "boot": boot, "space": space}


def in_mirror(folder: pathlib.Path, target: str, scratch: pathlib.Path, *, module: bool) -> str:
    """Go to a folder within `scratch` that looks like `folder`. Returns the script's path there, or the module."""
    work = scratch / WORK
    mirror(folder, work)
    os.chdir(work)
    if module:
        return target
    path = (folder / target).resolve()
    if path.is_relative_to(folder.resolve()):
        return str(work / path.relative_to(folder.resolve()))
    mirror(path.parent, scratch / "script")
    return str(scratch / "script" / path.name)


def mirror(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    """Make `scratch` look like `folder`. Folders after the first 3,000 entries, caches and hidden folders are linked
    as a whole."""
    bytes_left, entries_left = MOST_BYTES, MOST_ENTRIES
    waiting = [(folder, scratch)]
    while waiting:
        source, goal = waiting.pop()
        goal.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            for entry in sorted(os.scandir(source), key=lambda one: one.name):
                entries_left -= 1
                path = goal / entry.name
                if path.is_symlink() or path.exists() or scratch.is_relative_to(entry.path):
                    continue
                hidden = entry.name.startswith(".") or entry.name in CACHES
                if entry.is_dir(follow_symlinks=False) and entries_left > 0 and not hidden:
                    waiting.append((pathlib.Path(entry.path), path))
                elif entry.is_file() and entries_left > 0 and entry.stat().st_size <= min(LARGE, bytes_left):
                    bytes_left -= entry.stat().st_size
                    shutil.copy2(entry.path, path)
                else:
                    path.symlink_to(pathlib.Path(entry.path).resolve())


class WritesSeen:
    """Watches what a process opens for writing; installed once, for as long as the process lives.

    Attributes:
        outside: Paths that were written and are in no scratch folder.
    """

    def __init__(self, *scratch: pathlib.Path) -> None:
        self.outside: list[str] = []
        self._scratch = [os.path.realpath(one) for one in scratch]
        self._fine = (*self._scratch, os.path.realpath(tempfile.gettempdir()), "/dev", "/proc")
        self._busy = False

    def install(self) -> None:
        """From now on. Python has no way to take an audit hook back."""
        sys.addaudithook(self._audit)

    def saving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`torch.save`, whose files are opened below Python."""

        def save(obj: Any, f: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(f, str | os.PathLike):
                self._written(os.fspath(f))
            return original(obj, f, *arguments, **options)

        return save

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy or event not in ("open", "sqlite3.connect", "os.truncate"):
            return
        self._busy = True
        try:
            path = arguments[0]
            if event == "open":
                mode, flags = arguments[1], arguments[2]
                writes = any(sign in mode for sign in "wax+") if isinstance(mode, str) else flags & _WRITING
                if not writes:
                    return
            if isinstance(path, str | bytes | os.PathLike):
                self._written(os.fsdecode(path))
        finally:
            self._busy = False

    def _written(self, path: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            if os.path.islink(path) and self._within(os.path.realpath(os.path.dirname(path) or "."), self._scratch):
                original = os.path.realpath(path)
                os.unlink(path)
                if os.path.isfile(original):
                    shutil.copy2(original, path)
            real = os.path.realpath(path)
            if not self._within(real, self._fine) and real not in self.outside:
                self.outside.append(real)

    @staticmethod
    def _within(path: str, folders: Any) -> bool:
        return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
