"""The type of a column, found from its cells, with the reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._cells import PLAIN, TEXT, as_numbers, as_text, number_text, numbers_of
from babysit.data._dates import as_moments, clock_form, compact_form, date_form
from babysit.data._numbers import DecimalFound, NumberReading, find_decimal, find_reading, other_units
from babysit.data._text import finds_words
from babysit.data._wording import counted, nearest, several, share
from babysit.record import ColumnType, RecipeError

YES_WORDS = {"true": "false", "yes": "no", "y": "n", "t": "f", "1": "0", "on": "off", "ja": "nein", "oui": "non"}
ID_NAME = re.compile(r"^(|unnamed(: ?\d+)?|index|idx|row|row ?(no|num|number|id)|id|uuid|guid|key)$")
# "..._id", "... id", "customerID": a name alone means nothing (covid, grid, amount_paid), so its cells have to agree.
ID_ENDING = re.compile(r"(?:[_\- .]|^)(?:id|Id|ID)$|[a-z](?:Id|ID)$")
DISTINCT_IDS = 0.95  # share of distinct texts from which a column names its rows
MISSING_THROUGHOUT = "it is missing in every row"
FEW = 20  # rows below which shares of distinct texts say nothing
MOST_ID_LEVELS = 1000  # repeated whole numbers of a column named "... id" are levels up to here
PLAIN_NUMBER = r"^[+\-\x{2212}]?[\d.,'\s\x{2019}]+(?:[eE][+-]?\d+)?$"  # without units, limits, ranges
KEPT_WORDS = 20  # examples of texts that are missing
WORTH_A_LOOK = 0.02  # share of cells that were lost from which somebody should look
NO_DECIMAL = DecimalFound(".", "", False, {})


@dataclass(frozen=True)
class FoundType:
    """A column's type and how its cells are read.

    Attributes:
        type: What it is.
        why: The reason, as a part of a sentence.
        aloud: Whether it is worth a decision in the report.
        doubt: Whether somebody should look at it.
        reading: How texts are read as numbers.
        words: Examples of texts among numbers or dates that count as missing.
        form: Of dates.
        no: What means false.
        yes: What means true.
        numeric: Whether a category's levels are numbers.
    """

    type: ColumnType
    why: str
    aloud: bool = False
    doubt: bool = False
    reading: NumberReading = PLAIN
    words: tuple[str, ...] = field(default=())
    form: str = ""
    no: str = "false"
    yes: str = "true"
    numeric: bool = False


def find_types(
    frame: pl.DataFrame,
    stated: Mapping[str, ColumnType],
    target: str,
    named: bool = True,
    decimal: DecimalFound = NO_DECIMAL,
    dates: str | None = None,
) -> dict[str, FoundType]:
    """The type of each column but the target.

    Args:
        frame: Cleaned; all rows, as a type must not depend on how rows are split.
        stated: What the user says, by name.
        target: Left out.
        named: Whether the file named its columns.
        decimal: Decimal sign of the file.
        dates: "day-first" or "month-first", when the user says it.

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
        sign = decimal.of(name)
        if name in stated:
            found[name] = stated_type(frame[name], stated[name], sign, dates)
        else:
            rownumber = not named and place == 0 and len(inputs) > 1
            found[name] = find_type(frame[name], sign, may_count_rows=rownumber, dates=dates)
    return found


def find_type(
    cells: pl.Series, decimal: str | None = None, may_count_rows: bool = False, dates: str | None = None
) -> FoundType:
    """The type of one column.

    Args:
        cells: Cleaned.
        decimal: Decimal sign of the column.
        may_count_rows: Whether 1, 2, 3, ... are row numbers even though no name says so.
        dates: "day-first" or "month-first", when the user says it.

    Example:
        >>> find_type(pl.Series("size", ["1", "2.5", None])).type
        'number'
        >>> find_type(pl.Series("smoker", ["yes", "no", "no"])).type
        'boolean'
    """
    kind = cells.dtype
    sign = decimal or find_decimal(cells.to_frame()).of(cells.name)
    ready = numbers_of(cells)
    if ready is not None:
        found = _of_ready_numbers(ready[~np.isnan(ready)], cells, may_count_rows)
        return dataclasses.replace(found, reading=NumberReading(sign))
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
        return _of_texts(present.cast(pl.String), sign, may_count_rows, dates)
    return _of_numbers(as_numbers(present).to_numpy(), cells.name, may_count_rows)


