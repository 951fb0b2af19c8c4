"""A table larger than the memory, prepared: read in pieces, encoded into a file of rows."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator

import numpy as np
import polars as pl
from torch import Tensor

from babysit.data._cells import with_numbers
from babysit.data._column_fit import fit_columns, said_aloud
from babysit.data._column_types import find_types
from babysit.data._columns import Columns
from babysit.data._deal import deal, refuse_unlearned
from babysit.data._describe import describe
from babysit.data._fingerprint import fingerprint
from babysit.data._found import Table
from babysit.data._large_table import LargeTable
from babysit.data._prepare_table import dealing_keys, stated_types
from babysit.data._prepared import Prepared
from babysit.data._row_file import RowFile, write_rows
from babysit.data._target import encode_target
from babysit.data._target_column import find_target
from babysit.record import DataError, Recipe


def prepare_large(recipe: Recipe, table: LargeTable) -> Prepared:
    """Rows of a large table as a file of raw numbers and category codes.

    The table is read twice, in pieces: to learn the columns from the training rows, and to encode all rows. In memory
    at once: one piece, the target, and the columns by which rows are dealt. The file lies where temporary files do
    and goes when its rows are no longer used.

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
    words = (*columns.features, *target.task.classes)
    size = len(inputs) * inputs.shape[1] * inputs.dtype.itemsize / 2**30
    kept = f"encoded rows, {size:.1f} GiB, lie in {inputs.path.parent} while they are used"
    notes = (*table.notes, kept, *notes)
    summary = describe(
        table.name, "table", tuple(inputs.shape[1:]), target.task, target.values, split, summaries, notes
    )  # fmt: skip
    return Prepared(
        inputs=inputs,
        targets=target.values,
        task=target.task,
        layout=columns.layout,
        columns=columns,
        split=split,
        summary=summary,
        decisions=(*chosen, *target.decisions, *said_aloud(types, columns), dealt),
        keys=keys,
        fingerprint=fingerprint(inputs, target.values, words),
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
