"""prepare: from a source to rows ready to be cut into batches."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import polars as pl
import torch
from torch import Tensor

from babysit.data._cells import TEXT, as_days, as_numbers, blank_rows, clean, with_numbers
from babysit.data._column_fit import fit_columns, said_aloud
from babysit.data._column_types import FoundType, find_type, find_types
from babysit.data._columns import Columns
from babysit.data._found import Arrays, Found, LargeTable, Table
from babysit.data._joined import with_given_files
from babysit.data._leaks import (
    leaking_columns,
    rows_twice,
    said_of_columns,
    said_of_groups,
    said_of_time,
    said_of_twice,
)
from babysit.data._numbers import DecimalFound, find_decimal
from babysit.data._prepared import Prepared, prepared_from
from babysit.data._row_file import RowFile, write_rows
from babysit.data._rows import Indices, TensorRows
from babysit.data._sources import find_source
from babysit.data._splits import Keys, Labels, deal, refuse_unlearned
from babysit.data._target import Target, Task, encode_target, find_target
from babysit.data._target_cells import join_one_hot, target_cells
from babysit.data._wording import counted, nearest, row_numbers, several, share
from babysit.record import ColumnSummary, ColumnType, DataError, Decision, Recipe, RecipeError

MOST_CELLS = 50_000_000  # of a table, up to which equal rows are looked for


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
    """Arrays, split; their rows stay as they are, but for those without a target, which are left out."""
    for setting, name in (("group", recipe.split.group), ("time", recipe.split.time)):
        if name is not None:
            raise RecipeError(
                f"split.{setting}: {found.name} holds arrays, which have no column '{name}'",
                write="a table with that column",
            )
    if recipe.data.types:
        raise RecipeError(f"data.types: {found.name} holds arrays, which have no named columns", write="types = {}")
    cells = target_cells(found.targets, recipe.data.missing, ".", found.given.get("train"))
    kept = _kept(cells.values, cells.values.is_not_null(), found.name)
    inputs, given = found.inputs, found.given
    left_out: tuple[Decision, ...] = ()
    if not kept.all():
        inputs = found.tensor[torch.from_numpy(np.flatnonzero(kept.to_numpy()))]
        given, left_out = _given_of(given, kept), _left_out(found.target, found.targets, kept)
    values = cells.values.filter(kept)
    target = encode_target(values, found.name, recipe.data.task, found.class_names)
    classes = target.values.numpy() if target.task.kind == "classification" else None
    split, dealt = deal(len(target.values), recipe.split, recipe.seed, Keys(classes), given)
    notes = refuse_unlearned(target.task, target.values.numpy(), split)
    return prepared_from(
        TensorRows(inputs) if isinstance(inputs, Tensor) else inputs,
        target,
        found.layout,
        split,
        source=found.name,
        notes=(*found.notes, *notes),
        decisions=(*found.decisions, *cells.decisions, *left_out, *target.decisions, dealt),
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
    frame, stated, joined = join_one_hot(table.frame, recipe.data.target)
    table = dataclasses.replace(table, frame=frame, decisions=(*table.decisions, *joined))
    name, chosen = find_target(table, stated)
    decimal = find_decimal(table.frame, table.delimiter, recipe.data.decimal)
    blank = blank_rows(table.frame)
    cells = target_cells(table.frame[name], recipe.data.missing, decimal.of(name), table.given.get("train"))
    kept = _kept(cells.values, cells.values.is_not_null() & ~blank, table.name)
    left_out = _left_out(name, table.frame[name].filter(~blank), kept.filter(~blank))
    values = cells.values.filter(kept)
    frame = clean(table.frame.drop(name), recipe.data.missing).filter(kept)
    frame = frame.insert_column(table.frame.columns.index(name), values)
    target = encode_target(values, table.name, recipe.data.task, table.class_names, cells.reading)
    frame = with_numbers(frame, [name], comma_columns(frame, decimal))
    keys = dealing_keys(frame, recipe, name, target, decimal)
    types = find_types(frame, stated_types(recipe, keys), name, table.named, decimal, stated_dates(recipe))

    def dealt_by(keys: Keys) -> Dealt:
        split, decision = deal(frame.height, recipe.split, recipe.seed, keys, _given_of(table.given, kept))
        notes = refuse_unlearned(target.task, target.values.numpy(), split)
        columns, summaries = fit_columns(
            [frame[split["train"]]],
            types,
            target=name,
            place=frame.columns.index(name),
            named=table.named,
            missing=recipe.data.missing,
        )
        return Dealt(keys, split, decision, notes, columns, summaries, columns.encode(frame))

    dealt, leaks = look_for_leaks(dealt_by(keys), dealt_by, recipe, target, free=not table.given)
    others = frame.drop(name)
    numbers = target.values.numpy().astype(np.float64)
    leaks = (
        *leaks,
        *said_of_groups(others, numbers, recipe.split),
        *(said_of_time(others, types, numbers, recipe.split) if not table.given else ()),
    )
    notes = dealt.notes
    if blank.any():
        notes = (*notes, f"{counted(int(blank.sum()), 'row')} without any value left out")
    return prepared_from(
        TensorRows(dealt.inputs),
        target,
        dealt.columns.layout,
        dealt.split,
        source=table.name,
        columns=dealt.columns,
        summaries=dealt.summaries,
        notes=(*table.notes, *notes),
        decisions=(
            *leaks,
            *table.decisions,
            *chosen,
            *said_of_decimal(decimal, frame, types, target.task),
            *cells.decisions,
            *left_out,
            *target.decisions,
            *said_aloud(types, dealt.columns),
            dealt.decision,
        ),
        keys=dealt.keys,
    )


@dataclasses.dataclass(frozen=True)
class Dealt:
    """Rows split, and their columns learned from the training rows.

    Attributes:
        keys: By what they are split.
        split: Row numbers by phase.
        decision: How they are split.
        notes: On classes that a phase lacks.
        columns: How cells become numbers.
        summaries: Of the columns.
        inputs: [N, D] all rows, encoded.
    """

    keys: Keys
    split: dict[str, Indices]
    decision: Decision
    notes: tuple[str, ...]
    columns: Columns
    summaries: tuple[ColumnSummary, ...]
    inputs: Tensor


def look_for_leaks(
    dealt: Dealt, deal_by: Callable[[Keys], Dealt], recipe: Recipe, target: Target, *, free: bool
) -> tuple[Dealt, tuple[Decision, ...]]:
    """The rows, dealt anew where equal ones stood on both sides, and what is said of leaks.

    Args:
        dealt: As they were dealt first.
        deal_by: Deals by other keys.
        recipe: Says how rows are split.
        target: Encoded.
        free: Whether the split may be chosen.
    """
    inputs, values = dealt.inputs, target.values
    if inputs.numel() > MOST_CELLS:  # equal rows are not looked for: comparing takes several times the table's memory
        drawn = torch.linspace(0, len(inputs) - 1, MOST_CELLS // inputs.shape[1]).long().unique()
        rows, targets = inputs[drawn].numpy().astype(np.float64), values[drawn].numpy().astype(np.float64)
        found = leaking_columns(rows, targets, dealt.columns, target.task, recipe.seed)
        return dealt, said_of_columns(found, target.task)
    rows, targets = inputs.numpy().astype(np.float64), values.numpy().astype(np.float64)
    twice = rows_twice(rows, targets, dealt.split, recipe.seed)
    once = np.sort(np.unique(twice.groups, return_index=True)[1])  # a repeated row would give its target by itself
    found = leaking_columns(rows[once], targets[once], dealt.columns, target.task, recipe.seed)
    said = said_of_columns(found, target.task)
    if not twice.is_leak:
        return dealt, said
    taken = free and recipe.split.method == "auto" and dealt.keys.groups is None and dealt.keys.times is None
    if taken:
        try:
            dealt = deal_by(dataclasses.replace(dealt.keys, groups=twice.groups))
        except DataError:  # too few distinct rows for each part of the split
            taken = False
    return dealt, (*said, *said_of_twice(twice, taken))


def comma_columns(frame: pl.DataFrame, decimal: DecimalFound) -> set[str]:
    """Columns with a decimal comma."""
    return {name for name in frame.columns if decimal.of(name) == ","}


def stated_dates(recipe: Recipe) -> str | None:
    """What 01/02/2024 means, where the user says it."""
    return None if recipe.data.dates == "auto" else recipe.data.dates


def said_of_decimal(
    decimal: DecimalFound, frame: pl.DataFrame, types: Mapping[str, FoundType], task: Task
) -> tuple[Decision, ...]:
    """The decision on the decimal sign, where it is a comma or in doubt."""
    numbers = [name for name, found in types.items() if found.type == "number" and frame[name].dtype in TEXT]
    if task.kind == "regression":
        numbers.append(task.target)
    if not numbers or (decimal.sign == "." and not decimal.doubtful):
        return ()
    value = {".": "a point", ",": "a comma"}[decimal.sign]
    change = f"--set data.decimal={'.' if decimal.sign == ',' else ','}" if decimal.doubtful else ""
    return (Decision(setting="data.decimal", value=value, why=decimal.why, change=change),)


def _kept(values: pl.Series, kept: pl.Series, source: str) -> pl.Series:
    """Which rows have a target.

    Raises:
        DataError: None has.
    """
    if len(kept) and not kept.any():
        raise DataError(f"{source}: the target '{values.name}' is missing in every row", write="--target COLUMN")
    return kept


def _left_out(name: str, cells: pl.Series, kept: pl.Series) -> tuple[Decision, ...]:
    """What is said of rows without a target."""
    gone = len(kept) - int(kept.sum())
    if not gone:
        return ()
    rows = np.flatnonzero(~kept.to_numpy()).tolist()
    held = cells.filter(~kept).cast(pl.String, strict=False).drop_nulls().unique().sort().to_list()
    why = f"'{name}' is missing there" + (f" or holds {several(map(repr, held), 3)}" if held else "")
    why += f": {row_numbers(rows)}; {share(gone, len(kept))} of all rows"
    return (Decision(setting="rows without a target", value=f"{gone:,} left out", why=why),)


def _given_of(given: Mapping[str, int], kept: pl.Series) -> dict[str, int]:
    """Rows of each given phase that are kept."""
    ends = np.cumsum([0, *given.values()]).tolist()
    return {phase: int(kept.slice(start, given[phase]).sum()) for phase, start in zip(given, ends, strict=False)}


def dealing_keys(frame: pl.DataFrame, recipe: Recipe, name: str, target: Target, decimal: DecimalFound) -> Keys:
    """By what rows are split.

    Args:
        frame: With the columns by which the recipe splits.
        recipe: Says how rows are split.
        name: Of the target column.
        target: Encoded.
        decimal: Decimal sign of the file.

    Raises:
        RecipeError: A column is not there, or is missing in some rows.
    """
    classes = target.values.numpy() if target.task.kind == "classification" else None
    return Keys(classes, _groups(frame, recipe, name), _times(frame, recipe, decimal))


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


def _times(frame: pl.DataFrame, recipe: Recipe, decimal: DecimalFound) -> Labels | None:
    name = recipe.split.time
    if name is None or recipe.split.method not in ("auto", "time"):
        return None
    cells = _column(frame, "time", name)
    _whole(cells, "time")
    found = find_type(cells, decimal.of(name), dates=stated_dates(recipe))
    if found.type == "date":
        days = as_days(cells, found.form)
        _whole(days.alias(name), "time")
        return days.to_numpy()
    numbers = as_numbers(cells, found.reading)
    if numbers.null_count():
        raise RecipeError(
            f"split.time: '{name}' holds neither numbers nor dates, for example '{cells[0]}'",
            legal="numbers, or dates such as 2024-02-29",
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
    decimal = find_decimal(table.sample, stated=recipe.data.decimal)
    cells = target_cells(narrow[name], recipe.data.missing, decimal.of(name))
    kept = _kept(cells.values, cells.values.is_not_null(), table.name)
    left_out = _left_out(name, narrow[name], kept)
    rows = np.flatnonzero(kept.to_numpy())
    values = cells.values.filter(kept)
    target = encode_target(values, table.name, recipe.data.task, reading=cells.reading)
    keys = dealing_keys(clean(narrow, recipe.data.missing).filter(kept), recipe, name, target, decimal)
    split, dealt = deal(len(rows), recipe.split, recipe.seed, keys)
    notes = refuse_unlearned(target.task, target.values.numpy(), split)
    if len(rows) < table.rows:  # rows without a target stay in the file of rows and in no part of the split
        every = torch.zeros(table.rows, dtype=target.values.dtype)
        every[torch.from_numpy(rows)] = target.values
        target = dataclasses.replace(target, values=every)
        split = {phase: rows[own] for phase, own in split.items()}
        keys = keys.spread(rows, table.rows)
    sample = clean(table.sample.drop(name), recipe.data.missing)
    sample = sample.insert_column(table.sample.columns.index(name), table.sample[name])
    sample = with_numbers(sample, [name], comma_columns(sample, decimal))
    types = find_types(sample, stated_types(recipe, keys), name, decimal=decimal, dates=stated_dates(recipe))
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
    place = f"the encoded rows, {size:.1f} GiB, are kept in {inputs.path.parent} as long as they are used"
    return prepared_from(
        inputs,
        target,
        columns.layout,
        split,
        source=table.name,
        columns=columns,
        summaries=summaries,
        notes=(*table.notes, place, *notes),
        decisions=(*chosen, *cells.decisions, *left_out, *target.decisions, *said_aloud(types, columns), dealt),
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
