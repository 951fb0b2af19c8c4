"""prepare: from a source to rows ready to be cut into batches."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator

import numpy as np
import polars as pl
from torch import Tensor

from babysit.data._cells import as_days, as_numbers, with_numbers
from babysit.data._column_fit import fit_columns, said_aloud
from babysit.data._column_types import find_type, find_types
from babysit.data._columns import Columns
from babysit.data._found import Arrays, Found, LargeTable, Table
from babysit.data._joined import join_labels, with_given_files
from babysit.data._prepared import Prepared, prepared_from
from babysit.data._row_file import RowFile, write_rows
from babysit.data._rows import TensorRows
from babysit.data._sources import find_source
from babysit.data._splits import Keys, Labels, deal, refuse_unlearned
from babysit.data._target import Target, encode_target, find_target
from babysit.data._wording import nearest, row_numbers, several
from babysit.record import ColumnType, DataError, Recipe, RecipeError


def prepare(recipe: Recipe, source: object | None = None) -> Prepared:
    """Read data, find the target, split the rows, fit the columns on the training rows, and encode all rows.

    Args:
        recipe: Its data, split and seed are used.
        source: A path, the name of a bundled set (digits, iris, wine, breast-cancer, diabetes), or an object: a
            polars or pandas frame, a pair of arrays, a dictionary of arrays, a Hugging Face dataset, a PyTorch
            `Dataset`. None takes the recipe's.

    Returns:
        Raw rows in memory, or on disk when they would take too much of it; nothing is scaled or filled in yet.

    Raises:
        DataError: The data cannot be used; says what was found and what to write.
        RecipeError: A setting does not fit the data.

    Example:
        >>> prepared = prepare(Recipe(), "digits")
        >>> prepared.inputs.shape, prepared.inputs.dtype, prepared.task.kind
        (torch.Size([1797, 8, 8]), torch.uint8, 'classification')
        >>> {phase: len(rows) for phase, rows in prepared.split.items()}
        {'train': 1257, 'validation': 270, 'test': 270}
    """
    chosen = source if source is not None else recipe.data.source
    if chosen is None:
        raise RecipeError("no data was given", write="source = under [data] in the recipe, or babysit fit DATA")

    def read(named: object) -> Found:
        return find_source(named, recipe.data)

    found = with_given_files(read(chosen), recipe.split, read)
    if isinstance(found, Arrays):
        return prepare_arrays(recipe, found)
    return prepare_table(recipe, found) if isinstance(found, Table) else prepare_large(recipe, found)


def prepare_arrays(recipe: Recipe, found: Arrays) -> Prepared:
    """Arrays, split; their rows stay as they are."""
    for setting, name in (("group", recipe.split.group), ("time", recipe.split.time)):
        if name is not None:
            raise RecipeError(
                f"split.{setting}: {found.name} holds arrays, which have no column '{name}'",
                write="a table with that column",
            )
    if recipe.data.types:
        raise RecipeError(f"data.types: {found.name} holds arrays, which have no named columns", write="types = {}")
    values, joined = join_labels(found.targets, found.given.get("train", len(found.targets)))
    target = encode_target(values, found.name, recipe.data.task, found.class_names)
    classes = target.values.numpy() if target.task.kind == "classification" else None
    split, dealt = deal(len(target.values), recipe.split, recipe.seed, Keys(classes), found.given)
    notes = refuse_unlearned(target.task, target.values.numpy(), split)
    inputs = TensorRows(found.inputs) if isinstance(found.inputs, Tensor) else found.inputs
    return prepared_from(
        inputs,
        target,
        found.layout,
        split,
        source=found.name,
        notes=(*found.notes, *notes),
        decisions=(*found.decisions, *joined, *target.decisions, dealt),
    )


def prepare_table(recipe: Recipe, table: Table) -> Prepared:
    """Rows of a table as raw numbers and category codes.

    Args:
        recipe: Its data, split and seed are used.
        table: Cleaned rows.

    Raises:
        DataError: The data cannot be used.
        RecipeError: A setting names no column, or asks for what the data is not.
    """
    name, chosen = find_target(table, recipe.data.target)
    frame = table.frame
    training = table.given.get("train", frame.height)
    values, joined = join_labels(frame[name], training)
    target = encode_target(values, table.name, recipe.data.task, table.class_names)
    keys = dealing_keys(frame, recipe, name, target)
    split, dealt = deal(frame.height, recipe.split, recipe.seed, keys, table.given)
    notes = refuse_unlearned(target.task, target.values.numpy(), split)
    frame = with_numbers(frame, keep=[name])
    types = find_types(frame, stated_types(recipe, keys), name, table.named)
    columns, summaries = fit_columns(
        [frame[split["train"]]],
        types,
        target=name,
        place=frame.columns.index(name),
        named=table.named,
        missing=recipe.data.missing,
    )
    return prepared_from(
        TensorRows(columns.encode(frame)),
        target,
        columns.layout,
        split,
        source=table.name,
        columns=columns,
        summaries=summaries,
        notes=(*table.notes, *notes),
        decisions=(*table.decisions, *chosen, *joined, *target.decisions, *said_aloud(types, columns), dealt),
        keys=keys,
    )


def dealing_keys(frame: pl.DataFrame, recipe: Recipe, name: str, target: Target) -> Keys:
    """By what rows are split.

    Args:
        frame: With the columns by which the recipe splits.
        recipe: Says how rows are split.
        name: Of the target column.
        target: Encoded.

    Raises:
        RecipeError: A column is not there, or is missing in some rows.
    """
    classes = target.values.numpy() if target.task.kind == "classification" else None
    return Keys(classes, _groups(frame, recipe, name), _times(frame, recipe))


def stated_types(recipe: Recipe, keys: Keys) -> dict[str, ColumnType]:
    """The recipe's types; a column that groups rows is dropped unless stated, as its values never come again."""
    stated = dict(recipe.data.types)
    if keys.groups is not None and recipe.split.group is not None:
        stated.setdefault(recipe.split.group, "drop")
    return stated


