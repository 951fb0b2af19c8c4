"""Datasets of PyTorch and Hugging Face as sources, without importing the latter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from babysit.data._arrays import as_array, from_arrays
from babysit.data._cells import clean
from babysit.data._decode import decode_images
from babysit.data._found import Arrays, Found, Table
from babysit.data._layout import find_layout
from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection

MOST_ITEMS = 50_000_000  # an endless stream is noticed somewhere


def from_torch_dataset(dataset: Dataset[Any], name: str, data: DataSection) -> Found:
    """A PyTorch `Dataset` of pairs (input, target), read once from the first to the last.

    Args:
        dataset: Map-style or iterable; inputs are tensors, arrays, images or numbers of one shape.
        name: Of the source.
        data: May state the size of images.

    Raises:
        DataError: Items are not pairs, or their shapes differ.
    """
    target = data.target or "target"
    if isinstance(dataset, TensorDataset) and len(dataset.tensors) == 2:
        return from_arrays(*dataset.tensors, name=name, target=target)
    inputs, targets = [], []
    for place, item in enumerate(_items(dataset, name)):
        if not isinstance(item, tuple | list) or len(item) != 2:
            shown = f"a {type(item).__name__}" + (f" of {len(item)}" if isinstance(item, tuple | list) else "")
            raise DataError(f"{name}: item {place} is {shown}", legal="a pair (input, target)")
        inputs.append(item[0])
        targets.append(item[1].item() if isinstance(item[1], Tensor | np.generic) and item[1].size else item[1])
    if not inputs:
        raise DataError(f"{name} has no items")
    labels = np.asarray(targets)
    class_names = getattr(dataset, "classes", None)
    names = tuple(map(str, class_names)) if isinstance(class_names, list | tuple) and labels.dtype.kind in "iu" else ()
    if isinstance(inputs[0], Image.Image):
        series = pl.Series(target, labels)
        return from_images(inputs, series, name, data, names)
    try:
        stacked = stack_items(inputs)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name}: its inputs cannot be made an array: {str(error)[:200]}",
            legal="numbers, arrays or tensors of one shape, or Pillow images of any size",
        ) from None
    return from_arrays(stacked, labels, name=name, target=target, class_names=names)


def stack_items(items: Sequence[Any]) -> Any:
    """Items of one shape as one array."""
    if isinstance(items[0], Tensor):
        return torch.stack([torch.as_tensor(item) for item in items])
    return np.stack([as_array(item, "inputs") if np.ndim(item) else np.asarray(item) for item in items])


def _items(dataset: Dataset[Any], name: str) -> Iterator[Any]:
    if isinstance(dataset, IterableDataset):
        for place, item in enumerate(dataset):
            if place >= MOST_ITEMS:
                raise DataError(f"{name} does not end after {MOST_ITEMS:,} items", cause="an endless stream")
            yield item
        return
    try:
        count = len(dataset)  # type: ignore[arg-type]
    except TypeError:
        raise DataError(
            f"{name} has no length", legal="a Dataset with __len__ and __getitem__, or an IterableDataset"
        ) from None
    for place in range(count):
        yield dataset[place]


def from_images(
    images: Sequence[Image.Image], targets: pl.Series, name: str, data: DataSection, class_names: tuple[str, ...]
) -> Arrays:
    """Pillow images of any size and mode."""
    openers = [_kept_open(image) for image in images]
    names = [f"image {place + 1}" for place in range(len(images))]
    decoded = decode_images(openers, names, name, data.image_size)
    layout, _ = find_layout(decoded.pixels.shape, name, whole=True)
    return Arrays(
        name,
        decoded.pixels,
        layout,
        targets[list(decoded.kept)],
        targets.name,
        class_names=class_names,
        decisions=decoded.decisions,
        notes=decoded.notes,
    )


def _kept_open(image: Image.Image) -> Any:
    return lambda: image.copy()  # the decoder closes what it opens, and the image is the user's


def is_hugging_face(source: object) -> bool:
    """Whether this is a Dataset or DatasetDict of the library `datasets`."""
    return any(
        kind.__module__.partition(".")[0] == "datasets" and kind.__name__ in ("Dataset", "DatasetDict")
        for kind in type(source).__mro__
    )


def from_hugging_face(dataset: Any, name: str, data: DataSection) -> Found:
    """A Hugging Face `Dataset`: a table, or images when a column holds them.

    Args:
        dataset: Of the library `datasets`, in memory or memory-mapped.
        name: Of the source.
        data: May name the target.

    Raises:
        DataError: No target, or several image columns.
    """
    features = dataset.features
    labels = [column for column, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    pictures = [column for column, feature in features.items() if type(feature).__name__ == "Image"]
    if not len(dataset):
        raise DataError(f"{name} has no rows")
    target = data.target if data.target in features else (labels[-1] if labels else None)
    names = tuple(features[target].names) if target in labels else ()
    if not pictures:
        frame = clean(dataset.with_format("polars")[:])
        return Table(name, frame, target=None if data.target else target, class_names=names)
    if len(pictures) > 1 or target is None:
        raise DataError(
            f"{name} has the columns {several(features, most=12)}",
            legal="one Image column and a ClassLabel column, or a target by name",
            write="--target COLUMN",
        )
    images = dataset.with_format(None)
    openers = [_opened_row(images, row, pictures[0]) for row in range(len(dataset))]
    rows = [f"image {row + 1}" for row in range(len(dataset))]
    decoded = decode_images(openers, rows, name, data.image_size)
    targets = pl.Series(target, list(dataset[target]))[list(decoded.kept)]
    layout, _ = find_layout(decoded.pixels.shape, name, whole=True)
    aside = [column for column in features if column not in (target, pictures[0])]
    notes = [f"{counted(len(aside), 'column')} ignored: {several(aside)}"] if aside else []
    return Arrays(
        name,
        decoded.pixels,
        layout,
        targets,
        target,
        class_names=names,
        decisions=decoded.decisions,
        notes=(*decoded.notes, *notes),
    )


def _opened_row(dataset: Any, row: int, column: str) -> Any:
    def opened() -> Image.Image:
        image: Image.Image = dataset[row][column].copy()
        return image

    return opened
