"""A folder to run a script in, so that what it writes stays out of the user's.

The scratch folder looks like the user's: small files are copies, larger ones links to the originals. A link that is
about to be written through becomes a copy first; what is written anywhere else than in the scratch folder or among
temporary files is remembered, to be told.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Any

MOST_BYTES, MOST_ENTRIES = 8 * 2**20, 3000  # copied in all; entries of the user's folder that are looked at
LARGE = 2**20  # a file above is linked
CACHES = frozenset({"__pycache__", "venv", "env", "node_modules", "site-packages"})


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
