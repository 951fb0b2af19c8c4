"""Rows of a text table that are none: totals and footnotes below it."""

from __future__ import annotations

import re

import polars as pl

from babysit.data._cells import blank_rows
from babysit.data._wording import counted

TOTAL = re.compile(
    r"(?:grand |sub[- ]?|overall )?(?:totals?|sums?|averages?|mean)|summe|gesamt(?:summe)?|insgesamt|total general|"
    r"totale|somme|suma|totaal|итого|total\s*:?|sum total|all",
    re.IGNORECASE,
)
LOOKED_AT = 5  # rows at the end
LEAST = 5  # rows of a table of which the last may be one of totals


def without_totals(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The rows without those of totals at the end and without footnotes below them, and what was left out.

    A row of totals has a word for it in one of its first two cells, which stands in no other row. A footnote fills
    the first cell alone.

    Args:
        frame: Texts, null where empty.
    """
    if frame.height < LEAST + 1 or frame.width < 2:
        return frame, ()
    totals = notes = 0
    end = frame.height
    while end > max(LEAST, frame.height - LOOKED_AT):
        row = frame.row(end - 1)
        filled = [cell for cell in row if cell is not None]
        above = frame.head(end - 1)
        if _is_total(row, above):
            totals += 1
        elif frame.width > 2 and len(filled) == 1 and row[0] is not None and _is_footnote(row[0], above):
            notes += 1
        elif filled or not (totals or notes or _only_notes_below(frame, end)):
            break
        end -= 1
    if not totals and not notes:
        return frame, ()
    said = []
    if totals:
        said.append(f"{counted(totals, 'row')} at the end {'holds' if totals == 1 else 'hold'} totals")
    if notes:
        said.append(f"{counted(notes, 'row')} at the end {'is a footnote' if notes == 1 else 'are footnotes'}")
    return frame.head(end), (f"{' and '.join(said)}; left out",)


def _is_total(row: tuple[str | None, ...], above: pl.DataFrame) -> bool:
    for place, cell in enumerate(row[:2]):
        if cell is None or not TOTAL.fullmatch(cell.strip(" :*-")):
            continue
        rest = [other for other in row[place + 1 :] if other is not None]
        if rest and not bool((above[above.columns[place]] == cell).any()):
            return True
    return False


def _is_footnote(cell: str, above: pl.DataFrame) -> bool:
    """Whether a lone first cell is a remark: longer than the cells above it, or in words of its own."""
    lengths = above[above.columns[0]].drop_nulls().str.len_chars()
    longest = int(lengths.max() or 0)  # type: ignore[arg-type]
    rows = above.filter(~blank_rows(above))
    return len(cell) > longest and not bool(blank_rows(rows.drop(above.columns[0])).any())


def _only_notes_below(frame: pl.DataFrame, end: int) -> bool:
    """Whether the rows from there on are blank, and something that is not a row comes before them."""
    return (
        end > LEAST
        and bool(blank_rows(frame.slice(end - 1)).all())
        and _is_total(frame.row(end - 2), frame.head(end - 2))
    )
