"""A folder of images, a class a folder."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl
from PIL import Image
from torch import Tensor

from babysit.data._decode import decode_images, open_file
from babysit.data._found import PHASES, Arrays, Found, unreadable
from babysit.data._image_labels import ImageLabels, labels_in_names, labels_in_table
from babysit.data._layout import find_layout
from babysit.data._named_arrays import phase_in
from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection, Decision

MOST_OTHERS = 20_000  # files of other kinds that are looked past; more is a folder that holds something else
TABLES = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".txt")
MASKS = ("mask", "masks", "annotation", "annotations", "segmentation", "segmentations", "gt", "groundtruth", "labels")
MASK_ENDING = ("_mask", "_seg", "_segmentation", "_gt", "-mask")
SAME_NAMES = 0.8  # share of the files of two folders with the same names from which one holds masks of the other
LEGAL = "a folder for each class with its images in it: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg"


@dataclass(frozen=True)
class Sorted:
    """Images by phase.

    Attributes:
        files: Training, then validation, then test images.
        folders: For each, its folders within the phase, from the outermost.
        counts: Images of each phase; one phase when the folders say none.
        decisions: What was left out.
    """

    files: list[pathlib.Path]
    folders: list[tuple[str, ...]]
    counts: dict[str, int]
    decisions: tuple[Decision, ...] = ()


def read_image_folder(path: pathlib.Path, data: DataSection, read: Callable[[pathlib.Path], Found]) -> Arrays:
    """Images as pixels, with the name of their folder, or what a table says of them, as class.

    `FOLDER/CLASS/*.png`; folders such as train, val and test, at any one level, give the split. Without folders of
    classes: a table that names the images, or classes at the beginning of the names.

    Args:
        path: Of the folder.
        data: May state the size and the target.
        read: How a table beside the images is read.

    Raises:
        DataError: No classes, no images, masks instead of classes, or images that cannot be read.
    """
    try:
        images, others = _images(path)
        _refuse_masks(path, images)
        images, masks = _without_masks(images)
        found = _by_phase(path, images)
        labels = _of_folders(found)
        if labels is None:
            labels = labels_in_table(path, found.files, data, read) or labels_in_names(found.files)
    except OSError as error:
        raise unreadable(path, error) from None
    if not found.files or labels is None:
        raise _no_classes(path, found.files)
    found, labels = _labelled(found, labels, path)
    names = [str(file.relative_to(path)) for file in found.files]
    decoded = decode_images([open_file(file) for file in found.files], names, str(path), data.image_size)
    given, start = {}, 0
    for phase, count in found.counts.items():
        given[phase] = sum(start <= place < start + count for place in decoded.kept)
        start += count
    notes = list(decoded.notes)
    if others:
        shown = several(str(other.relative_to(path)) for other in others)
        notes.append(
            f"{counted(len(others), 'file')} ignored, not {'an image' if len(others) == 1 else 'images'}: {shown}"
        )
    if masks:
        notes.append(f"{counted(len(masks), 'mask')} beside images left out, such as {masks[0].name}")
    layout, _ = find_layout(decoded.pixels.shape, str(path), whole=True)
    return Arrays(
        str(path),
        decoded.pixels,
        layout,
        labels.labels[list(decoded.kept)],
        labels.target,
        given=given if len(found.counts) > 1 else {},
        decisions=(*found.decisions, *labels.decisions, *decoded.decisions),
        notes=tuple(notes),
    )


def _by_phase(path: pathlib.Path, images: Sequence[pathlib.Path]) -> Sorted:
    """Images by the phase that a level of folders names; what stands beside these folders is left out."""
    parts = [file.relative_to(path).parts[:-1] for file in images]
    deepest = max(map(len, parts), default=0)
    for level in range(deepest):
        words = {part[level]: phase_in(part[level]) for part in parts if len(part) > level}
        phases = {phase for phase in words.values() if phase}
        if "train" not in phases or len(phases) < 2:
            continue
        rows: dict[str, list[int]] = {phase: [] for phase in PHASES}
        stray: list[int] = []
        for place, part in enumerate(parts):
            phase = words[part[level]] if len(part) > level else None
            (rows[phase] if phase else stray).append(place)
        folders = [tuple(name for name in (*part[:level], *part[level + 1 :]) if not phase_in(name)) for part in parts]
        counts = {phase: len(own) for phase, own in rows.items() if own}
        order = [place for own in rows.values() for place in own]
        decisions: list[Decision] = []
        if stray:
            beside = sorted({parts[place][level] if len(parts[place]) > level else "." for place in stray})
            why = f"it is beside {several(sorted(name for name, phase in words.items() if phase))}, and names no phase"
            value = f"{counted(len(stray), 'image')} in {several(beside)} left out"
            decisions.append(Decision(setting="images", value=value, why=why))
        return Sorted([images[place] for place in order], [folders[place] for place in order], counts, tuple(decisions))
    return Sorted(list(images), parts, {"train": len(images)})


def _of_folders(found: Sorted) -> ImageLabels | None:
    """The class of each image by the outermost level of folders that differs; null for images in no folder."""
    deepest = max(map(len, found.folders), default=0)
    for level in range(deepest):
        names = [folders[level] if len(folders) > level else None for folders in found.folders]
        if len({name for name in names if name}) > 1:
            return ImageLabels(pl.Series("class", names), "class", ())
    return None


def _labelled(found: Sorted, labels: ImageLabels, path: pathlib.Path) -> tuple[Sorted, ImageLabels]:
    """Images that have a label; a phase without any is not scored, and that is said."""
    kept: list[int] = []
    counts: dict[str, int] = {}
    decisions = list(found.decisions)
    start = 0
    for phase, count in found.counts.items():
        own = [place for place in range(start, start + count) if labels.labels[place] is not None]
        start += count
        kept += own
        if own:
            counts[phase] = len(own)
        if len(own) < count:
            gone = count - len(own)
            where = found.files[start - 1].parent.relative_to(path)
            value = f"{counted(gone, 'image')} of {phase} without a label left out"
            why = f"they are in no class: babysit predict RUN {path / where} answers for them"
            decisions.append(Decision(setting="labels", value=value, why=why))
    files, folders = [found.files[place] for place in kept], [found.folders[place] for place in kept]
    if "train" not in counts or labels.labels[kept].n_unique() < 2:
        raise _no_classes(path, files)
    chosen = ImageLabels(labels.labels[kept], labels.target, labels.decisions)
    return Sorted(files, folders, counts, tuple(decisions)), chosen


def _refuse_masks(path: pathlib.Path, images: Sequence[pathlib.Path]) -> None:
    """Raises DataError for images and their masks in two folders, which are for segmentation."""
    stems: dict[str, set[str]] = {}
    for file in images:
        for part in file.relative_to(path).parts[:-1]:
            stems.setdefault(part, set()).add(file.stem)
    for name, own in stems.items():
        if name.lower() not in MASKS or not own:
            continue
        for other, others in stems.items():
            if other == name:
                continue
            plain = {stem.removesuffix("_mask") for stem in own}
            if len(plain & others) >= SAME_NAMES * len(own):
                raise DataError(
                    f"{path} holds images and, in '{name}', a mask for each of them",
                    legal="a class or a number for each image; an answer for each pixel is not learned here",
                    cause="the data is for segmentation",
                )


def _without_masks(images: list[pathlib.Path]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Images, and the masks that stand beside them under the same name with an ending."""
    every = {file.with_suffix("") for file in images}
    masks = []
    for file in images:
        for ending in MASK_ENDING:
            if file.stem.endswith(ending) and file.with_name(file.stem.removesuffix(ending)) in every:
                masks.append(file)
                break
    gone = set(masks)
    return [file for file in images if file not in gone], masks


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


