"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib

from babysit.record._errors import StorageError


def write_atomic(path: pathlib.Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write a file so that a reader, at any instant, sees the old content or the new, never a part.

    The content goes to a file beside it that then takes its name, which POSIX makes atomic. A killed process can do
    no harm either way; `durable` also waits until the disk has it, which a power cut asks for.

    Args:
        path: The file.
        content: Bytes, or text for UTF-8.
        durable: Wait for the disk.

    Raises:
        StorageError: The disk refused; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with beside.open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: pathlib.Path) -> StorageError:
    """What the disk refused, in words."""
    causes = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your quota of disk space is used up",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "you may not write there",
        errno.EPERM: "you may not write there",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
    }
    return StorageError(
        f"cannot write {path}: {error.strerror or error}",
        cause=causes.get(error.errno or 0),
        write="--out with a folder on a disk with room" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None,
    )
