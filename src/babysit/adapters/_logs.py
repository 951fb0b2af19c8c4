"""Logs of trainings that babysit did not see: whatever wrote them, they become a Trace.

events.out.tfevents.*       TensorBoard                     extra `tensorboard`
run-*.wandb                 Weights & Biases, offline       extra `wandb`
mlruns/, mlflow.db          MLflow's folder or database
trainer_state.json          Transformers' Trainer
*.csv, *.tsv                Lightning's and Keras' CSVLogger, or plain columns
*.json, *.jsonl             a list of records, columns, Keras' history, or a record a line
anything else               what a script printed
"""

from __future__ import annotations

import csv
import io
import json
import math
import pathlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from babysit.adapters._log_binary import tensorboard_records, wandb_records
from babysit.adapters._log_numbers import PHASES, LogNumber, meaning, trace_of_log
from babysit.adapters._log_text import numbers_of_text
from babysit.record import InputError, Trace

LEGAL = (
    "TensorBoard event files, an offline run of W&B, MLflow's folder, trainer_state.json, CSV, JSON, JSON lines, or"
    " what a script printed"
)
LARGEST = 512 << 20  # bytes of a text that is read whole
SQLITE = b"SQLite format 3\0"
NONE = "there are no numbers of a training in {path}"

Record = Mapping[str, Any]


def read_log(path: pathlib.Path) -> Trace:
    """The Trace of a log.

    Args:
        path: A file, or a folder that holds one.

    Raises:
        InputError: There is no log, several, or one without numbers of a training.

    Example:
        >>> import tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "log.csv")
        >>> _ = file.write_text("epoch,loss,val_loss\\n0,2.3,2.3\\n1,1.2,1.4\\n")
        >>> read_log(file).series("data-loss", phase="validation").values
        (2.3, 1.4)
    """
    try:
        numbers, phases = _of_folder(path) if path.is_dir() else _of_file(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", legal=LEGAL) from error
    trace = trace_of_log(numbers, phases)
    if not trace.rows:
        raise InputError(NONE.format(path=path), legal=LEGAL, cause="no name in it is that of a loss or a score")
    return trace


def is_log(path: pathlib.Path) -> bool:
    """Whether a file or folder is somebody else's log and no Run or trace of babysit's.

    Example:
        >>> is_log(pathlib.Path("nothing-of-this-name"))
        False
    """
    if path.is_dir():
        return not (path / "recipe.toml").exists() and not (path / "trace.sqlite").exists()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            return True
    return bool(_mlflow_runs(path))


Found = tuple[list[LogNumber], dict[str, str]]


def _of_folder(folder: pathlib.Path) -> Found:
    """The one log of a folder; of checkpoints the last."""
    events = sorted(folder.rglob("events.out.tfevents.*"))
    if events:
        return _of_event_folders(folder, events)
    metrics = sorted(found for found in folder.rglob("metrics") if found.is_dir())
    if metrics:
        return _of_mlflow_folder(_only(metrics, folder))
    states = sorted(folder.rglob("trainer_state.json"), key=lambda found: found.stat().st_mtime)
    if states:
        return _of_file(states[-1])  # each holds all that was logged until then
    for pattern in ("*.wandb", "mlflow.db", "metrics.csv", "*.csv", "*.jsonl", "*.json", "*.log", "*.txt", "*.out"):
        files = sorted(found for found in folder.rglob(pattern) if found.is_file())
        if files:
            return _of_file(_only(files, folder))
    raise InputError(f"there is no log in {folder}", legal=LEGAL)


def _only(found: Sequence[pathlib.Path], folder: pathlib.Path) -> pathlib.Path:
    if len(found) > 1:
        raise InputError(
            f"{folder} holds {len(found)} logs",
            legal="one",
            cause="each training has a log of its own",
            write=f"babysit diagnose {found[-1]}",
        )
    return found[0]


def _of_file(path: pathlib.Path) -> Found:
    if "tfevents" in path.name:
        return _numbered(tensorboard_records(path)), {}
    if path.suffix == ".wandb":
        return _numbered(wandb_records(path)), {}
    if not path.is_file():
        raise InputError(f"{path} is not a file", legal=LEGAL)
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes", legal=f"at most {LARGEST:,}")
    data = path.read_bytes()
    if data.startswith(SQLITE):
        return _of_mlflow_database(path)
    text = data.decode("utf-8-sig", errors="replace")
    if path.suffix in (".json", ".jsonl", ".ndjson") or text.lstrip()[:1] in ("{", "["):
        records = _json_records(text)
        if records is not None:
            return _numbered(records), {}
    if path.suffix in (".csv", ".tsv") or _looks_like_columns(text):
        return _numbered(_columns(text, path)), {}
    return numbers_of_text(text)


def _numbered(records: Iterable[Record]) -> list[LogNumber]:
    """Numbers of records, each with its place. A record without a number of a training has none."""
    found: list[LogNumber] = []
    axes: dict[str, str] = {}
    for record, one in enumerate(records):
        flat = dict(_flat(one))
        for name in flat:
            what = meaning(name)
            if what is not None and not what.phase:
                axes.setdefault(name, what.quantity)
        places = {quantity: flat[name] for name, quantity in axes.items() if name in flat}
        if "_step" in flat:
            places["step"] = flat["_step"]
        found += [
            LogNumber(record, places.get("step"), places.get("epoch"), name, value)
            for name, value in flat.items()
            if name not in axes
        ]
    return found


def _flat(record: Record, before: str = "") -> Iterator[tuple[str, float]]:
    """Names and numbers, of records within records, too."""
    for name, value in record.items():
        whole = f"{before}/{name}" if before else str(name)
        if isinstance(value, Mapping):
            yield from _flat(value, whole)
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int | float):
            yield whole, float(value)
        elif isinstance(value, str) and value.strip():
            try:
                yield whole, float(value)
            except ValueError:
                continue


