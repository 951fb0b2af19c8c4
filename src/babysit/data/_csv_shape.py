"""How a text table is laid out: delimiter, quotes, header."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection, Decision

# In the order of preference: a sign that is seldom part of a cell goes first.
DELIMITERS = ("\t", ";", "|", ",")
BLANKS = " "
NAMES = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", BLANKS: "blanks"}
RECORDS = 200
CONSISTENT = 0.8
SAMPLE = 4 << 20
NUMERIC = 0.8  # share of numbers from which a column of the sample is one of numbers
LONGEST_NAME = 200
MOST_HEADER_ROWS = 10
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?%?")

Records = list[list[str]]


@dataclass(frozen=True)
class Shape:
    """How a text table is laid out.

    Attributes:
        delimiter: Between cells; a blank stands for any run of blanks.
        quote: Around cells that hold delimiters.
        width: Cells a row.
        header: Records before the first row.
        names: Of the columns.
        named: Whether the file says them.
        decisions: What was found in the file and not stated by the user.
    """

    delimiter: str
    quote: str
    width: int
    header: int
    names: tuple[str, ...]
    named: bool
    decisions: tuple[Decision, ...]


def find_shape(text: str, name: str, data: DataSection) -> Shape:
    """The layout of a text table, from its first 200 records.

    Args:
        text: Of the whole file.
        name: Of the file, for errors.
        data: What the user states.

    Raises:
        DataError: No rows, double names, a stated delimiter that is not one character.
    """
    sample = text[:SAMPLE]
    quote = _find_quote(sample[:65536])
    decisions = []
    if data.delimiter is not None:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(data.delimiter, data.delimiter)
        if len(delimiter) != 1 or delimiter in "\n\r" + quote or not delimiter.isascii():
            raise DataError(
                f"a delimiter is one character, not {data.delimiter!r}",
                legal="one character, for example , ; | or a tab",
                write=",",
            )
    else:
        delimiter = _find_delimiter(sample, quote, name)
        if delimiter != ",":
            why = f"the first {RECORDS} rows have the same number of cells with it"
            decisions.append(Decision(setting="data.delimiter", value=NAMES[delimiter], why=why))
    records = [
        [cell.strip() for cell in record] for record in parse(sample, delimiter, quote, name) if not is_blank(record)
    ]
    if not records:
        raise DataError(
            f"{name} is empty", cause="the file was not written completely, or it is not the file you meant"
        )
    widths = Counter(len(record) for record in records[1:] or records)
    width = max(widths, key=lambda width: (widths[width], width))
    header, names, named, decision = _find_header(records, width, name, data)
    if decision is not None:
        decisions.append(decision)
    if len(names) != width:
        raise DataError(
            f"{name}: line {header} names {counted(len(names), 'column')}, and the rows below it have {width}",
            legal="one name for each column",
            cause="a delimiter inside a name or a cell that has no quotes around it",
        )
    doubles = [column for column, count in Counter(names).items() if count > 1]
    if doubles:
        raise DataError(
            f"{name}: {counted(len(doubles), 'column name')} {'occurs' if len(doubles) == 1 else 'occur'} twice: "
            f"{several(map(repr, doubles))}",
            legal="a different name for each column",
            write="rename them in the first line, or --set data.header_rows=0 if the first line holds no names",
        )
    return Shape(delimiter, quote, width, header, tuple(names), named, tuple(decisions))


def parse(text: str, delimiter: str, quote: str, name: str, most: int | None = RECORDS) -> Records:
    """Records of a text by Python's own reader: slow, lenient with quotes inside cells, and right."""
    if delimiter == BLANKS:
        lines = itertools.islice(text.splitlines(), most)
        return [line.split() for line in lines]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    try:
        return list(itertools.islice(reader, most))
    except csv.Error as error:
        raise DataError(
            f"{name}: the field that begins before line {reader.line_num + 1:,} cannot be read: {error}",
            cause="a quote that opens and never closes, or a file that is not a table",
        ) from None


def is_blank(record: Sequence[str]) -> bool:
    """Whether a record is a line with nothing in it, which does not count."""
    return not record or (len(record) == 1 and not record[0].strip())


def _find_quote(sample: str) -> str:
    """Single quotes when cells begin and end with them and none do with double ones."""
    single = len(re.findall(r"(?:^|[,;\t|])\s*'[^'\n]*'\s*(?=[,;\t|\n]|$)", sample, re.MULTILINE))
    double = len(re.findall(r'(?:^|[,;\t|])\s*"', sample, re.MULTILINE))
    return "'" if single > 2 and not double else '"'


