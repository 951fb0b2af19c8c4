"""Columns learned from the training rows, in one pass over them in pieces."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from babysit.data._arrays import LOSS
from babysit.data._cells import as_days, as_levels, as_text
from babysit.data._column_kinds import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DroppedColumn,
    NumberColumn,
    TextColumn,
    position,
)
from babysit.data._column_types import FoundType
from babysit.data._columns import Columns
from babysit.data._dates import as_moments
from babysit.data._moments import Floats, RunningMoments
from babysit.data._text import count_words, kept_words, prune
from babysit.data._wording import counted
from babysit.record import ColumnSummary, DataError, Decision

# A level is kept when it has this share of the training rows, two rows at least and ten at most: a vector learned from
# fewer rows is noise, and the rare rows teach the code of unknown levels, which would else never be trained.
RARE_SHARE = 0.0005
LEAST_ROWS, ENOUGH_ROWS = 2, 10
MOST_LEVELS = 10_000
VARIES = 1e-9


@dataclass
class ColumnFit:
    """One column, seen piece by piece."""

    name: str
    found: FoundType
    rows: int = 0
    missing: int = 0
    moments: RunningMoments = field(default_factory=lambda: RunningMoments(1))
    rounding: float = 0.0  # the largest error that float32 makes in one of the numbers
    levels: Counter[str] = field(default_factory=Counter)
    first: float = math.inf
    cycles: dict[str, list[float]] = field(default_factory=dict)

    def see(self, cells: pl.Series) -> None:
        """Take in more cells."""
        self.rows += len(cells)
        kind = self.found.type
        if kind == "drop":
            self.missing += cells.null_count()
        elif kind == "category":
            texts = as_levels(cells, self.found.numeric)
            self.missing += texts.null_count()
            counts = texts.drop_nulls().alias("level").value_counts(name="rows")  # a column may be called "count"
            self.levels.update(dict(zip(counts["level"], counts["rows"], strict=True)))
        elif kind == "text":
            self.missing += cells.null_count()
            self.levels = prune(self.levels + count_words(as_text(cells)))
        elif kind == "date":
            self._see_dates(cells)
        else:
            numbers = self._column().encode(cells)[0]  # type: ignore[union-attr]
            self.missing += int(np.isnan(numbers).sum())
            self._see_numbers(numbers)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest number; infinity and minus infinity where there was none."""
        return float(self.moments.minimum[0]), float(self.moments.maximum[0])

    @property
    def fits_float32(self) -> bool:
        """Whether float32 loses nothing against the spread."""
        return self.rounding == 0 or self.rounding <= LOSS * float(self.moments.std[0])

    def _see_numbers(self, numbers: Floats) -> None:
        self.moments.update(numbers[:, None])
        with np.errstate(invalid="ignore", over="ignore"):
            errors = np.abs(numbers.astype(np.float32) - numbers)
        self.rounding = max(self.rounding, float(np.fmax.reduce(errors, initial=0.0)))

    def _see_dates(self, cells: pl.Series) -> None:
        days = as_days(cells, self.found.form)
        self.missing += days.null_count()
        self._see_numbers(days.drop_nulls().to_numpy())
        moments = as_moments(cells, self.found.form).drop_nulls()
        for part, values in (
            ("year", moments.dt.month()),
            ("week", moments.dt.weekday()),
            ("day", position(moments, "day")),
        ):
            ends = self.cycles.setdefault(part, [math.inf, -math.inf])
            if len(values):
                ends[0] = min(ends[0], float(values.min()))  # type: ignore[arg-type]
                ends[1] = max(ends[1], float(values.max()))  # type: ignore[arg-type]

    def _column(self) -> Column:
        found = self.found
        if found.type == "number":
            return NumberColumn(self.name, found.reading, found.words)
        if found.type == "boolean":
            return BooleanColumn(self.name, found.no, found.yes)
        if found.type == "date":
            parts = tuple(part for part, (low, high) in self.cycles.items() if high - low > VARIES)
            return DateColumn(self.name, found.form, self.ends[0], parts, found.words)
        if found.type == "category":
            return CategoryColumn(self.name, self._kept_levels(), found.numeric)
        if found.type == "text":
            return TextColumn(self.name, kept_words(self.levels, self.rows))
        return DroppedColumn(self.name, found.why)

    def _kept_levels(self) -> tuple[str, ...]:
        least = min(ENOUGH_ROWS, max(LEAST_ROWS, round(RARE_SHARE * self.rows)))
        often = [level for level, count in self.levels.most_common(MOST_LEVELS) if count >= least]
        if self.found.numeric:
            return tuple(sorted(often, key=lambda level: (float(level), level)))
        return tuple(sorted(often))

    def finish(self) -> tuple[Column, ColumnSummary]:
        """The column, and what a report says of it."""
        column = self._column()
        why = self.found.why
        low, high = self.ends
        varied = high > low or self.missing
        if self.found.type == "category" and isinstance(column, CategoryColumn):
            if not column.levels or (len(column.levels) == 1 and len(self.levels) == 1 and not self.missing):
                column = DroppedColumn(self.name, self._why_not_learned())
            elif rare := len(self.levels) - len(column.levels):
                why += f"; {counted(rare, 'rare level')} {'is' if rare == 1 else 'are'} encoded like unknown levels"
        elif isinstance(column, TextColumn):
            if not column.words:
                column = DroppedColumn(self.name, "none of its words comes often enough in the training rows")
        elif self.found.type != "drop" and (not self.moments.count[0] or not varied):
            column = DroppedColumn(self.name, "it has only one value in the training rows")
        if isinstance(column, DroppedColumn):
            why = column.why
        summary: dict[str, Any] = {}
        if self.found.type != "date" and self.moments.count[0]:
            summary = {"mean": float(self.moments.mean[0]), "std": float(self.moments.std[0]), "low": low, "high": high}
        if isinstance(column, CategoryColumn):
            summary["levels"] = len(column.levels)
        if isinstance(column, TextColumn):
            why += f": {counted(len(column.words), 'word')}"
        if isinstance(column, DateColumn):
            why += f"; from {_date(low)} to {_date(high)}"
            cycles = {"year": "season", "week": "weekday", "day": "time of day"}
            if column.parts:
                why += "; as days and as " + ", ".join(cycles[part] for part in column.parts)
        missing = self.missing / self.rows if self.rows else 0.0
        return column, ColumnSummary(name=self.name, type=column.kind, why=why, missing=missing, **summary)

    def _why_not_learned(self) -> str:
        if len(self.levels) <= 1:
            return "it has only one value in the training rows"
        return f"{counted(len(self.levels), 'level')}, none of which is frequent enough in the training rows"