def _json_records(text: str) -> list[Record] | None:
    """Records of a JSON text; None where it is none, as a line of Python's own dictionaries is not."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return _json_lines(text)
    if isinstance(whole, dict):
        for name in ("log_history", "history"):
            if isinstance(whole.get(name), list | dict):
                whole = whole[name]
                break
    if isinstance(whole, list):
        return [one for one in whole if isinstance(one, dict)]
    if not isinstance(whole, dict):
        return None
    columns = {str(name): column for name, column in whole.items() if isinstance(column, list)}
    if columns:  # Keras' history
        length = max(len(column) for column in columns.values())
        return [
            {"epoch": at, **{name: column[at] for name, column in columns.items() if at < len(column)}}
            for at in range(length)
        ]
    return [whole]


def _json_lines(text: str) -> list[Record] | None:
    found: list[Record] = []
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the last line of a training that was killed, or a line that was printed between
        if isinstance(one, dict):
            found.append(one)
    return found if 2 * len(found) >= len(lines) > 0 else None


def _looks_like_columns(text: str) -> bool:
    first, _, rest = text.partition("\n")
    names = first.strip().split("\t" if "\t" in first else ",")
    second = rest.partition("\n")[0]
    plain = all(re.fullmatch(r"[\w/ .@()-]+", name) for name in names)  # `loss: 2.3` is no name of a column
    return (
        plain
        and len(names) > 1
        and second.count(",") + second.count("\t") >= len(names) - 1
        and any(map(meaning, names))
    )


def _columns(text: str, path: pathlib.Path) -> list[Record]:
    lines = text.splitlines()
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        raise InputError(f"{path} is empty", legal=LEGAL)
    delimiter = max(",\t;", key=lines[0].count)
    try:
        return list(csv.DictReader(io.StringIO("\n".join(lines)), delimiter=delimiter, restval=None, restkey="(rest)"))
    except csv.Error as error:
        raise InputError(f"{path} is not CSV: {error}", legal=LEGAL) from error


def _of_mlflow_folder(metrics: pathlib.Path) -> Found:
    """A file a metric, a line `time value step` a number."""
    found: list[LogNumber] = []
    for file in sorted(metrics.rglob("*")):
        if not file.is_file():
            continue
        name = str(file.relative_to(metrics))
        for record, line in enumerate(file.read_text(errors="replace").splitlines()):
            parts = line.split()
            if len(parts) >= 2:
                step = float(parts[2]) if len(parts) > 2 else None
                found.append(LogNumber(record, step, None, name, _number(parts[1])))
    return found, {}


def _of_mlflow_database(path: pathlib.Path) -> Found:
    runs = _mlflow_runs(path)
    if not runs:
        raise InputError(f"{path} is a database that holds no run of MLflow", legal=LEGAL)
    with closing(_database(path)) as database:
        asked = "SELECT key, value, is_nan, step FROM metrics WHERE run_uuid = ? ORDER BY timestamp, step"
        told = database.execute(asked, (runs[-1],)).fetchall()
    counts: dict[str, int] = {}
    found = []
    for name, value, not_a_number, step in told:
        counts[name] = counts.get(name, -1) + 1
        found.append(LogNumber(counts[name], step, None, name, math.nan if not_a_number else float(value)))
    return found, {}


def _mlflow_runs(path: pathlib.Path) -> list[str]:
    """Runs of a database with metrics, the last one last; none where it is another's."""
    try:
        with closing(_database(path)) as database:
            asked = "SELECT run_uuid FROM metrics GROUP BY run_uuid ORDER BY MAX(timestamp)"
            return [run for (run,) in database.execute(asked)]
    except sqlite3.Error:
        return []


def _database(path: pathlib.Path) -> sqlite3.Connection:
    return sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _of_event_folders(folder: pathlib.Path, files: Sequence[pathlib.Path]) -> Found:
    """One training's events: of one folder, or of folders of its phases, as Keras' `train` and `validation` are."""
    places = sorted({file.parent for file in files})
    phases_of = {place: _phase_of_folder(place) for place in places}
    if len(places) > 1 and not all(phases_of[place] or place == folder for place in places):
        named = [place for place in places if not phases_of[place]]
        raise InputError(
            f"{folder} holds events of {len(places)} trainings",
            legal="the folder of one",
            write=f"babysit diagnose {named[-1]}",
        )
    found: list[LogNumber] = []
    phases: dict[str, str] = {}
    for file in files:
        told = phases_of[file.parent]
        for number in _numbered(tensorboard_records(file)):
            name = f"{told} {number.name}" if told else number.name
            found.append(number._replace(name=name))
            if told:
                phases[name] = told
    return found, phases


def _phase_of_folder(folder: pathlib.Path) -> str:
    return next((phase for phase, names in PHASES.items() if folder.name.lower() in names), "")
