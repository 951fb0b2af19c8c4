"""A folder of images, a class a folder."""

from __future__ import annotations

import os
import pathlib

import polars as pl
from PIL import Image
from torch import Tensor

from babysit.data._decode import decode_images, open_file
from babysit.data._found import PHASES, Arrays, unreadable
from babysit.data._layout import find_layout
from babysit.data._named_arrays import phase_of
from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection

MOST_OTHERS = 20_000  # files of other kinds that are looked past; more is a folder that holds something else
TABLES = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".txt")


def read_image_folder(path: pathlib.Path, data: DataSection) -> Arrays:
    """Images as pixels, their folder's name as class.

    `FOLDER/CLASS/*.png`, or `FOLDER/train/CLASS/*.png` with `val` and `test` beside it for a given split.

    Args:
        path: Of the folder.
        data: May state the size.

    Raises:
        DataError: No class folders, no images, or images that cannot be read.
    """
    try:
        phases = _phases(path)
        files: list[pathlib.Path] = []
        classes: list[str] = []
        counts: dict[str, int] = {}
        others: list[pathlib.Path] = []
        for phase, folder in phases.items():
            before = len(files)
            for child in _folders(folder):
                images, rest = _images(child)
                files += images
                classes += [child.name] * len(images)
                others += rest
            counts[phase] = len(files) - before
    except OSError as error:
        raise unreadable(path, error) from None
    if not files or len(set(classes)) < 2:
        raise _no_classes(path, files)
    names = [str(file.relative_to(path)) for file in files]
    decoded = decode_images([open_file(file) for file in files], names, str(path), data.image_size)
    labels = pl.Series("class", classes)[list(decoded.kept)]
    given, start = {}, 0
    for phase, count in counts.items():
        given[phase] = sum(start <= place < start + count for place in decoded.kept)
        start += count
    notes = list(decoded.notes)
    if others:
        shown = several(str(other.relative_to(path)) for other in others)
        notes.append(
            f"{counted(len(others), 'file')} ignored, not {'an image' if len(others) == 1 else 'images'}: {shown}"
        )
    layout, _ = find_layout(decoded.pixels.shape, str(path), whole=True)
    return Arrays(
        str(path),
        decoded.pixels,
        layout,
        labels,
        "class",
        given=given if len(phases) > 1 else {},
        decisions=decoded.decisions,
        notes=tuple(notes),
    )


def read_loose_images(path: pathlib.Path, data: DataSection) -> tuple[Tensor, tuple[str, ...], tuple[str, ...]]:
    """All images in a folder and below it, for a model that is trained already.

    Returns:
        Pixels, the path of each image within the folder, and notes.

    Raises:
        DataError: No images, or images that cannot be read.
    """
    files, _ = _images(path)
    if not files:
        raise _no_classes(path, files)
    names = [str(file.relative_to(path)) for file in files]
    decoded = decode_images([open_file(file) for file in files], names, str(path), data.image_size)
    return decoded.pixels, tuple(names[place] for place in decoded.kept), decoded.notes


def is_image(path: pathlib.Path) -> bool:
    """Whether a file's name is one of an image that can be read."""
    extensions = Image.registered_extensions()
    return extensions.get(path.suffix.lower()) in Image.OPEN and path.suffix.lower() not in (".pdf", ".ps", ".eps")


def _phases(path: pathlib.Path) -> dict[str, pathlib.Path]:
    folders = _folders(path)
    found = {phase: folder for folder in folders if (phase := phase_of(folder.name))}
    if "train" in found and len(found) == len(folders):
        return {phase: found[phase] for phase in PHASES if phase in found}
    return {"train": path}


def _folders(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))


def _images(folder: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Images in a folder and below it, and the other files."""
    images: list[pathlib.Path] = []
    others: list[pathlib.Path] = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        if len(others) > MOST_OTHERS and len(others) > len(images):
            raise DataError(
                f"{folder} holds more than {MOST_OTHERS:,} files that are not images, and fewer images",
                legal="a folder for each class with its images in it: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg",
                cause="the path leads to a folder above the data",
            )
        for name in sorted(files):
            if not name.startswith("."):
                file = pathlib.Path(root) / name
                (images if is_image(file) else others).append(file)
    return images, others


def _no_classes(path: pathlib.Path, files: list[pathlib.Path]) -> DataError:
    inside = sorted(path.iterdir())
    tables = [child.name for child in inside if child.suffix.lower() in TABLES]
    loose = [child for child in inside if child.is_file() and is_image(child)]
    legal = "a folder for each class with its images in it: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg"
    if not inside:
        return DataError(f"the folder {path} is empty", legal=legal)
    if files:
        return DataError(f"{path} has images of only one class, '{files[0].parent.name}'", legal=legal)
    if loose:
        return DataError(f"{path} holds {counted(len(loose), 'image')} that are in no class folder", legal=legal)
    if tables:
        return DataError(
            f"{path} is a folder without images",
            cause=f"you may have meant one of its files: {several(tables)}",
            write=str(path / tables[0]),
        )
    shown = several(child.name + ("/" if child.is_dir() else "") for child in inside)
    return DataError(f"{path} is a folder without images; it holds {shown}", legal=legal)
