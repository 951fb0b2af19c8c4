"""SQLite files that may be anything, on any kind of disk."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping

from babysit.record._errors import BabysitError, RunFolderError, RunLockedError, StorageError

PATIENCE = 30.0  # seconds to wait for another process that writes


@contextlib.contextmanager
def reading(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """A database that is only read: nothing is made, nothing is changed, and a disk that is read-only will do.

    Raises:
        BabysitError: As `translated` says.
    """
    uri = path.absolute().as_uri() + "?mode=ro"
    try:
        database = sqlite3.connect(uri, uri=True, timeout=PATIENCE)
        try:
            database.execute("PRAGMA schema_version")
        except sqlite3.OperationalError:
            # In a folder that may not be written to, what lies beside a database in use cannot be made: without a
            # log of what another process writes, the file alone is the whole.
            database.close()
            log = path.with_name(f"{path.name}-wal")
            if log.exists() and log.stat().st_size:
                raise
            database = sqlite3.connect(f"{uri}&immutable=1", uri=True)
        with contextlib.closing(database):
            yield database
    except (sqlite3.Error, OSError, ValueError, RecursionError, MemoryError, OverflowError, TypeError) as error:
        raise translated(error, path) from error


def refuse_foreign(database: sqlite3.Connection, path: pathlib.Path, schema: int) -> None:
    """Refuse to write into a database of another program, or of another version.

    Raises:
        RunFolderError: It is one.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version != schema and (version or tables):
        raise RunFolderError(
            f"{path} is a database of another program, or of another version of babysit",
            legal="a new file, or one that this version wrote",
            write="another file",
        )


Types = Mapping[str, Mapping[str, tuple[str, ...]]]  # of each table's columns, as SQLite's `typeof` names them


def refuse_types(database: sqlite3.Connection, path: pathlib.Path, types: Types) -> None:
    """Refuse values that SQLite stores and babysit never wrote: SQLite keeps a text in a column of numbers.

    Args:
        database: To look at.
        path: Of it.
        types: That are right.

    Raises:
        RunFolderError: There is one.
    """
    for table, columns in types.items():
        wrong = " OR ".join(
            f"typeof({column}) NOT IN ({', '.join(repr(kind) for kind in kinds)})" for column, kinds in columns.items()
        )
        if database.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone() is not None:
            raise RunFolderError(
                f"{path} is damaged: table {table} holds a value of a wrong type", cause="the file was edited"
            )


def translated(error: Exception, path: pathlib.Path) -> BabysitError:
    """What SQLite or the system said, in words: a disk that refused, a database that is locked, or damage."""
    text = str(error) or type(error).__name__
    if "locked" in text or "locking protocol" in text:
        return RunLockedError(
            f"{path} is locked: {text}",
            cause="another process uses it, or the file system has no locks, as some network disks have none",
            write="another --out, on a local disk",
        )
    if any(part in text for part in ("full", "disk I/O", "readonly")):
        return StorageError(f"{path} cannot be written: {text}", cause="the disk is full, read-only or gone")
    if isinstance(error, OSError | MemoryError) or "unable to open" in text or "out of memory" in text:
        return StorageError(
            f"{path} cannot be used: {text}",
            cause="its folder is gone or may not be read, or this process may open no more files",
        )
    return RunFolderError(f"{path} is damaged: {text}", cause="the file was edited, or it is another kind of file")
