"""New rows for a model that is trained already: to predict, or to score it by."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch
from torch import Tensor

from babysit.data._arrays import as_array, as_numbers, refuse_infinite, smallest_type
from babysit.data._columns import Columns
from babysit.data._found import Arrays, LargeTable, Table
from babysit.data._image_folder import read_loose_images
from babysit.data._layout import ImageLayout, TableLayout
from babysit.data._named_arrays import INPUTS
from babysit.data._npy import read_npy, read_npz
from babysit.data._prepare import encoded_pieces, spill
from babysit.data._rows import Indices, Rows, TensorRows
from babysit.data._sources import find_source
from babysit.data._target import Task, encode_known
from babysit.data._target_cells import known_cells
from babysit.data._wording import counted
from babysit.record import DataError, DataSection

LUMA = (0.299, 0.587, 0.114)  # grey from colours, ITU-R BT.601, as Pillow has it


@dataclass(frozen=True)
class NewRows:
    """Rows encoded as those of training were.

    Attributes:
        inputs: Raw inputs.
        targets: int64 classes by the model's own numbers, or float32 values; None when the source has none.
        notes: What a careful reader would want to know.
        frame: The table they came from; None for arrays and images.
        names: The file of each image of a folder; empty for other sources.
        scored: Numbers of the rows that `targets` belong to; None for all.
    """

    inputs: Rows
    targets: Tensor | None
    notes: tuple[str, ...] = field(default=())
    frame: pl.DataFrame | None = None
    names: tuple[str, ...] = ()
    scored: Indices | None = None


def read_new_rows(
    source: object,
    data: DataSection,
    columns: Columns | None,
    layout: TableLayout | ImageLayout,
    task: Task,
    *,
    scored: bool = True,
) -> NewRows:
    """Rows for a trained model, with their targets if the source holds them.

    Args:
        source: As `prepare` takes it; inputs alone will do: a file without the target column, an array, a .npy file,
            a folder of images.
        data: How the files of training were read.
        columns: Of training, for a table.
        layout: Of training.
        task: What was learned.
        scored: Whether the targets are wanted, too.

    Raises:
        DataError: It cannot be read, or does not fit to the rows of training.
    """
    if columns is not None:
        found = find_source(source, data.model_copy(update={"target": None}))
        if isinstance(found, LargeTable):
            return _from_large_table(found, columns, task, scored)
        return _from_table(found if isinstance(found, Table) else _as_table(found, columns), columns, task, scored)
    if isinstance(layout, ImageLayout):
        height, width, *_ = layout.shape if layout.axes != "NCHW" else layout.shape[1:]
        data = data.model_copy(update={"image_size": height if height == width else None})
    alone = _inputs_alone(source)
    if alone is not None:
        return NewRows(TensorRows(_fitting(alone, layout)), None)
    if isinstance(source, str | pathlib.Path) and pathlib.Path(source).is_dir():
        images, names, notes = read_loose_images(pathlib.Path(source), data)
        classes = [pathlib.Path(source, name).parent.name for name in names]
        known = all(name in task.classes for name in classes)
        targets = encode_known(pl.Series(task.target, classes), task, str(source)) if known else None
        return NewRows(TensorRows(_fitting(images, layout)), targets, notes, names=names)
    found = find_source(source, data.model_copy(update={"target": data.target if task.target == data.target else None}))
    if isinstance(found, LargeTable):
        raise DataError(f"{found.name} is a table, and the model was trained on arrays")
    if isinstance(found, Table):
        found = _as_arrays(found, layout)
    targets = encode_known(_named(found.targets, found.class_names), task, found.name)
    return NewRows(TensorRows(_fitting(found.tensor, layout)), targets, found.notes)


def _named(values: pl.Series, class_names: tuple[str, ...]) -> pl.Series:
    if class_names and values.dtype.is_integer():
        names = dict(enumerate(class_names))
        return values.replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    return values


def _as_table(found: Arrays, columns: Columns) -> Table:
    """Arrays for a model that was trained on a table: columns in the order of training."""
    if isinstance(found.layout, ImageLayout):
        raise DataError(f"{found.name} holds images, and the model was trained on a table")
    own = [column.name for column in columns.columns]
    cells = found.tensor.unbind(1)
    names = own if len(own) == len(cells) else [f"column_{place + 1}" for place in range(len(cells))]
    frame = pl.DataFrame({name: column.numpy() for name, column in zip(names, cells, strict=True)})
    targets = _named(found.targets, found.class_names).alias(columns.target)
    return Table(found.name, frame.with_columns(targets))


def _from_large_table(table: LargeTable, columns: Columns, task: Task, scored: bool) -> NewRows:
    columns.match(table.sample)
    targets, rows = None, None
    if scored and columns.target in table.sample.columns:
        targets, rows = _targets_of(table.columns([columns.target])[columns.target], columns, task, table.name)
    return NewRows(spill(encoded_pieces(table, columns)), targets, table.notes, scored=rows)


def _from_table(table: Table, columns: Columns, task: Task, scored: bool) -> NewRows:
    frame, ignored = columns.match(table.frame)
    notes = (*table.notes, *ignored)
    if table.class_names and columns.target in frame.columns:
        frame = frame.with_columns(_named(frame[columns.target], table.class_names))
    targets, rows = None, None
    if scored and columns.target in frame.columns and frame[columns.target].null_count() < frame.height:
        targets, rows = _targets_of(frame[columns.target], columns, task, table.name)
        if rows is not None:
            gone = frame.height - len(rows)
            notes = (*notes, f"{counted(gone, 'row')} without a target {'is' if gone == 1 else 'are'} not scored")
    aside = [table.frame[name] for name in table.frame.columns if ignored and name not in frame.columns]
    return NewRows(TensorRows(columns.encode(frame)), targets, notes, frame.with_columns(aside), scored=rows)


def _targets_of(raw: pl.Series, columns: Columns, task: Task, source: str) -> tuple[Tensor, Indices | None]:
    """Targets of the rows that have one, and their numbers where some have none."""
    cells = known_cells(raw, task.reading, task.classes, columns.missing)
    present = cells.is_not_null()
    if present.all() or not present.any():
        return encode_known(cells, task, source), None
    return encode_known(cells.filter(present), task, source), np.flatnonzero(present.to_numpy())


def _inputs_alone(source: object) -> Tensor | None:
    """Inputs of a source that holds no targets: an array, a .npy file, a .npz with inputs only."""
    if isinstance(source, str | pathlib.Path):
        path = pathlib.Path(source)
        if path.suffix.lower() == ".npy" and path.is_file():
            source = read_npy(path)
        elif path.suffix.lower() == ".npz" and path.is_file():
            arrays = read_npz(path)
            if len(arrays) == 1 and next(iter(arrays)).lower() in INPUTS:
                source = next(iter(arrays.values()))
    if isinstance(source, np.ndarray | Tensor):
        numbers = as_numbers(as_array(source, "the inputs"), "the inputs")
        refuse_infinite(numbers, "the array", None)
        return smallest_type(numbers)
    return None


def _as_arrays(table: Table, layout: TableLayout | ImageLayout) -> Arrays:
    """A table of numbers for a model that was trained on arrays: the last column is the target."""
    if isinstance(layout, ImageLayout):
        raise DataError(f"{table.name} is a table, and the model was trained on images")
    if table.frame.width != layout.numbers + 1:
        raise DataError(
            f"{table.name} has {table.frame.width} columns",
            legal=f"{layout.numbers} numbers, as in training, and the target as the last column",
        )
    *inputs, target = table.frame.columns
    try:
        numbers = table.frame.select(pl.col(inputs).cast(pl.Float64)).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{table.name} holds cells that are not numbers: {str(error)[:100]}") from None
    return Arrays(table.name, smallest_type(torch.from_numpy(numbers.copy())), layout, table.frame[target], target)


def _fitting(inputs: Tensor, layout: TableLayout | ImageLayout) -> Tensor:
    """Inputs in the shape of training: grey and coloured images are turned into each other."""
    wanted = (layout.numbers,) if isinstance(layout, TableLayout) else layout.shape
    own = tuple(inputs.shape[1:])
    if own == wanted:
        return inputs
    if own == () and wanted == (1,):
        return inputs[:, None]
    if isinstance(layout, ImageLayout) and layout.axes == "NHWC" and own == wanted[:2] and wanted[2] == 3:
        return inputs[..., None].expand(*inputs.shape, 3).contiguous()
    if isinstance(layout, ImageLayout) and layout.axes == "NHW" and own == (*wanted, 3):
        grey = (inputs.to(torch.float32) * torch.tensor(LUMA)).sum(-1)
        return grey.round().to(inputs.dtype) if inputs.dtype == torch.uint8 else grey
    one = f"one of shape {own}" if own else "a single number"
    raise DataError(
        f"a row of the inputs is {one}, and the model was trained on rows of shape {wanted}",
        cause="the target is among the inputs"
        if own == (wanted[0] + 1,)
        else "these are not the same kind of data as the training data",
    )