def _images(folder: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Images in a folder and below it, and the other files."""
    images: list[pathlib.Path] = []
    others: list[pathlib.Path] = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        if len(others) > MOST_OTHERS and len(others) > len(images):
            raise DataError(
                f"{folder} holds more than {MOST_OTHERS:,} files that are not images, and fewer images",
                legal=LEGAL,
                cause="the path leads to a folder above the data",
            )
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in sorted(files):
            if not name.startswith("."):
                file = pathlib.Path(root) / name
                (images if is_image(file) else others).append(file)
    return images, others


def _no_classes(path: pathlib.Path, files: list[pathlib.Path]) -> DataError:
    inside = sorted(path.iterdir())
    tables = [child.name for child in inside if child.suffix.lower() in TABLES]
    loose = [child for child in inside if child.is_file() and is_image(child)]
    if not inside:
        return DataError(f"the folder {path} is empty", legal=LEGAL)
    if files and not loose:
        return DataError(f"{path} has images of only one class, '{files[0].parent.name}'", legal=LEGAL)
    if loose:
        return DataError(f"{path} holds {counted(len(loose), 'image')} that are in no class folder", legal=LEGAL)
    if tables:
        return DataError(
            f"{path} is a folder without images",
            cause=f"you may have meant one of its files: {several(tables)}",
            write=str(path / tables[0]),
        )
    shown = several(child.name + ("/" if child.is_dir() else "") for child in inside)
    return DataError(f"{path} is a folder without images; it holds {shown}", legal=LEGAL)
