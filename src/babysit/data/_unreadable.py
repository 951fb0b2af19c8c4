"""The error for a file that the system refuses to read."""

from __future__ import annotations

import pathlib

from babysit.record import DataError


def unreadable(path: pathlib.Path, error: OSError) -> DataError:
    """What the system said of a file, as a DataError."""
    if isinstance(error, PermissionError):
        return DataError(f"{path} may not be read: permission denied", write=f"chmod u+r '{path}'")
    return DataError(f"{path} cannot be read: {error.strerror or error}")
