"""The target: which column is learned, and whether it is classes or numbers, decided from its values and said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl
import torch
from torch import Tensor

from babysit.data._cells import PLAIN, as_levels, as_numbers, number_text
from babysit.data._found import Table
from babysit.data._numbers import NumberReading
from babysit.data._wording import counted, nearest, row_numbers, several, share
from babysit.record import DataError, Decision

MOST_WHOLE_CLASSES = 20  # more distinct whole numbers than this are a quantity, unless they count 0, 1, 2, ... evenly
MOST_COUNTED_CLASSES = 1000
ROWS_PER_CLASS = 5  # fewer rows a distinct number than this are a quantity
EVEN = 10  # the largest class of a counted set has at most this many times the rows of the smallest
Kind = Literal["auto", "classification", "regression"]
LEVELS = " / "  # between the names of several header rows
USUAL_NAMES = ("target", "label", "class", "y", "labels", "outcome", "response")


@dataclass(frozen=True)
class Task:
    """What is learned: a class out of `classes`, or a number, whose texts are read by `reading`."""

    kind: Literal["classification", "regression"]
    target: str
    classes: tuple[str, ...] = ()
    reading: NumberReading = PLAIN

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Task:
        """The task of its fields as JSON."""
        reading = NumberReading(**kept.get("reading", {}))
        return cls(kept["kind"], kept["target"], tuple(kept["classes"]), reading)


@dataclass(frozen=True)
class Target:
    """Targets ready for a loss.

    Attributes:
        values: int64 class numbers [N], or float32 values [N].
        task: What is learned.
        decisions: How that was found.
    """

    values: Tensor
    task: Task
    decisions: tuple[Decision, ...]


def encode_target(
    values: pl.Series,
    source: str,
    kind: Kind = "auto",
    class_names: tuple[str, ...] = (),
    reading: NumberReading = PLAIN,
) -> Target:
    """Classes as numbers in sorted order, or numbers as float32.

    Args:
        values: One a row, as they came; texts stripped, missing ones null.
        source: Where they came from, for errors.
        kind: What the user wants, or "auto".
        class_names: Names of whole-number classes 0, 1, ... when the source knows them.
        reading: How their texts were read as numbers.

    Raises:
        DataError: Missing, infinite or unequal kinds of values, one value only, a class with one row.

    Example:
        >>> found = encode_target(pl.Series("colour", ["red", "blue", "red", "blue"]), "paint.csv")
        >>> found.values.tolist(), found.task.classes
        ([1, 0, 1, 0], ('blue', 'red'))
    """
    found = _encode(values, source, kind, class_names)
    return replace(found, task=replace(found.task, reading=reading))


def _encode(values: pl.Series, source: str, kind: Kind, class_names: tuple[str, ...]) -> Target:
    name = values.name
    _refuse_nested(values, source)
    values = _missing_as_null(values)
    _refuse_missing(values, source)
    numbers = _numbers(values)
    if kind == "regression":
        if numbers is None:
            raise _not_numbers(values, source)
        decision = Decision(setting="data.task", value="regression", why="the recipe says so")
        return _regression(numbers, source, decision)
    distinct = values.n_unique()
    if kind == "classification":
        why = f"the recipe says so; '{name}' has {counted(distinct, 'distinct value')}"
        decision = Decision(setting="data.task", value="classification", why=why)
        return _classification(values, numbers, source, class_names, decision)
    if numbers is None or values.dtype == pl.Boolean:
        decision = Decision(
            setting="data.task",
            value="classification",
            why=f"'{name}' holds {'truth values' if values.dtype == pl.Boolean else 'text'}, "
            f"{counted(distinct, 'class', 'classes')}: {several(sorted(map(str, values.unique())))}",
        )
        return _classification(values, numbers, source, class_names, decision)
    classes, why = _looks_like_classes(numbers, name, bool(class_names))
    if classes:
        decision = Decision(setting="data.task", value="classification", why=why)
        return _classification(values, numbers, source, class_names, decision)
    return _regression(numbers, source, Decision(setting="data.task", value="regression", why=why))


def encode_known(values: pl.Series, task: Task, source: str) -> Tensor:
    """Targets of new rows by the classes that a model knows, or as its numbers.

    Labels may differ from the known ones by a trailing dot, case or blanks.

    Args:
        values: [N], as they came.
        task: What was learned.
        source: Where they came from, for errors.

    Raises:
        DataError: Missing or infinite targets, or a class that was never learned.
    """
    _refuse_nested(values, source)
    values = _missing_as_null(values)
    _refuse_missing(values, source)
    if task.kind == "regression":
        numbers = as_numbers(values, task.reading)
        if numbers.null_count():
            raise _not_numbers(values, source)
        refuse_infinite_target(numbers, source)
        return torch.tensor(numbers.to_numpy(), dtype=torch.float32)
    texts = as_levels(values, numeric=not as_numbers(pl.Series(task.classes)).null_count())
    known = {label: code for code, label in enumerate(task.classes)}
    plain = {plain_label(label): code for label, code in known.items()}
    if len(plain) == len(known):
        known |= {label: plain[plain_label(label)] for label in texts.unique() if plain_label(label) in plain} | known
    codes = texts.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Int64)
    if codes.null_count():
        unknown = [f"'{text}'" for text in texts.filter(codes.is_null()).unique(maintain_order=True)]
        raise DataError(
            f"{source}: '{values.name}' holds {several(unknown)} in "
            f"{row_numbers(codes.is_null().arg_true())}, which the model was not trained on",
            legal=several(task.classes, most=30),
        )
    return torch.tensor(codes.to_numpy(), dtype=torch.int64)


def plain_label(label: str) -> str:
    """A label without what files disagree in: case, blanks, a trailing dot."""
    return " ".join(label.split()).rstrip(".").casefold()


def _looks_like_classes(numbers: pl.Series, name: str, named: bool) -> tuple[bool, str]:
    distinct, rows = numbers.n_unique(), len(numbers)
    if named:
        return True, f"the source names the classes of '{name}'"
    if not bool((numbers == numbers.round()).all()):
        low, high = _ends(numbers)
        return False, f"'{name}' holds {counted(distinct, 'distinct number')} with fractions, from {low:g} to {high:g}"
    few = f"'{name}' holds {counted(distinct, 'distinct whole number')} in {counted(rows, 'row')}"
    if distinct <= 2:
        return True, few
    if distinct <= MOST_WHOLE_CLASSES:
        if rows >= ROWS_PER_CLASS * distinct:
            return True, few
        return False, f"{few}, too few rows for each number to be classes"
    counts = numbers.alias("number").value_counts(name="rows")["rows"]
    low, high = _ends(numbers)
    runs_through = low in (0, 1) and high - low == distinct - 1 and distinct <= MOST_COUNTED_CLASSES
    even = int(counts.max()) <= EVEN * int(counts.min())  # type: ignore[arg-type]
    if runs_through and even and rows >= ROWS_PER_CLASS * distinct:
        return True, f"{few}, every number from {low:g} to {high:g} about equally often, as numbered classes are"
    return False, f"{few}, from {low:g} to {high:g}: a quantity"


def _classification(
    values: pl.Series, numbers: pl.Series | None, source: str, class_names: tuple[str, ...], decision: Decision
) -> Target:
    name = values.name
    if values.dtype == pl.Boolean or numbers is None:
        texts = values.cast(pl.String)
        classes = sorted(texts.unique().to_list())
        codes = texts.replace_strict(classes, list(range(len(classes))), return_dtype=pl.Int64)
    else:
        levels = numbers.unique().sort()
        codes = numbers.replace_strict(levels, pl.Series(range(len(levels))), return_dtype=pl.Int64)
        classes = [number_text(level) for level in levels]
        if class_names:
            known = [int(level) for level in levels]
            if any(level < 0 or level >= len(class_names) for level in known):
                raise DataError(
                    f"{source}: '{name}' has class {max(known)}, and only {len(class_names)} classes are named",
                    legal=f"whole numbers from 0 to {len(class_names) - 1}",
                )
            classes = [class_names[level] for level in known]
    if len(classes) == 1:
        raise _one_value(name, classes[0], source)
    counts = codes.alias("code").value_counts(name="rows").sort("code")["rows"].to_list()
    if len(classes) > max(2, len(values) // 2):
        raise DataError(
            f"{source}: '{name}' has {counted(len(classes), 'class', 'classes')} in {counted(len(values), 'row')}",
            legal="a column with at least two rows for each class",
            cause="the column is a name, a number or free text rather than a class",
            write="--target COLUMN, or --set data.task=regression when it is a quantity",
        )
    lonely = [classes[code] for code, count in enumerate(counts) if count == 1]
    if lonely:
        which = f"class '{lonely[0]}'" if len(lonely) == 1 else f"classes {several(lonely)}"
        raise DataError(
            f"{source}: {which} of '{name}' {'has' if len(lonely) == 1 else 'have'} one row",
            legal="at least two rows for each class, one for training and one for testing",
            cause="a spelling mistake, or a value that is too rare to be learned",
            write="remove the row, or join the class with another; --set data.task=regression if it is a quantity",
        )
    return Target(
        torch.tensor(codes.to_numpy(), dtype=torch.int64), Task("classification", name, tuple(classes)), (decision,)
    )


def _regression(numbers: pl.Series, source: str, decision: Decision) -> Target:
    name = numbers.name
    refuse_infinite_target(numbers, source)
    if numbers.n_unique() == 1:
        raise _one_value(name, number_text(float(numbers[0])), source)
    values = torch.tensor(numbers.to_numpy(), dtype=torch.float32)
    if not bool(values.isfinite().all()):
        raise DataError(
            f"{source}: the target '{name}' reaches {max(map(abs, _ends(numbers))):g}; float32 ends at 3.4e38",
            write="the target in another unit, or its logarithm",
        )
    return Target(values, Task("regression", name), (decision,))


def _ends(numbers: pl.Series) -> tuple[float, float]:
    return float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]


def refuse_infinite_target(numbers: pl.Series, source: str) -> None:
    """Raises DataError that names the rows of infinite targets."""
    infinite = numbers.is_infinite().arg_true().to_list()
    if infinite:
        raise DataError(
            f"{source}: the target '{numbers.name}' is infinite in {row_numbers(infinite)}",
            cause="a division by zero, or a logarithm of zero",
            write="remove these rows, or correct them",
        )


def _one_value(name: str, value: str, source: str) -> DataError:
    return DataError(
        f"{source}: the target '{name}' is '{value}' in every row",
        legal="a column with at least two values",
        cause="the wrong column, or a file that was filtered by this column",
        write="--target COLUMN",
    )


def _refuse_nested(values: pl.Series, source: str) -> None:
    kinds = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Decimal)
    if values.dtype.is_numeric() or values.dtype in kinds or values.dtype == pl.Null:
        return
    raise DataError(
        f"{source}: the target '{values.name}' is of type {values.dtype}",
        legal="numbers, text or truth values",
        write="--target COLUMN",
    )


def _missing_as_null(values: pl.Series) -> pl.Series:
    if values.dtype.is_float():
        return values.fill_nan(None)
    if values.dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    return values


def _refuse_missing(values: pl.Series, source: str) -> None:
    if not len(values):
        raise DataError(f"{source} has no rows", cause="a file with a header and nothing else, or an empty file")
    missing = values.is_null().arg_true().to_list()
    if not missing:
        return
    if len(missing) == len(values):
        raise DataError(f"{source}: the target '{values.name}' is missing in every row", write="--target COLUMN")
    raise DataError(
        f"{source}: the target '{values.name}' is missing in {counted(len(missing), 'row')} of {len(values):,} "
        f"({share(len(missing), len(values))}): {row_numbers(missing)}",
        legal="a target in every row",
        write=f"remove these rows first: frame.drop_nulls('{values.name}')",
    )


def _numbers(values: pl.Series) -> pl.Series | None:
    """The values as float64; None when some are not numbers."""
    numbers = as_numbers(values)
    return None if numbers.null_count() else numbers


def _not_numbers(values: pl.Series, source: str) -> DataError:
    wrong = as_numbers(values).is_null()
    examples = [f"'{text}'" for text in values.filter(wrong).unique(maintain_order=True).head(3)]
    return DataError(
        f"{source}: the target '{values.name}' holds text: {several(examples)} in {row_numbers(wrong.arg_true())}",
        legal="numbers, for a regression",
        cause="a word that stands for a missing value, or a unit beside the number",
        write="--set data.missing=... for words that stand for a missing value, or --set data.task=classification",
    )


def find_target(table: Table, stated: str | None) -> tuple[str, tuple[Decision, ...]]:
    """The name of the target column, and how it was found.

    Args:
        table: The rows.
        stated: What the user says.

    Raises:
        DataError: No such column, or one column only.
    """
    names = table.frame.columns
    if len(names) < 2:
        raise DataError(
            f"{table.name} has one column, '{names[0]}'" if names else f"{table.name} has no columns",
            legal="a target and at least one other column",
            cause="the delimiter was not found correctly",
            write="--set data.delimiter=';'",
        )
    if stated is not None:
        if stated in names:
            return stated, ()
        levels = [name for name in names if stated in name.split(LEVELS)]
        if len(levels) == 1:
            why = f"'{stated}' is one of the names that stand above this column"
            return levels[0], (Decision(setting="data.target", value=levels[0], why=why),)
        alike = nearest(stated, names)
        raise DataError(
            f"{table.name} has no column '{stated}'",
            legal=several(names, most=30),
            cause=None if table.named else "the file has no header, so its the columns are numbered",
            write=f"--target '{alike or names[-1]}'",
        )
    if table.target is not None:
        return table.target, ()
    usual = [name for name in names if name.strip().lower() in USUAL_NAMES]
    chosen = usual[-1] if usual else names[-1]
    why = "its name says so" if usual else "no target was named, and it is the last column"
    return chosen, (Decision(setting="data.target", value=chosen, why=why),)
