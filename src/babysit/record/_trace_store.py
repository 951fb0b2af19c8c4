"""The Trace on disk: SQLite in WAL mode, one transaction a flush, readable while it is written.

SQLite has no NaN: it stores one as NULL. So NULL in the value column means NaN here, and reading gives the NaN back.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import pathlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter

from babysit.record._database import Types, reading, refuse_foreign, refuse_types, translated
from babysit.record._errors import RunVersionError
from babysit.record._secrets import without_secrets
from babysit.record._thinning import DENSE, ROOM, Thinning
from babysit.record._trace import TRACE_SCHEMA, Event, Histogram, Row, Trace, TraceLayer

_TABLES = f"""
PRAGMA user_version = {TRACE_SCHEMA};
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, phase TEXT NOT NULL, layer TEXT NOT NULL, quantity TEXT NOT NULL,
    UNIQUE (phase, layer, quantity));
CREATE TABLE IF NOT EXISTS points (
    series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, PRIMARY KEY (series, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS histograms (
    series INTEGER NOT NULL, step INTEGER NOT NULL, edges TEXT NOT NULL, counts TEXT NOT NULL,
    PRIMARY KEY (series, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (step INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, layer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS layers (place INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_TYPES: Types = {
    "series": {"phase": ("text",), "layer": ("text",), "quantity": ("text",)},
    "points": {"step": ("integer",), "value": ("real", "integer", "null")},
    "histograms": {"step": ("integer",), "edges": ("text",), "counts": ("text",)},
    "events": {"step": ("integer",), "kind": ("text",), "text": ("text",), "layer": ("text",)},
    "layers": {"content": ("text",)},
    "facts": {"name": ("text",), "value": ("text",)},
}


class TraceStore:
    """Writes a Trace to a file as it is measured; None keeps it in memory. Rows wait until `flush`.

    Threads may share it: a training may run in one thread and be read in another.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, TraceStore(pathlib.Path(folder) / "trace.sqlite") as store:
        ...     store.add([Row(0, "train", "", "loss", 2.3)])
        ...     store.flush()
        ...     store.read().series("loss").values
        (2.3,)
    """

    def __init__(self, path: pathlib.Path | None) -> None:
        self._path = path or pathlib.Path("the trace in memory")
        self._waiting: list[Row | Histogram | Event] = []
        self._series: dict[tuple[str, str, str], int] = {}
        self._closed = False
        self._lock = threading.RLock()
        try:
            self._database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            refuse_foreign(self._database, self._path, TRACE_SCHEMA)
            self._database.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing at this level; a power cut may lose the last flushes, never the file.
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)
            self._begin_thinning()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def _begin_thinning(self) -> None:
        self._thinning = Thinning()
        before = _read(self._database)
        self._thinning.knows(sorted((*before.rows, *before.histograms), key=lambda item: item.step))
        self._thinning.knows(before.events)
        self._thinned = dict(self._thinning.strides)  # the strides that the file is thinned to

    def add(self, items: Iterable[Row | Histogram | Event]) -> None:
        """Keep items for the next flush, as far as the trace has room for them."""
        with self._lock:
            admits = self._thinning.admits
            self._waiting.extend(
                [_without_secrets(item) if isinstance(item, Event) else item for item in items if admits(item)]
            )

    def flush(self) -> None:
        """Write what waits, in one transaction.

        Raises:
            StorageError: The disk refused; what waits is kept and can be flushed again.
        """
        with self._lock:
            if not self._waiting:
                return
            try:
                with self._transaction():
                    self._write(self._waiting)
            except sqlite3.Error as error:
                raise translated(error, self._path) from error
            self._waiting.clear()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._series.clear()  # ids given within the failed transaction are void
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _write(self, items: list[Row | Histogram | Event]) -> None:
        points, histograms, events = [], [], []
        for item in items:
            if isinstance(item, Event):
                events.append(tuple(item))
                continue
            series = self._series_id(item.phase, item.layer, item.quantity)
            if isinstance(item, Row):
                points.append((series, item.step, item.value))
            else:
                histograms.append((series, item.step, json.dumps(item.edges), json.dumps(item.counts)))
        self._database.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", points)
        self._database.executemany("INSERT OR REPLACE INTO histograms VALUES (?, ?, ?, ?)", histograms)
        self._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", events)
        if self._thinned != self._thinning.strides:
            self._thin()

    def _thin(self) -> None:
        """Keep the first point of each bucket; see `_thinning.py`."""
        for table, room, of_series in (
            ("points", ROOM.network, "layer = ''"),
            ("points", ROOM.layer, "layer <> ''"),
            ("histograms", ROOM.histogram, "1"),
        ):
            finite = "AND {0}.value IS NOT NULL AND abs({0}.value) < 9e999" if table == "points" else ""
            stride = self._thinning.strides[room]
            self._database.execute(
                f"DELETE FROM {table} WHERE step >= {DENSE} AND step % {stride} > 0 {finite.format(table)}"
                f" AND series IN (SELECT id FROM series WHERE {of_series})"
                f" AND EXISTS (SELECT 1 FROM {table} AS earlier WHERE earlier.series = {table}.series"
                f" AND earlier.step BETWEEN max({DENSE}, {table}.step - {table}.step % {stride}) AND {table}.step - 1"
                f" {finite.format('earlier')})"
            )
        self._thinned = dict(self._thinning.strides)

    def _series_id(self, phase: str, layer: str, quantity: str) -> int:
        key = (phase, layer, quantity)
        if key not in self._series:
            self._database.execute("INSERT OR IGNORE INTO series (phase, layer, quantity) VALUES (?, ?, ?)", key)
            (found,) = self._database.execute(
                "SELECT id FROM series WHERE phase = ? AND layer = ? AND quantity = ?", key
            ).fetchone()
            self._series[key] = found
        return self._series[key]

    def describe(self, layers: Iterable[TraceLayer] = (), facts: Mapping[str, str] | None = None) -> None:
        """Say what the network is made of and what holds for the whole training; written at once.

        Layers replace those said before, facts are added to them.
        """
        rows = [(place, json.dumps(layer)) for place, layer in enumerate(layers)]
        try:
            with self._lock, self._transaction():
                if rows:
                    self._database.execute("DELETE FROM layers")
                    self._database.executemany("INSERT INTO layers VALUES (?, ?)", rows)
                self._database.executemany(
                    "INSERT OR REPLACE INTO facts VALUES (?, ?)", list(without_secrets(facts or {}).items())
                )
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def forget_after(self, step: int) -> None:
        """Drop everything measured after `step`: a training that resumes there measures it again."""
        try:
            with self._lock:
                self._waiting = [item for item in self._waiting if item.step <= step]
                with self._transaction():
                    for table in ("points", "histograms", "events"):
                        self._database.execute(f"DELETE FROM {table} WHERE step > ?", (step,))
                waiting, self._waiting = self._waiting, []
                self._begin_thinning()
                self.add(waiting)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def read(self) -> Trace:
        """Everything flushed so far."""
        with self._lock:
            return _read(self._database)

    def close(self) -> None:
        """Flush, fold the write-ahead log into the file and let go of it. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        finally:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_trace(path: pathlib.Path) -> Trace:
    """The Trace in a file, also while another process writes it.

    Raises:
        RunFolderError: The file is not a trace.
        RunVersionError: It was written by another version.
    """
    if not path.exists():
        return Trace()
    with reading(path) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            return Trace()  # killed before its tables were made
        if version != TRACE_SCHEMA:
            raise RunVersionError(f"{path} has trace schema {version}", legal=str(TRACE_SCHEMA))
        refuse_types(database, path, _TYPES)
        return _read(database)


def _without_secrets(event: Event) -> Event:
    return event._replace(text=without_secrets(event.text))


def _read(database: sqlite3.Connection) -> Trace:
    database.execute("BEGIN")  # one snapshot for the three tables
    try:
        rows = database.execute(
            "SELECT step, phase, layer, quantity, value FROM points JOIN series ON id = series ORDER BY step, id"
        ).fetchall()
        histograms = database.execute(
            "SELECT step, phase, layer, quantity, edges, counts FROM histograms JOIN series ON id = series"
            " ORDER BY step, id"
        ).fetchall()
        events = database.execute("SELECT step, kind, text, layer FROM events ORDER BY step, rowid").fetchall()
        layers = database.execute("SELECT content FROM layers ORDER BY place").fetchall()
        facts = database.execute("SELECT name, value FROM facts ORDER BY name").fetchall()
    finally:
        database.execute("ROLLBACK")
    return Trace(
        rows=tuple(
            Row(step, phase, layer, quantity, math.nan if value is None else value)
            for step, phase, layer, quantity, value in rows
        ),
        histograms=_checked(tuple[Histogram, ...]).validate_python(
            [(*row[:-2], *map(json.loads, row[-2:])) for row in histograms]
        ),
        events=tuple(Event(*row) for row in events),
        layers=_checked(tuple[TraceLayer, ...]).validate_python([json.loads(content) for (content,) in layers]),
        facts=dict(facts),
    )


@functools.cache
def _checked(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