def _column(frame: pl.DataFrame, setting: str, name: str) -> pl.Series:
    if name in frame.columns:
        kind = frame.schema[name]
        if kind.is_nested() or kind in (pl.Binary, pl.Object):
            raise RecipeError(
                f"split.{setting}: '{name}' holds a {kind} in each cell, not a single value",
                legal="text, numbers, dates",
            )
        return frame[name]
    alike = nearest(name, frame.columns)
    raise RecipeError(
        f"split.{setting}: no column '{name}'",
        legal=several(frame.columns, most=30),
        write=f"--set split.{setting}={alike}" if alike else None,
    )


def _whole(cells: pl.Series, setting: str) -> None:
    missing = cells.is_null().arg_true().to_list()
    if missing:
        raise RecipeError(
            f"split.{setting}: '{cells.name}' is missing in {row_numbers(missing)}",
            write="remove these rows, or split by another column",
        )


def _groups(frame: pl.DataFrame, recipe: Recipe, target: str) -> Labels | None:
    name = recipe.split.group
    if name is None or recipe.split.method not in ("auto", "grouped"):
        return None
    cells = _column(frame, "group", name)
    if name == target:
        raise RecipeError(f"split.group: '{name}' is the target", write="the column of the person, place or machine")
    _whole(cells, "group")
    return cells.rank("dense").to_numpy().astype(np.int64)


def _times(frame: pl.DataFrame, recipe: Recipe) -> Labels | None:
    name = recipe.split.time
    if name is None or recipe.split.method not in ("auto", "time"):
        return None
    cells = _column(frame, "time", name)
    _whole(cells, "time")
    found = find_type(cells)
    if found.type == "date":
        return as_days(cells, found.form).to_numpy()
    numbers = as_numbers(cells, found.decimal)
    if numbers.null_count():
        raise RecipeError(
            f"split.time: '{name}' holds neither numbers nor dates, for example '{cells[0]}'",
            legal="numbers, or dates that are all written the same way, such as 2024-02-29",
        )
    return numbers.to_numpy()


def prepare_large(recipe: Recipe, table: LargeTable) -> Prepared:
    """Rows of a large table as a file of raw numbers and category codes.

    The table is read twice, in pieces: to learn the columns from the training rows, and to encode all rows. In memory
    at once: one piece, the target, and the columns by which rows are split. The file is among the temporary files
    and is removed when its rows are no longer used.

    Args:
        recipe: Its data, split and seed are used.
        table: In pieces.

    Raises:
        DataError: The data cannot be used.
        RecipeError: A setting names no column, or asks for what the data is not.
        StorageError: The disk is full.
    """
    name, chosen = find_target(Table(table.name, table.sample), recipe.data.target)
    wanted = {name, recipe.split.group, recipe.split.time} & set(table.sample.columns)
    narrow = table.columns([column for column in table.sample.columns if column in wanted])
    target = encode_target(narrow[name], table.name, recipe.data.task)
    keys = dealing_keys(narrow, recipe, name, target)
    split, dealt = deal(table.rows, recipe.split, recipe.seed, keys)
    notes = refuse_unlearned(target.task, target.values.numpy(), split)
    sample = with_numbers(table.sample, keep=[name])
    types = find_types(sample, stated_types(recipe, keys), name)
    trains = np.zeros(table.rows, dtype=bool)
    trains[split["train"]] = True
    columns, summaries = fit_columns(
        (piece.filter(pl.Series(trains[start : start + piece.height])) for start, piece in table.pieces()),
        types,
        target=name,
        place=table.sample.columns.index(name),
        missing=recipe.data.missing,
    )
    inputs = spill(encoded_pieces(table, columns))
    size = len(inputs) * inputs.shape[1] * inputs.dtype.itemsize / 2**30
    kept = f"the encoded rows, {size:.1f} GiB, are kept in {inputs.path.parent} as long as they are used"
    return prepared_from(
        inputs,
        target,
        columns.layout,
        split,
        source=table.name,
        columns=columns,
        summaries=summaries,
        notes=(*table.notes, kept, *notes),
        decisions=(*chosen, *target.decisions, *said_aloud(types, columns), dealt),
        keys=keys,
    )


def encoded_pieces(table: LargeTable, columns: Columns) -> Iterator[Tensor]:
    """All rows of a large table as raw numbers and category codes."""
    for start, piece in table.pieces():
        try:
            yield columns.encode(piece)
        except DataError as error:
            given = f"{error.given} (rows counted from row {start + 1:,} of {table.name})"
            raise DataError(given, legal=error.legal, cause=error.cause, write=error.write) from None


def spill(pieces: Iterator[Tensor]) -> RowFile:
    """Rows written to a temporary file that goes with its object."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="babysit-rows-"))
    try:
        rows = write_rows(folder / "rows.npy", pieces)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(rows, shutil.rmtree, folder, ignore_errors=True)
    return rows
