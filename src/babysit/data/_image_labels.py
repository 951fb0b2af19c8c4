"""Labels of images that no folder names: from a table beside them, or from the names of the files."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Sequence

import polars as pl

from babysit.data._cells import as_text
from babysit.data._found import Found, Table
from babysit.data._wording import counted, several, share
from babysit.record import DataError, DataSection, Decision

NAMED = 0.9  # share of a column's cells that must be names of images
IN_NAMES = 0.95  # share of the images whose name must hold a class
LEAST_IMAGES = 3  # of a class in file names
TABLES = (".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".jsonl", ".json")
USUAL = ("label", "labels", "class", "class_name", "category", "target", "species", "breed", "y", "diagnosis", "level")
WORD_FIRST = re.compile(r"(?<![A-Za-z _-])([A-Za-z][A-Za-z _-]*?)[ ._-]*[(\[]?\d+[)\]]?(?:[ ._-]*copy)?")
CODE_FIRST = re.compile(r"^(\d{1,3}|[A-Za-z]+)[_-](?:.*\d.*)")


@dataclasses.dataclass(frozen=True)
class ImageLabels:
    """A label for each image.

    Attributes:
        labels: As many as images; null where none is known.
        target: What they are called.
        decisions: Where they come from.
    """

    labels: pl.Series
    target: str
    decisions: tuple[Decision, ...]


def labels_in_table(
    folder: pathlib.Path, files: Sequence[pathlib.Path], data: DataSection, read: Callable[[pathlib.Path], Found]
) -> ImageLabels | None:
    """Labels from a table in the folder that names the images; None when there is none.

    Args:
        folder: Whose tables, and those one level below, are looked at.
        files: The images.
        data: May name the target.
        read: How a table is read.

    Raises:
        DataError: A table names the images, and no column of it is the label.
    """
    tables = sorted(
        path
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
        if path.suffix.lower() in TABLES and path.is_file()
    )
    places: dict[str, int | None] = {}
    for place, file in enumerate(files):
        relative = file.relative_to(folder)
        for name in {str(relative), relative.as_posix(), file.name, file.stem}:
            places[name] = place if name not in places else None  # of two files of one name neither is meant
    for path in tables[:20]:
        try:
            table = read(path)
        except DataError:
            continue
        if not isinstance(table, Table):
            continue
        frame = table.frame
        for name in frame.columns:
            keys = as_text(frame[name]) if not frame.schema[name].is_nested() else None
            if keys is None or not keys.drop_nulls().len():
                continue
            known = keys.str.replace(r"^\./", "").replace_strict(places, default=None, return_dtype=pl.Int64)
            if known.is_not_null().sum() >= NAMED * min(len(keys), len(files)) and known.is_not_null().any():
                return _from_table(path, frame, name, known, len(files), data)
    return None


def _from_table(
    path: pathlib.Path, frame: pl.DataFrame, key: str, known: pl.Series, images: int, data: DataSection
) -> ImageLabels:
    others = [name for name in frame.columns if name != key]
    usual = [name for name in others if name.lower() in USUAL]
    if data.target is not None and data.target not in others:
        raise DataError(f"{path} has no column '{data.target}'", legal=several(others), write=f"--target {others[0]}")
    chosen = data.target or (usual[0] if usual else others[0] if len(others) == 1 else None)
    if chosen is None:
        raise DataError(
            f"{path} names the images in '{key}' and does not say which of its columns is the label: {several(others)}",
            write=f"--target '{others[0]}'" if others else None,
        )
    labels: list[object] = [None] * images
    for place, value in zip(known.to_list(), frame[chosen].to_list(), strict=True):
        if place is not None:
            labels[place] = value
    series = pl.Series(chosen, labels, strict=False)
    given = int(series.is_not_null().sum())
    why = f"its column '{key}' names {counted(given, 'image')} of {images:,}, '{chosen}' is their label"
    return ImageLabels(series, chosen, (Decision(setting="labels", value=path.name, why=why),))


def labels_in_names(files: Sequence[pathlib.Path]) -> ImageLabels | None:
    """Classes from file names such as cat.12.jpg or dog_3.png; None when the names do not say any.

    Args:
        files: The images.
    """
    for pattern in (WORD_FIRST, CODE_FIRST):
        found = [match[1].strip(" _-.").lower() if (match := pattern.fullmatch(file.stem)) else None for file in files]
        counts = Counter(word for word in found if word)
        several_classes = 2 <= len(counts) <= max(2, len(files) // LEAST_IMAGES)
        if several_classes and min(counts.values()) >= LEAST_IMAGES and sum(counts.values()) >= IN_NAMES * len(files):
            named = several(f"'{word}' ({count:,})" for word, count in counts.most_common())
            part = share(sum(counts.values()), len(files))
            why = f"the names of the files begin with the class: {named}; {part} of them"
            decision = Decision(
                setting="labels",
                value="from the names of the files",
                why=why,
                change="put the images of each class into a folder of its own: FOLDER/cat/1.jpg",
            )
            return ImageLabels(pl.Series("class", found), "class", (decision,))
    return None
