"""From a path to the reader of what lies there."""

from __future__ import annotations

import pathlib

from babysit.data._bundled import BUNDLED, load_bundled
from babysit.data._csv import read_csv
from babysit.data._csv_text import unreadable
from babysit.data._found import Found
from babysit.data._wording import nearest
from babysit.record import DataError, DataSection


def read_path(named: str | pathlib.Path, data: DataSection) -> Found:
    """The reader's answer for a file, a folder or a bundled set's name; files go first.

    Raises:
        DataError: Nothing is there, or it cannot be read.
    """
    path = pathlib.Path(named).expanduser()
    try:
        if not path.exists():
            if str(named) in BUNDLED:
                return load_bundled(str(named))
            raise _not_there(path)
        if path.is_dir():
            raise NotImplementedError
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        raise DataError(f"{str(named)[:200]!r} is no path", cause=str(error)) from None
    return read_csv(path, data)


def _not_there(path: pathlib.Path) -> DataError:
    parent = path.parent
    try:
        neighbours = sorted(child.name for child in parent.iterdir()) if parent.is_dir() else None
    except OSError as error:
        return unreadable(parent, error)
    if neighbours is None:
        return DataError(f"there is no folder {parent}", cause="a path relative to another folder")
    alike = nearest(path.name, neighbours)
    bundled = nearest(str(path), BUNDLED)
    write = str(parent / alike) if alike else bundled
    return DataError(
        f"there is no file or folder {path}",
        legal=f"a file, a folder of images, or a bundled set: {', '.join(BUNDLED)}",
        cause="a spelling mistake" if write else "a path relative to another folder",
        write=write,
    )