def fit_columns(
    chunks: Iterable[pl.DataFrame],
    types: Mapping[str, FoundType],
    *,
    target: str,
    place: int,
    named: bool = True,
    missing: tuple[str, ...] = ("",),
) -> tuple[Columns, tuple[ColumnSummary, ...]]:
    """Columns learned from training rows.

    Args:
        chunks: Cleaned frames of training rows; read once.
        types: Of each column but the target, in the order of the file.
        target: Name of the target column.
        place: Where it stands in the file.
        named: Whether the file named its columns.
        missing: Texts that mean no value.

    Raises:
        DataError: No column is left to learn from.
    """
    fits = [ColumnFit(name, found) for name, found in types.items()]
    for chunk in chunks:
        for fit in fits:
            fit.see(chunk[fit.name])
    done = [fit.finish() for fit in fits]
    columns = tuple(column for column, _ in done)
    if all(isinstance(column, DroppedColumn) for column in columns):
        reasons = "; ".join(
            f"'{column.name}': {column.why}" for column, _ in done[:5] if isinstance(column, DroppedColumn)
        )
        raise DataError(
            f"no column is left from which '{target}' can be predicted",
            cause=reasons,
            write='types = { "NAME" = "number" } under [data] keeps a column',
        )
    dtype: Literal["float32", "float64"] = "float32" if all(fit.fits_float32 for fit in fits) else "float64"
    return Columns(columns, target, place, named, missing, dtype), tuple(summary for _, summary in done)


def said_aloud(types: Mapping[str, FoundType], columns: Columns) -> tuple[Decision, ...]:
    """A decision for each type and reason that a user may want to overrule."""
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for column in columns.columns:
        found = types[column.name]
        dropped = isinstance(column, DroppedColumn)
        why = column.why if isinstance(column, DroppedColumn) else found.why
        if found.aloud or (dropped and found.type != "drop"):
            groups.setdefault((column.kind, why, found.doubt), []).append(f"'{column.name}'")
    decisions = []
    for (kind, why, doubt), names in groups.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
        other = "category" if kind in ("number", "date", "text") else "number" if kind == "category" else "text"
        change = f"""--set 'data.types={{"{names[0][1:-1]}" = "{other}"}}'"""
        decisions.append(
            Decision(setting="data.types", value=f"{shown}: {kind}", why=why, change=change if doubt else "")
        )
    return tuple(decisions)


def _date(days: float) -> str:
    return str(np.datetime64("1970-01-01") + np.timedelta64(math.floor(days), "D"))
