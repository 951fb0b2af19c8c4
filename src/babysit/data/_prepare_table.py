"""A table, prepared: target found, rows dealt, columns learned from the training rows, all rows encoded."""

from __future__ import annotations

import numpy as np
import polars as pl

from babysit.data._cells import as_days, as_numbers, with_numbers
from babysit.data._column_fit import fit_columns, said_aloud
from babysit.data._column_types import find_type, find_types
from babysit.data._deal import Keys, deal, refuse_unlearned
from babysit.data._describe import describe
from babysit.data._fingerprint import fingerprint
from babysit.data._found import Table
from babysit.data._given_files import join_labels
from babysit.data._prepared import Prepared
from babysit.data._rows import TensorRows
from babysit.data._splits import Labels
from babysit.data._target import Target, encode_target
from babysit.data._target_column import find_target
from babysit.data._wording import nearest, row_numbers, several
from babysit.record import ColumnType, Recipe, RecipeError


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
    inputs = TensorRows(columns.encode(frame))
    summary = describe(
        table.name,
        "table",
        tuple(inputs.shape[1:]),
        target.task,
        target.values,
        split,
        summaries,
        (*table.notes, *notes),
    )
    return Prepared(
        inputs=inputs,
        targets=target.values,
        task=target.task,
        layout=columns.layout,
        columns=columns,
        split=split,
        summary=summary,
        decisions=(*table.decisions, *chosen, *joined, *target.decisions, *said_aloud(types, columns), dealt),
        keys=keys,
        fingerprint=fingerprint(inputs, target.values, (*columns.features, *target.task.classes)),
    )


def dealing_keys(frame: pl.DataFrame, recipe: Recipe, name: str, target: Target) -> Keys:
    """What rows are dealt by.

    Args:
        frame: With the columns that the recipe deals by.
        recipe: Says how rows are dealt.
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
            raise RecipeError(f"split.{setting}: '{name}' holds {kind}, no single values", legal="text, numbers, dates")
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
            f"split.{setting}: '{cells.name}' is missing in {row_numbers(missing)}, so these rows cannot be dealt",
            write="remove these rows, or deal by another column",
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
            f"split.time: '{name}' holds neither numbers nor dates, as '{cells[0]}'",
            legal="numbers, or dates of one form, as 2024-02-29",
        )
    return numbers.to_numpy()
