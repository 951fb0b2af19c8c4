"""The cells of a target before they are encoded: one spelling a class, missing words, numbers as people write them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from babysit.data._cells import PLAIN, TEXT, as_numbers
from babysit.data._numbers import NumberReading, find_reading
from babysit.data._target import plain_label
from babysit.data._wording import counted, several, share
from babysit.record import MISSING_WORDS, DataError, Decision

A_CLASS = 0.2  # share of a target from which a word that may mean "missing" is a class
QUANTITY = 20  # more distinct numbers than this, and words beside them mean "missing"
NOT_A_NUMBER = frozenset({"NaN", "nan", "NAN", "-NaN", "-nan", "NaT", "<NA>", "#N/A", "#NA", "#N/A N/A"})  # no class


@dataclass(frozen=True)
class TargetCells:
    """A target's cells, ready to be encoded.

    Attributes:
        values: Null where there is no target; numbers where texts were numbers.
        reading: How texts were read as numbers.
        decisions: What was decided.
    """

    values: pl.Series
    reading: NumberReading
    decisions: tuple[Decision, ...] = ()


def target_cells(raw: pl.Series, missing: Collection[str], decimal: str, training: int | None = None) -> TargetCells:
    """The cells of a target.

    Args:
        raw: As they came; texts stripped, empty ones null.
        missing: Texts that mean no value. Of the default ones, those that are a fifth of the target are classes.
        decimal: The decimal sign of the column.
        training: How many of the first rows are training rows, whose spelling counts; None for all.

    Example:
        >>> found = target_cells(pl.Series("smokes", ["Yes", "yes", "No", "None"] * 5), ("None",), ".")
        >>> found.values.unique().sort().to_list()
        [None, 'No', 'Yes']
    """
    if raw.dtype not in TEXT:
        values = raw.fill_nan(None) if raw.dtype.is_float() else raw
        return TargetCells(values, NumberReading(decimal))
    texts = raw.cast(pl.String)
    present = texts.drop_nulls()
    known = find_reading(present.filter(~present.is_in(list(missing))), decimal) if len(present) else None
    reading = known[0] if known else NumberReading(decimal)
    if reading.pair or reading.limits:
        known = None
    numbers = as_numbers(texts, reading) if known else None
    if numbers is not None:
        whole = numbers.null_count() == texts.null_count() + int(texts.is_in(list(missing)).sum())
        if whole or numbers.n_unique() > QUANTITY:
            return TargetCells(numbers.alias(raw.name), reading, _lost(texts, numbers, missing))
    values, decisions = _words(texts, missing)
    values, joined = join_spellings(values, len(values) if training is None else training)
    return TargetCells(values, NumberReading(decimal), (*decisions, *joined))


def _lost(texts: pl.Series, numbers: pl.Series, missing: Collection[str]) -> tuple[Decision, ...]:
    lost = texts.filter(numbers.is_null() & texts.is_not_null() & ~texts.is_in(list(missing)).fill_null(False))
    if not len(lost):
        return ()
    shown = several((f"'{text[:40]}'" for text in lost.unique(maintain_order=True)), 3)
    why = f"the others of its cells are numbers; {counted(len(lost), 'row')} without one are left out"
    return (
        Decision(
            setting="data.task",
            value=f"{shown} {'is' if len(lost) == 1 else 'are'} no number of '{texts.name}'",
            why=why,
            change="--set data.task=classification",
        ),
    )


def _words(texts: pl.Series, missing: Collection[str]) -> tuple[pl.Series, tuple[Decision, ...]]:
    """Texts with null for missing words; words that are a fifth of the default ones' rows are classes."""
    present = texts.drop_nulls()
    stated = tuple(missing) != MISSING_WORDS
    classes: list[str] = []
    decisions = []
    for word in present.filter(present.is_in(list(missing))).unique().sort().to_list():
        rows = int((present == word).sum())
        if stated or word in NOT_A_NUMBER or rows < A_CLASS * len(present):
            continue
        classes.append(word)
        rest = ", ".join(f'"{other}"' for other in ("", word))
        decisions.append(
            Decision(
                setting="data.missing",
                value=f"'{word}' is a class of '{texts.name}'",
                why=f"it is {share(rows, len(present))} of its rows, too many to mean a missing target",
                change=f"--set 'data.missing=[{rest}]'",
            )
        )
    gone = [word for word in missing if word not in classes]
    return texts.set(texts.is_in(gone).fill_null(False), None), tuple(decisions)


