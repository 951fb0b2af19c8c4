"""A folder of tables: train, validation and test in files of their own, or the parts of one table."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Mapping

from babysit.data._found import Found, Table
from babysit.data._image_folder import is_image
from babysit.data._joined import join_phases
from babysit.data._named_arrays import PHASE_WORDS
from babysit.data._parquet import PARTITION, read_parquet, read_parts
from babysit.data._wording import several
from babysit.record import DataError, DataSection, Decision

PARQUET = (".parquet", ".pq")
TABLES = (
    *PARQUET,
    ".csv",
    ".tsv",
    ".txt",
    ".data",
    ".jsonl",
    ".ndjson",
    ".json",
    ".arff",
    ".feather",
    ".arrow",
    ".xlsx",
)
MOST_LOOKED_AT = 5_000  # files
PACKED = (".gz", ".bz2", ".xz", ".zip")


def read_table_folder(folder: pathlib.Path, data: DataSection, read: Callable[[object], Found]) -> Found | None:
    """The tables of a folder; None when it holds none, or several of which nothing says how they belong together.

    Args:
        folder: Looked at with the folders in it.
        data: How files are read, and the target.
        read: How a file is read.

    Raises:
        DataError: They cannot be read or do not go together.
    """
    if _holds_images(folder):
        return None
    children = sorted(child for child in folder.iterdir() if not child.name.startswith((".", "_")))
    inner = [child for child in children if child.is_dir()]
    parts = [child for child in children if child.is_file() and child.suffix.lower() in PARQUET]
    tables = [child for child in children if child.is_file() and table_suffix(child) in TABLES]
    phases = phase_files(tables)
    if not phases and len(inner) == 1 and inner[0].name.lower() == "data":
        return read_table_folder(inner[0], data, read)
    if phases:
        return _read_phases(phases, folder, data, read)
    nested = any(
        PARTITION.fullmatch(child.name) or any(other.suffix.lower() in PARQUET for other in child.iterdir())
        for child in inner[:20]
    )
    if parts or nested:
        return read_parquet(folder, data)
    if len(tables) == 1 and not inner:
        return read(tables[0])
    return None


def _holds_images(folder: pathlib.Path) -> bool:
    """Whether there is an image among the first files of the folder and the folders in it."""
    looked_at = 0
    for _, _, files in os.walk(folder):
        for name in files:
            if is_image(pathlib.Path(name)):
                return True
        looked_at += len(files)
        if looked_at > MOST_LOOKED_AT:
            break
    return False


def table_suffix(path: pathlib.Path) -> str:
    """The ending that says what is inside, behind which one may say how it is compressed."""
    endings = [ending.lower() for ending in path.suffixes]
    while endings and endings[-1] in PACKED:
        endings.pop()
    return endings[-1] if endings else ""


def phase_files(files: list[pathlib.Path]) -> dict[str, list[pathlib.Path]]:
    """Files by the phase that their names say; none unless training rows are among them and another phase."""
    found: dict[str, list[pathlib.Path]] = {}
    for file in files:
        words = [word for word in re.split(r"[^a-z]+", file.name.lower().split(".")[0]) if word]
        phases = {PHASE_WORDS[word] for word in words if word in PHASE_WORDS}
        if len(phases) == 1:
            found.setdefault(phases.pop(), []).append(file)
    return found if "train" in found and len(found) > 1 else {}


def _read_phases(
    phases: Mapping[str, list[pathlib.Path]], folder: pathlib.Path, data: DataSection, read: Callable[[object], Found]
) -> Found:
    parts: dict[str, Found] = {}
    for phase, files in phases.items():
        if all(file.suffix.lower() in PARQUET for file in files):
            parts[phase] = read_parts(files, files[0] if len(files) == 1 else folder, data)
        elif len(files) == 1:
            parts[phase] = read(files[0])
        else:
            raise DataError(
                f"{folder} holds several {phase} files: {several(file.name for file in files)}",
                legal="one file a phase, or parts in Parquet",
                write=f"{files[0]}",
            )
    said = []
    train = parts["train"]
    for phase in [phase for phase in parts if phase != "train"]:
        other = parts[phase]
        if not (isinstance(train, Table) and isinstance(other, Table)):
            continue
        absent = [name for name in train.frame.columns if name not in other.frame.columns]
        if absent and train.named and other.named and (data.target in absent or (not data.target and len(absent) == 1)):
            target = data.target or absent[0]
            del parts[phase]
            why = (
                f"it has no column '{target}', so it can be predicted and not scored: babysit predict RUN {other.name}"
            )
            said.append(Decision(setting="split", value=f"{pathlib.Path(other.name).name} left out", why=why))
            if not data.target:
                train = dataclasses.replace(train, target=target)
                parts["train"] = train
    found = join_phases(parts, str(folder)) if len(parts) > 1 else dataclasses.replace(train, name=str(folder))
    return dataclasses.replace(found, decisions=(*found.decisions, *said)) if isinstance(found, Table) else found
