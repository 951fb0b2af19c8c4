"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import secrets
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO

from babysit.record._errors import StorageError

MOST_LINKS = 40  # one behind the other, as the kernel has it
LEFT_BEHIND = 3600.0  # seconds after which a file under way whose process is gone is swept
STREAMS = (1, 2)  # the standard output and the standard error


def write_atomic(path: pathlib.Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write a file so that a reader, at any instant, sees the old content or the new, never a part.

    Args:
        path: The file. A link is followed. What is not a regular file, such as a pipe or `/dev/stdout`, is written to.
        content: Bytes, or text for UTF-8.
        durable: Wait for the disk, which matters in a power cut; a killed process can do no harm either way.

    Raises:
        StorageError: The disk refused; nothing is left behind.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with replacing(path, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: pathlib.Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` at the end; after an error `path` is as it was.

    The content goes to a file beside it that then takes its name, which POSIX makes atomic.

    Args:
        path: As for `write_atomic`.
        durable: As for `write_atomic`.

    Raises:
        StorageError: The disk refused; nothing is left behind.
    """
    try:
        goal = _goal(path)
        with _written_through(path) if goal is None else _beside(goal, durable) as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, ValueError) and "null byte" not in str(error):
            raise
        raise storage_error(error, path) from error


def sync_folder(folder: pathlib.Path) -> None:
    """Wait until the disk has the names in a folder, where the system can say so."""
    with contextlib.suppress(PermissionError):  # a folder that may be written to and not be listed
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
                raise
        finally:
            os.close(opened)


def part_name(path: pathlib.Path) -> pathlib.Path:
    """A name beside `path` for what is under way; short, as the name of `path` may be as long as names can be."""
    return path.with_name(f".{path.name[:40]}.{os.getpid()}-{secrets.token_hex(4)}.part")


def left_behind(folder: pathlib.Path, name: str = "") -> list[pathlib.Path]:
    """What killed processes left under way in a folder: their own are gone, and nothing was written for an hour.

    Args:
        folder: Where to look.
        name: Of the file that was to be written; empty for all.
    """
    found = []
    for path in folder.glob(f".{_literal(name[:40]) or '*'}.*-*.part"):
        number = path.name.split(".")[-2].partition("-")[0]
        with contextlib.suppress(OSError):
            if number.isdecimal() and not _runs(int(number)) and path.lstat().st_mtime < time.time() - LEFT_BEHIND:
                found.append(path)
    return found


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _goal(path: pathlib.Path) -> pathlib.Path | None:
    """The regular file to replace, behind all links; None where there is something else, to be written through."""
    goal = path
    for _ in range(MOST_LINKS):
        if not goal.is_symlink():
            break
        if goal.parent.resolve().is_relative_to("/proc"):
            return None  # an open file of a process, such as /dev/stdout: its name is not the file's
        goal = goal.parent / goal.readlink()
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    try:
        mode = goal.stat().st_mode
    except FileNotFoundError:
        return goal
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        return None
    if not os.access(goal, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return goal


@contextlib.contextmanager
def _written_through(path: pathlib.Path) -> Iterator[BinaryIO]:
    """What is already open as a standard stream is written to as that stream: it knows where it stands."""
    stream = next((one for one in STREAMS if _is_open_as(path, one)), None)
    with path.open("wb") if stream is None else os.fdopen(os.dup(stream), "wb") as file:
        yield file


def _is_open_as(path: pathlib.Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


@contextlib.contextmanager
def _beside(path: pathlib.Path, durable: bool) -> Iterator[BinaryIO]:
    for old in left_behind(path.parent, path.name):
        old.unlink(missing_ok=True)
    beside = part_name(path)
    try:
        with beside.open("wb") as file:
            with contextlib.suppress(OSError):  # a file system without modes
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota of disk space is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENOENT: "the folder is not there, or it was moved or deleted meanwhile",
    errno.EISDIR: "there is a folder of that name",
    errno.ENAMETOOLONG: "the name is longer than the file system allows",
    errno.EMFILE: "this process may not open more files (ulimit -n)",
    errno.EBUSY: "it is the root of a disk that is mounted there",
    errno.EXDEV: "it is the root of a disk that is mounted there",
    errno.EIO: "the disk is failing, or its connection is lost",
}


def storage_error(error: OSError | ValueError, path: pathlib.Path) -> StorageError:
    """What the disk refused, in words."""
    number = (error.errno if isinstance(error, OSError) else None) or 0
    write = None
    if number in {errno.ENOSPC, errno.EDQUOT}:
        write = "--out with a folder on a disk with room"
    elif number in {errno.EBUSY, errno.EXDEV}:
        write = f"--out {path / 'run'}, a folder within it"
    said = (error.strerror if isinstance(error, OSError) else None) or error
    return StorageError(f"cannot write {path}: {said}", cause=_CAUSES.get(number), write=write)
