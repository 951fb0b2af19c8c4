"""From what the user named to what a reader hands on."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from babysit.data._arrays import from_arrays
from babysit.data._found import Arrays, Found, Table
from babysit.data._paths import read_path
from babysit.record import DataError, DataSection


def find_source(source: object, data: DataSection) -> Found:
    """The reader's answer for a path, a bundled set's name, or an object.

    Args:
        source: Path, name, table, arrays or Dataset.
        data: How files are read.

    Raises:
        DataError: Nothing is there, or it cannot be read.
    """
    if isinstance(source, Table | Arrays):
        return source
    if isinstance(source, str | pathlib.Path):
        return read_path(source, data)
    if isinstance(source, Sequence) and len(source) == 2:
        return from_arrays(source[0], source[1], target=data.target or "target")
    raise DataError(f"a {type(source).__name__} is no source of data")