def _of_ready_numbers(present: npt.NDArray[np.float64], cells: pl.Series, may_count_rows: bool) -> FoundType:
    if not len(present):
        return FoundType("drop", MISSING_THROUGHOUT, aloud=True)
    if present.min() == present.max() and len(present) == len(cells):
        return FoundType("drop", f"it is '{number_text(present[0])}' in every row", aloud=True)
    return _of_numbers(present, cells.name, may_count_rows)


def stated_type(cells: pl.Series, wanted: ColumnType, decimal: str = ".", dates: str | None = None) -> FoundType:
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
    if wanted == "text":
        return FoundType("text", why)
    found = find_type(cells, decimal, dates=dates)
    if found.type == wanted:
        return dataclasses.replace(found, why=why, aloud=False, doubt=False)
    if wanted == "number" or wanted == "boolean":
        reading = NumberReading(decimal)
        if present.dtype in TEXT and (known := find_reading(present.cast(pl.String), decimal)):
            reading = known[0]
        numbers = as_numbers(present, reading)
        wrong = as_text(present).filter(numbers.is_null()).unique(maintain_order=True)
        if wanted == "number" and not len(wrong):
            return FoundType("number", why, reading=reading)
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
    form = date_form(present.cast(pl.String), dates) if present.dtype in TEXT else None
    compact = None if form else compact_form(as_numbers(present).drop_nulls().to_numpy(), "date")
    if form or compact:
        return FoundType("date", why, form=form.form if form else compact or "")
    examples = several([f"'{text[:40]}'" for text in as_text(present.head(3))])
    raise RecipeError(
        f"data.types: '{name}' cannot be read as date: it holds {examples}",
        legal="dates, such as 2024-02-29, 29.02.2024, 02/29/2024 13:45 or 29 Feb 2024",
    )


def _of_texts(present: pl.Series, decimal: str, may_count_rows: bool, dates: str | None) -> FoundType:
    levels = present.str.to_lowercase().unique()
    if len(levels) == 2:
        for yes, no in YES_WORDS.items():
            if set(levels) == {yes, no}:
                return FoundType("boolean", f"'{no}' and '{yes}'", no=no, yes=yes)
    plain = NumberReading(decimal)
    numbers = as_numbers(present, plain)
    if not numbers.null_count() and bool(present.str.contains(PLAIN_NUMBER).all()):
        return _of_number_texts(present, numbers, plain, may_count_rows)
    return (
        _dates(present, dates)
        or _clock(present)
        or _numbers_beside_words(present, decimal, may_count_rows)
        or _words(present)
    )


def _of_number_texts(present: pl.Series, numbers: pl.Series, reading: NumberReading, may_count_rows: bool) -> FoundType:
    """All texts are numbers."""
    if _coded(present) and not compact_form(numbers.to_numpy()):
        return FoundType("category", "numbers with leading zeros are taken for codes", aloud=True)
    found = _of_numbers(numbers.to_numpy(), present.name, may_count_rows)
    comma = reading.decimal == "," and found.type == "number" and bool(present.str.contains(",", literal=True).any())
    return dataclasses.replace(found, why=f"{found.why}, with a decimal comma" if comma else found.why, reading=reading)


def _coded(present: pl.Series) -> bool:
    return bool(present.str.contains(r"^0\d").any()) and not bool(present.str.contains(r"[.,:]").any())


