"""The type of a column, found from its cells, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._cells import TEXT, as_numbers, as_text, decimal_sign, number_text, numbers_of
from babysit.data._dates import compact_form, date_form
from babysit.data._wording import counted, nearest, several
from babysit.record import ColumnType, RecipeError

YES_WORDS = {"true": "false", "yes": "no", "y": "n", "t": "f", "1": "0", "on": "off", "ja": "nein", "oui": "non"}
ID_NAME = re.compile(r"^(|unnamed(: ?\d+)?|index|idx|row|row ?(no|num|number|id)|id|uuid|guid|key)$")
ID_ENDING = re.compile(r"(_|-| |^|(?<=[a-z]))(id|Id|ID)$")
MOST_WORDS = 5  # distinct texts in a column of numbers that may be words for "missing"
NUMBERS_AT_LEAST = 0.9  # share of a column's cells that must be numbers then
DISTINCT_IDS = 0.95  # share of distinct texts from which a column names its rows
MISSING_THROUGHOUT = "it is missing in every row"
FEW = 20  # rows below which shares of distinct texts say nothing
WORDS_OF_TEXT = 4  # words a cell from which distinct texts are prose
MOST_ID_LEVELS = 1000  # repeated whole numbers of a column named "... id" are levels up to here


@dataclass(frozen=True)
class FoundType:
    """A column's type and how its cells are read.

    Attributes:
        type: What it is.
        why: The reason, as a part of a sentence.
        aloud: Whether it is worth a decision in the report.
        decimal: Decimal sign in texts.
        words: Texts among numbers that count as missing.
        form: Of dates.
        no: What means false.
        yes: What means true.
        numeric: Whether a category's levels are numbers.
    """

    type: ColumnType
    why: str
    aloud: bool = False
    decimal: str = "."
    words: tuple[str, ...] = field(default=())
    form: str = ""
    no: str = "false"
    yes: str = "true"
    numeric: bool = False


def find_types(
    frame: pl.DataFrame, stated: Mapping[str, ColumnType], target: str, named: bool = True, decimal: str = "."
) -> dict[str, FoundType]:
    """The type of each column but the target.

    Args:
        frame: Cleaned; all rows, as a type must not depend on how rows are split.
        stated: What the user says, by name.
        target: Left out.
        named: Whether the file named its columns.
        decimal: Decimal sign of the file.

    Raises:
        RecipeError: A stated name is not a column, or a stated type is impossible.
    """
    inputs = [name for name in frame.columns if name != target]
    for name in stated:
        if name == target:
            raise RecipeError(
                f"data.types: '{name}' is the target", write="--set data.task=classification, or regression"
            )
        if name not in frame.columns:
            alike = nearest(name, inputs)
            raise RecipeError(
                f"data.types: no column '{name}'",
                legal=several(inputs, most=30),
                write=f'types = {{ "{alike}" = "{stated[name]}" }}' if alike else None,
            )
    found = {}
    for place, name in enumerate(inputs):
        if name in stated:
            found[name] = stated_type(frame[name], stated[name], decimal)
        else:
            rownumber = not named and place == 0 and len(inputs) > 1
            found[name] = find_type(frame[name], decimal, may_count_rows=rownumber)
    return found


def find_type(cells: pl.Series, decimal: str = ".", may_count_rows: bool = False) -> FoundType:
    """The type of one column.

    Args:
        cells: Cleaned.
        decimal: Decimal sign of the file.
        may_count_rows: Whether 1, 2, 3, ... are row numbers even though no name says so.

    Example:
        >>> find_type(pl.Series("size", ["1", "2.5", None])).type
        'number'
        >>> find_type(pl.Series("smoker", ["yes", "no", "no"])).type
        'boolean'
    """
    kind = cells.dtype
    ready = numbers_of(cells)
    if ready is not None:
        return _of_ready_numbers(ready[~np.isnan(ready)], cells, may_count_rows)
    if kind.is_nested() or kind in (pl.Binary, pl.Object) or kind == pl.Null:
        return FoundType(
            "drop", "it is empty" if kind == pl.Null else f"each cell holds a {kind}, not a single value", aloud=True
        )
    present = cells.drop_nulls()
    if not len(present):
        return FoundType("drop", MISSING_THROUGHOUT, aloud=True)
    if present.n_unique() == 1 and len(present) == len(cells):
        return FoundType("drop", f"it is '{as_text(present)[0][:40]}' in every row", aloud=True)
    if kind == pl.Boolean:
        return FoundType("boolean", "truth values")
    if kind.is_temporal() and kind not in (pl.Time, pl.Duration):
        return FoundType("date", "dates", aloud=True)
    if kind in TEXT:
        return _of_texts(present.cast(pl.String), cells.name, decimal, may_count_rows)
    return _of_numbers(as_numbers(present).to_numpy(), cells.name, may_count_rows)


def _of_ready_numbers(present: npt.NDArray[np.float64], cells: pl.Series, may_count_rows: bool) -> FoundType:
    if not len(present):
        return FoundType("drop", MISSING_THROUGHOUT, aloud=True)
    if present.min() == present.max() and len(present) == len(cells):
        return FoundType("drop", f"it is '{number_text(present[0])}' in every row", aloud=True)
    return _of_numbers(present, cells.name, may_count_rows)


def stated_type(cells: pl.Series, wanted: ColumnType, decimal: str = ".") -> FoundType:
    """A type as the user states it, with what is needed to read the cells so.

    Raises:
        RecipeError: The cells cannot be read so.
    """
    why = "the recipe says so"
    if wanted == "drop":
        return FoundType("drop", why)
    name = cells.name
    present = cells.drop_nulls()
    if cells.dtype.is_nested() or cells.dtype in (pl.Binary, pl.Object):
        raise RecipeError(
            f"data.types: '{name}' holds cells of type {cells.dtype}; such a column can only be dropped",
            write=f'"{name}" = "drop"',
        )
    if wanted == "category":
        return FoundType("category", why, numeric=_all_numbers(present))
    found = find_type(cells, decimal)
    if found.type == wanted:
        return FoundType(**{**found.__dict__, "why": why, "aloud": False})
    if wanted == "number" or wanted == "boolean":
        decimal = decimal_sign(present, decimal) if present.dtype in TEXT else decimal
        numbers = as_numbers(present, decimal)
        wrong = as_text(present).filter(numbers.is_null()).unique(maintain_order=True)
        if wanted == "number" and not len(wrong):
            return FoundType("number", why, decimal=decimal)
        if wanted == "boolean" and not len(wrong) and set(numbers.unique()) <= {0.0, 1.0}:
            return FoundType("boolean", why, no="0", yes="1")
        levels = as_text(present).str.to_lowercase().unique().sort().to_list()
        if wanted == "boolean" and len(levels) == 2:
            return FoundType("boolean", f"{why}: '{levels[1]}' is true", no=levels[0], yes=levels[1])
        examples = several([f"'{text[:40]}'" for text in (wrong if len(wrong) else as_text(present.unique()))], most=3)
        raise RecipeError(
            f"data.types: '{name}' cannot be read as {wanted}: it holds {examples}",
            legal="numbers" if wanted == "number" else "0 and 1, or two different words",
            write=f'"{name}" = "category"',
        )
    form = date_form(present.cast(pl.String)) if present.dtype in TEXT else None
    compact = None if form else compact_form(as_numbers(present).drop_nulls().to_numpy())
    if form or compact:
        return FoundType("date", why, form=form[0] if form else compact or "")
    examples = several([f"'{text[:40]}'" for text in as_text(present.head(3))])
    raise RecipeError(
        f"data.types: '{name}' cannot be read as date: it holds {examples}",
        legal="dates written the same way in all rows, such as 2024-02-29, 29.02.2024 or 02/29/2024 13:45",
    )


def _of_texts(present: pl.Series, name: str, decimal: str, may_count_rows: bool) -> FoundType:
    levels = present.str.to_lowercase().unique()
    if len(levels) == 2:
        for yes, no in YES_WORDS.items():
            if set(levels) == {yes, no}:
                return FoundType("boolean", f"'{no}' and '{yes}'", no=no, yes=yes)
    decimal = decimal_sign(present, decimal)
    numbers = as_numbers(present, decimal)
    wrong = numbers.null_count()
    if not wrong:
        codes = bool(present.str.contains(r"^0\d").any()) and not bool(present.str.contains(r"[.,:]").any())
        if codes and not compact_form(numbers.to_numpy()):
            return FoundType("category", "numbers with leading zeros are taken for codes", aloud=True)
        found = _of_numbers(numbers.to_numpy(), name, may_count_rows)
        comma = decimal == "," and found.type == "number" and bool(present.str.contains(",", literal=True).any())
        why = f"{found.why}, with a decimal comma" if comma else found.why
        return FoundType(**{**found.__dict__, "why": why, "decimal": decimal})
    words = present.filter(numbers.is_null()).unique().sort()
    if len(words) <= MOST_WORDS and wrong <= (1 - NUMBERS_AT_LEAST) * len(present) and len(words) < wrong + 1:
        said = several(f"'{word[:40]}'" for word in words)
        why = f"numbers, except {said} in {counted(wrong, 'row')}, taken as missing"
        return FoundType("number", why, aloud=True, decimal=decimal, words=tuple(words))
    if form := date_form(present):
        return FoundType(
            "date", f"dates of the form {form[0]}" + (f", {form[1]}" if form[1] else ""), aloud=True, form=form[0]
        )
    distinct = present.n_unique()
    if len(present) >= FEW:
        words_a_cell = float((present.head(10_000).str.count_matches(r"\s+") + 1).to_numpy().mean())
        if words_a_cell >= WORDS_OF_TEXT and distinct > len(present) / 2:
            return FoundType("drop", f"free text, {words_a_cell:.0f} words per cell", aloud=True)
        if distinct > DISTINCT_IDS * len(present):
            why = f"it identifies the rows: {counted(distinct, 'distinct text')} in {counted(len(present), 'row')}"
            return FoundType("drop", why, aloud=True)
    return FoundType("category", f"text, {counted(distinct, 'distinct value')}")


def _of_numbers(numbers: npt.NDArray[np.float64], name: str, may_count_rows: bool) -> FoundType:
    if not bool((numbers == np.rint(numbers)).all()) or not bool(np.isfinite(numbers).all()):
        return FoundType("number", "numbers")
    low, high = numbers.min(), numbers.max()
    if low == 0 and high == 1:
        return FoundType("boolean", "0 and 1", no="0", yes="1")
    is_id = bool(ID_NAME.match(name.strip().lower())) or bool(ID_ENDING.search(name.strip()))
    counts = low in (0, 1) and high - low == len(numbers) - 1 and bool((np.diff(numbers) == 1).all())
    if is_id or (may_count_rows and counts):
        distinct = len(np.unique(numbers))
        if distinct == len(numbers) > 1:
            why = f"it identifies the rows: so its name says, and all of its {counted(distinct, 'number')} are distinct"
            return FoundType("drop", "it numbers the rows" if counts else why, aloud=True)
        if distinct <= MOST_ID_LEVELS:
            why = f"by its name, its {counted(distinct, 'distinct number')} are identifiers, not quantities"
            return FoundType("category", why, aloud=True, numeric=True)
    if form := compact_form(numbers):
        return FoundType("date", "dates of the form %Y%m%d", aloud=True, form=form)
    return FoundType("number", "whole numbers")


def _all_numbers(present: pl.Series) -> bool:
    if present.dtype not in TEXT:
        return bool(present.dtype.is_numeric())
    texts = present.cast(pl.String)
    return not as_numbers(texts).null_count() and not bool(texts.str.contains(r"^0\d").any())