def join_spellings(values: pl.Series, training: int) -> tuple[pl.Series, tuple[Decision, ...]]:
    """Labels that differ by case, blanks or a trailing dot alone, joined under the spelling most common in training.

    Labels of one letter stay apart: they are often letters, of which "a" and "A" are two.

    Args:
        values: Texts of all rows, training rows first.
        training: How many of them are training rows.
    """
    if values.dtype != pl.String:
        return values, ()
    counts = values.head(training).drop_nulls().alias("label").value_counts(name="rows")
    ordered = counts.sort("rows", "label", descending=[True, False])["label"].to_list()
    spelled: dict[str, str] = {}
    for label in [*ordered, *values.slice(training).drop_nulls().unique().sort().to_list()]:
        spelled.setdefault(plain_label(label), label)
    pairs = {
        label: spelled[plain_label(label)]
        for label in values.drop_nulls().unique().sort().to_list()
        if len(plain_label(label)) > 1 and spelled[plain_label(label)] != label
    }
    if not pairs:
        return values, ()
    said = several(f"'{label}' as '{known}'" for label, known in pairs.items())
    why = "these labels differ only by case, blanks or a trailing dot"
    return values.replace(pairs), (Decision(setting=f"labels of '{values.name}'", value=f"read {said}", why=why),)


def known_cells(
    raw: pl.Series, reading: NumberReading, classes: Collection[str], missing: Collection[str]
) -> pl.Series:
    """A target of new rows, read as that of training was; null where there is none.

    Args:
        raw: As it came.
        reading: How the texts of training were read as numbers.
        classes: Of training; none for numbers.
        missing: Texts that mean no value, except those that are classes.
    """
    if raw.dtype not in TEXT:
        return raw.fill_nan(None) if raw.dtype.is_float() else raw
    texts = raw.cast(pl.String)
    texts = texts.set(texts.is_in([word for word in missing if word not in classes]).fill_null(False), None)
    if not classes:
        return as_numbers(texts, reading).alias(raw.name)
    if reading != PLAIN and not as_numbers(pl.Series(list(classes))).null_count():
        numbers = as_numbers(texts, reading)
        return numbers.alias(raw.name) if numbers.null_count() == texts.null_count() else texts
    return texts


def join_one_hot(frame: pl.DataFrame, stated: str | None) -> tuple[pl.DataFrame, str | None, tuple[Decision, ...]]:
    """Columns that the user names as one target, each 1 in the rows of one class, as one column of their names.

    Args:
        frame: Cleaned.
        stated: The target; several columns with commas between them.

    Returns:
        The frame, the target's name, and what was done.

    Raises:
        DataError: The columns are there and are not one-hot: several targets are learned one at a time.
    """
    names = [name.strip() for name in (stated or "").split(",")]
    if len(names) < 2 or stated in frame.columns or not set(names) <= set(frame.columns):
        return frame, stated, ()
    cells = {name: as_numbers(frame[name], PLAIN) if frame[name].dtype in TEXT else frame[name] for name in names}
    numbers = pl.DataFrame({name: one.cast(pl.Float64, strict=False) for name, one in cells.items()})
    ones = numbers.select(pl.sum_horizontal(pl.all() == 1)).to_series()
    legal = numbers.select(pl.all_horizontal(pl.all().is_in([0.0, 1.0]))).to_series()
    if not bool(((ones == 1) & legal).all()):
        raise DataError(
            f"the targets {several(map(repr, names))} are several for each row",
            legal="one column; or several of 0 and 1 of which exactly one is 1 in each row, as one-hot classes are",
            write=f"--target '{names[0]}'",
        )
    label = "class" if "class" not in frame.columns else "class of " + names[0]
    chosen = pl.coalesce(pl.when(pl.col(name) == 1).then(pl.lit(name)) for name in names)
    joined = frame.drop(names).with_columns(numbers.select(chosen.alias(label)).to_series())
    why = f"exactly one of {several(map(repr, names))} is 1 in each row"
    return joined, label, (Decision(setting="data.target", value=f"{label}: one-hot", why=why),)