def _dates(present: pl.Series, stated: str | None) -> FoundType | None:
    found = date_form(present, stated)
    if found is None:
        return None
    wrong = present.filter(as_moments(present, found.form).is_null())
    why = f"dates such as '{present.filter(as_moments(present, found.form).is_not_null())[0]}'"
    why += f", {found.remark}" if found.remark else ""
    return _with_lost(FoundType("date", why, aloud=True, doubt=bool(found.remark), form=found.form), present, wrong)


def _clock(present: pl.Series) -> FoundType | None:
    found = clock_form(present)
    if found is None:
        return None
    form, _ = found
    reading = NumberReading(clock=form)
    wrong = present.filter(as_numbers(present, reading).is_null())
    what = "times of day, as hours" if form == "time of day" else "durations, as seconds"
    return _with_lost(FoundType("number", what, aloud=True, reading=reading), present, wrong)


def _numbers_beside_words(present: pl.Series, decimal: str, may_count_rows: bool) -> FoundType | None:
    """At least half of the texts are numbers of one unit; the rest is missing."""
    known = find_reading(present, decimal)
    if known is None or _coded(present):
        return None
    reading, _ = known
    numbers = as_numbers(present, reading)
    wrong = present.filter(numbers.is_null())
    example = present.filter(numbers.is_not_null())[0][:40]
    parts = [f"numbers such as '{example}'" + (f", in {reading.unit}" if reading.unit else "")]
    if reading.larger:
        parts.append("with K, M and B as thousands, millions and billions")
    if reading.pair:
        parts.append("two a cell")
    if reading.limits:
        parts.append("some of them limits such as <5 or 5+, which a column of its own tells")
    others = other_units(present, reading)
    if others:
        shown = several((f"{unit or 'no unit'} ({counted(count, 'cell')})" for unit, count in others.items()), 3)
        parts.append(f"other units are not converted and count as missing: {shown}")
    found = _of_numbers(numbers.drop_nulls().to_numpy(), present.name, may_count_rows)
    kept = found.type if found.type in ("drop", "category") and not reading.unit else "number"
    if kept != "number":
        return _with_lost(dataclasses.replace(found, reading=reading), present, wrong) if kept == "drop" else None
    return _with_lost(
        FoundType("number", ", ".join(parts), aloud=True, doubt=bool(others), reading=reading), present, wrong
    )


def _with_lost(found: FoundType, present: pl.Series, wrong: pl.Series) -> FoundType:
    """The type, with what is said of cells that it does not hold."""
    if not len(wrong):
        return found
    counts = wrong.alias("text").value_counts(name="cells").sort("cells", "text", descending=[True, False])
    shown = several((f"'{text[:40]}' ({number:,})" for text, number in counts.head(1000).iter_rows()), 3)
    why = f"{found.why}; {counted(len(wrong), 'cell')} ({share(len(wrong), len(present))}) "
    why += (
        f"{'is' if len(wrong) == 1 else 'are'} none and {'counts' if len(wrong) == 1 else 'count'} as missing: {shown}"
    )
    doubt = found.doubt or len(wrong) > WORTH_A_LOOK * len(present)
    return dataclasses.replace(
        found, why=why, aloud=True, doubt=doubt, words=tuple(counts["text"].head(KEPT_WORDS).to_list())
    )


def _words(present: pl.Series) -> FoundType:
    distinct = present.n_unique()
    if len(present) >= FEW and distinct > len(present) / 2 and finds_words(present):
        return FoundType("text", "free text, as the words that come again in it", aloud=True)
    if len(present) >= FEW and distinct > DISTINCT_IDS * len(present):
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
    if form := compact_form(numbers, name):
        what = "dates written as numbers" if form.startswith("%") else f"times as {form}"
        return FoundType("date", what, aloud=True, form=form)
    return FoundType("number", "whole numbers")


def _all_numbers(present: pl.Series) -> bool:
    if present.dtype not in TEXT:
        return bool(present.dtype.is_numeric())
    texts = present.cast(pl.String)
    return not as_numbers(texts).null_count() and not bool(texts.str.contains(r"^0\d").any())