def _find_delimiter(sample: str, quote: str, name: str) -> str:
    best, best_rank = ",", (0.0, 0)
    for place, delimiter in enumerate(DELIMITERS):
        if delimiter not in sample:
            continue
        widths = [len(record) for record in parse(sample, delimiter, quote, name) if record]
        share = _consistency(widths)
        rank = (share if share >= CONSISTENT else share / 2, -place)
        if share and rank > best_rank:
            best, best_rank = delimiter, rank
    if best_rank[0] == 0.0:
        words = [record for record in parse(sample, BLANKS, quote, name) if record]
        numbers = [bool(NUMBER.fullmatch(cell)) for record in words for cell in record]
        if _consistency([len(record) for record in words]) >= CONSISTENT and sum(numbers) > len(numbers) / 2:
            return BLANKS
    return best


def _consistency(widths: Sequence[int]) -> float:
    """Share of records that have the commonest width; 0 when that is one cell."""
    if not widths:
        return 0.0
    width, count = Counter(widths).most_common(1)[0]
    return count / len(widths) if width > 1 else 0.0


def _find_header(
    records: Records, width: int, name: str, data: DataSection
) -> tuple[int, list[str], bool, Decision | None]:
    made_up = [f"column_{number + 1}" for number in range(width)]
    if data.header_rows is not None:
        if data.header_rows >= len(records):
            raise DataError(
                f"{name} has {counted(len(records), 'row')} and data.header_rows is {data.header_rows}",
                legal="fewer header rows than rows",
            )
        if not data.header_rows:
            return 0, made_up, False, None
        cells = records[data.header_rows - 1]
        return data.header_rows, _names(cells, width), True, None
    missing = {*data.missing, ""}
    preamble = 0
    for record in records[:MOST_HEADER_ROWS]:
        begins_names = len(record) == width - 1 and width > 2 and not any(map(is_number, record))
        if len(record) >= width or begins_names or (record and is_number(record[0])):
            break
        preamble += 1
    body = records[preamble:]
    if not body:
        raise DataError(f"{name} has no two rows with the same number of cells", cause="it is not a table")
    header = 0
    while header < min(MOST_HEADER_ROWS, len(body) - 1) and _is_header(body, header, missing):
        header += 1
    if len(body) == 1 and not any(map(is_number, body[0])):
        header = 1
    if header == len(body):
        raise DataError(
            f"{name} has a header and no rows below it: {several(body[0])}",
            cause="the file was not written completely",
            write="--set data.header_rows=0 if its first line is a row",
        )
    if not header:
        why = f"the first row, '{', '.join(body[0])[:60]}', is like the rows below it, so it names no columns"
        if preamble:
            why += f"; {counted(preamble, 'line')} before it {'is' if preamble == 1 else 'are'} not part of the table"
        decision = Decision(setting="data.header_rows", value=str(preamble), why=f"{why}; the columns are numbered")
        return preamble, made_up, False, decision
    cells = body[header - 1]
    found: Decision | None = None
    if preamble + header > 1:
        why = f"line {preamble + header} is the last line before the rows and names the columns: {several(cells, 3)}"
        found = Decision(setting="data.header_rows", value=str(preamble + header), why=why)
    return preamble + header, _names(cells, width), True, found


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number."""
    return bool(NUMBER.fullmatch(cell))


def _is_header(body: Records, place: int, missing: set[str]) -> bool:
    """Whether a record names columns: text above numbers, or texts that never come again below."""
    record, below = body[place], body[place + 1 :]
    width = max(map(len, body))
    if len(record) < width - 1 or any(len(cell) > LONGEST_NAME for cell in record):
        return False
    shift = width - len(record)  # a header may leave out the name of the row numbers
    if place == 0 and len(record) > 2 and record == [str(number) for number in range(len(record))]:
        return True  # what pandas writes for columns without names
    numeric = []
    for column in range(width):
        cells = [row[column] for row in below if column < len(row) and row[column] not in missing]
        numeric.append(bool(cells) and sum(map(is_number, cells)) >= NUMERIC * len(cells))
    above = [record[column - shift] for column in range(shift, width) if numeric[column]]
    if any(map(is_number, above)):
        return False
    named = [cell for cell in above if cell not in missing]
    if any(numeric[shift:]):
        return len(named) == len(above) if place else bool(named)
    if place or len(set(record)) < len(record) or any(map(is_number, record)):
        return False
    seen = [{row[column] for row in below if column < len(row)} for column in range(width)]
    return not any(cell in seen[column + shift] for column, cell in enumerate(record) if cell)


def _names(cells: Sequence[str], width: int) -> list[str]:
    """Names of columns; one too few means that the first column, of row numbers, has none."""
    padded = ["", *cells] if len(cells) == width - 1 and width > 2 else [*cells, *[""] * (width - len(cells))]
    empty = [place for place, cell in enumerate(padded) if not cell]
    label = {place: "unnamed" if len(empty) == 1 else f"unnamed: {place}" for place in empty}
    return [cell or label[place] for place, cell in enumerate(padded)]
