"""The header of a text table: which lines stand before the rows, and what they name."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.data._csv_dialect import DATE, NUMBER, Records
from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection, Decision

NUMERIC = 0.8  # share of numbers from which a column of the sample is one of numbers
LONGEST_NAME = 200
MOST_HEADER_ROWS = 10
MOST_TITLE_ROWS = 40
LEVELS = " / "  # between the names of several header rows
GENERIC = re.compile(r"[A-Za-z]{1,3}_?\d+|column_?\d+|unnamed.*|\d+|[A-Z]", re.IGNORECASE)  # X1, column_2: no names
GENERIC_SHARE = 0.8
UNIT = re.compile(
    r"[\[(].{1,20}[\])]|-|[%°$€£]\S{0,3}|[µmkcdMG]?(?:m|g|s|l|L|W|Wh|V|A|Hz|Pa|J|N|K|C|mol|bar|B)[23²³]?|"
    r"(?:pcs|pieces|items?|each|kg|km|cm|mm|min|h|hr|hrs|sec|days?|years?|yrs?|mph|rpm|bhp|hp|cc|mi|ft|in|lbs?|oz|gal|mpg|ppm|ppb|deg|°C|°F|"
    r"USD|EUR|GBP|no|units?|count|n/a|text|date|number|string|int|float)|\S{1,8}/\S{1,8}",
)
YEARS = (1800, 2200)


@dataclass(frozen=True)
class HeaderFound:
    """The header of a table.

    Attributes:
        header: Records before the first row.
        names: Of the columns.
        named: Whether the file says them.
        decisions: What was found.
    """

    header: int
    names: list[str]
    named: bool
    decisions: tuple[Decision, ...] = ()


def find_header(records: Records, width: int, name: str, data: DataSection) -> HeaderFound:
    """The header of a table: titles before it are left out, several rows of names are joined.

    Args:
        records: The first ones, their cells without blanks around them.
        width: Cells a row.
        name: Of the file, for errors.
        data: May state how many lines the header has, and what is missing.

    Raises:
        DataError: No rows.
    """
    made_up = [f"column_{number + 1}" for number in range(width)]
    if data.header_rows is not None:
        if data.header_rows >= len(records):
            raise DataError(
                f"{name} has {counted(len(records), 'row')} and data.header_rows is {data.header_rows}",
                legal="fewer header rows than rows",
            )
        if not data.header_rows:
            return HeaderFound(0, made_up, False)
        cells = records[data.header_rows - 1]
        return HeaderFound(data.header_rows, _names([cells], width, records[data.header_rows :]), True)
    missing = {*data.missing, ""}
    preamble = _title_rows(records, width)
    body = records[preamble:]
    if not body:
        raise DataError(f"{name} has no two rows with the same number of cells", cause="it is not a table")
    header = 0
    while header < min(MOST_HEADER_ROWS, len(body) - 1) and _is_header(body, header, missing):
        header += 1
    if len(body) == 1 and not any(map(is_number, body[0])):
        header = 1
    if not header:
        why = f"the first row, '{', '.join(body[0])[:60]}', is like the rows below it, so it names no columns"
        if preamble:
            why += f"; {counted(preamble, 'line')} before it {'is' if preamble == 1 else 'are'} not part of the table"
        value = str(preamble)
        decision = Decision(setting="data.header_rows", value=value, why=f"{why}; the columns are numbered")
        return HeaderFound(preamble, made_up, False, (decision,))
    names = _names(body[:header], width, body[header:])
    if preamble + header == 1:
        return HeaderFound(1, names, True)
    if header > 1:
        why = f"{counted(header, 'line')} above the rows name the columns: {several(names, 3)}"
    else:
        why = f"line {preamble + header} is the last line before the rows and names the columns: {several(names, 3)}"
    if preamble:
        why += f"; {counted(preamble, 'line')} before {'is' if preamble == 1 else 'are'} a title"
    return HeaderFound(
        preamble + header, names, True, (Decision(setting="data.header_rows", value=str(preamble + header), why=why),)
    )


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number."""
    return bool(NUMBER.fullmatch(cell))


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of which each is there once, and what was renamed.

    Example:
        >>> unique_names(["x", "y", "x"])
        (['x', 'y', 'x (2)'], ["'x' in column 3 as 'x (2)'"])
    """
    counts: Counter[str] = Counter()
    taken, found, renamed = set(names), [], []
    for place, name in enumerate(names):
        counts[name] += 1
        new = name
        if counts[name] > 1:
            new = f"{name} ({counts[name]})"
            while new in taken:
                counts[name] += 1
                new = f"{name} ({counts[name]})"
            taken.add(new)
            renamed.append(f"'{name}' in column {place + 1} as '{new}'")
        found.append(new)
    return found, renamed


def _title_rows(records: Records, width: int) -> int:
    """Records before the names: shorter ones, and such as have a title in their first cell and nothing behind it."""
    count = 0
    for place, record in enumerate(records[:MOST_TITLE_ROWS]):
        filled = [cell for cell in record if cell]
        begins_names = len(record) == width - 1 and width > 2 and not any(map(is_number, record))
        if len(record) < width and not begins_names and not (record and is_number(record[0])):
            count += 1
            continue
        if not filled:
            count += 1
            continue
        rest = records[place + 1 :]
        alone = width > 2 and len(record) >= width and len(filled) <= (2 if width > 5 else 1) and bool(filled)
        starts = alone and record[: len(filled)] == filled and not is_number(filled[0])
        fuller = sum(sum(map(bool, other)) > len(filled) + 1 for other in rest[:20])
        if starts and rest and fuller > len(rest[:20]) / 2 and not DATE.fullmatch(filled[0]):
            count += 1
            continue
        break
    return count


def _is_header(body: Records, place: int, missing: set[str]) -> bool:
    """Whether a record names columns: text above numbers, or texts that never come again below."""
    record, below = body[place], body[place + 1 :]
    width = max(map(len, body))
    if len(record) < width - 1 or any(len(cell) > LONGEST_NAME for cell in record):
        return False
    closed = all(not row[width - 1] for row in below if len(row) == width)  # by a delimiter at the end of each row
    shift = max(0, width - len(record)) if not closed else 0  # a header may leave out the name of the row numbers
    record = [*record, *[""] * (width - shift - len(record))]
    if place == 0 and len(record) > 2 and record == [str(number) for number in range(len(record))]:
        return True  # what pandas writes for columns without names
    numeric = []
    for column in range(width):
        cells = [row[column] for row in below if column < len(row) and row[column] not in missing]
        numeric.append(bool(cells) and sum(map(is_number, cells)) >= NUMERIC * len(cells))
    above = [record[column - shift] for column in range(shift, width) if numeric[column]]
    named = [cell for cell in above if cell not in missing]
    if any(map(is_number, above)):
        return place == 0 and _counts(record, below, numeric, shift)
    if any(numeric[shift:]):
        if not place:
            return bool(named)
        before = body[place - 1]
        merged = [
            record[column - shift] not in missing or (column - shift < len(before) and bool(before[column - shift]))
            for column in range(shift, width)
            if numeric[column]
        ]
        return (bool(named) and all(merged)) or (not named and _names_one(record, below, shift))
    if place or len(set(record)) < len(record) or any(map(is_number, record)):
        return False
    seen = [{row[column] for row in below if column < len(row)} for column in range(width)]
    return not any(cell in seen[column + shift] for column, cell in enumerate(record) if cell)


def _names_one(record: Sequence[str], below: Records, shift: int) -> bool:
    """Whether a further header row names one column, of dates for example, and leaves the others empty."""
    filled = [column for column, cell in enumerate(record) if cell]
    if len(filled) != 1 or any(letter.isdigit() for letter in record[filled[0]]):
        return False
    cells = [row[filled[0] + shift] for row in below if filled[0] + shift < len(row)]
    return bool(cells) and all(any(letter.isdigit() for letter in cell) for cell in cells if cell)


def _counts(record: Sequence[str], below: Records, numeric: Sequence[bool], shift: int) -> bool:
    """Whether numbers in a first row are names: years or a count beside names, above numbers that are neither."""
    numbers = [column for column in range(shift, len(numeric)) if is_number(record[column - shift])]
    texts = [column for column in range(shift, len(numeric)) if column not in numbers and record[column - shift]]
    values = [record[column - shift] for column in numbers]
    if len(numbers) < 2 or not texts or not all(value.isdigit() for value in values):
        return False
    if not all(numeric[column] for column in numbers):
        return False
    steps = {int(after) - int(before) for before, after in itertools.pairwise(values)}
    years = all(YEARS[0] <= int(value) <= YEARS[1] for value in values)
    if not (years and len(set(values)) == len(values)) and steps != {1}:
        return False
    for column in texts:
        if record[column - shift] in {row[column] for row in below if column < len(row)}:
            return False
    cells = [row[column] for row in below for column in numbers if column < len(row) and row[column]]
    alike = sum(cell.isdigit() and YEARS[0] <= int(cell) <= YEARS[1] for cell in cells)
    return not (years and alike > len(cells) / 2)


def _names(heads: Records, width: int, below: Records) -> list[str]:
    """Names of columns from the rows above them."""
    rows = [_padded(head, width, below) for head in heads]
    if len(rows) > 1:
        first = [cell for cell in rows[0] if cell]
        if sum(bool(GENERIC.fullmatch(cell)) for cell in first) >= GENERIC_SHARE * len(first):
            rows = [rows[-1]]
    rows = [rows[0], *(row for row in rows[1:] if not _holds_units(row))]
    if len(rows) > 1:
        rows = [*map(_filled_forward, rows[:-1]), rows[-1]]
    parts = [[row[column] for row in rows if column < len(row) and row[column]] for column in range(len(rows[0]))]
    padded = [LEVELS.join(dict.fromkeys(part)) for part in parts]
    empty = [place for place, cell in enumerate(padded) if not cell]
    label = {place: "unnamed" if len(empty) == 1 else f"unnamed: {place}" for place in empty}
    return [cell or label[place] for place, cell in enumerate(padded)]


def _padded(cells: Sequence[str], width: int, below: Records) -> list[str]:
    """As many cells as columns; one too few means that the first column, of row numbers, has no name."""
    found = list(cells)
    while len(found) > width and not found[-1]:
        found.pop()
    if len(found) == width - 1 and width > 2:
        closed = all(not row[width - 1] for row in below if len(row) >= width)
        return [*found, ""] if closed else ["", *found]
    return [*found, *[""] * (width - len(found))]


def _filled_forward(row: Sequence[str]) -> list[str]:
    """Names that stand once above several columns, above each of them."""
    if sum(map(bool, row)) == len(row) or len([cell for cell in row if cell]) < 2:
        return list(row)
    filled, last = [], ""
    for cell in row:
        last = cell or last
        filled.append(last)
    return filled


def _holds_units(row: Sequence[str]) -> bool:
    present = [cell for cell in row if cell]
    return bool(present) and all(UNIT.fullmatch(cell) for cell in present)
