"""Which sign separates the cells of a text table, and which surrounds them."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence

from babysit.record import DataError

# In the order of preference: a sign that is seldom part of a cell goes first.
DELIMITERS = ("\t", ";", "|", ",")
SELDOM = ("#", "~", "^", ":")  # looked for only where none of the others makes a table
BLANKS = " "
RECORDS = 200
CONSISTENT = 0.8
SELDOM_CONSISTENT = 0.95
LEAST = 3  # of such a sign, that it is one between cells
NUMBERS_OF_BLANKS = 1 / 3  # share of numbers from which runs of blanks may separate cells
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)([eEdD][+-]?\d+)?%?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?Z?)?|\d{1,2}:\d{2}(:\d{2})?")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")

Records = list[list[str]]


def parse(text: str, delimiter: str, quote: str, name: str, most: int | None = RECORDS) -> Records:
    """Records of a text by Python's own reader: slow, lenient with quotes inside cells, and right."""
    if delimiter == BLANKS:
        lines = itertools.islice(text.splitlines(), most)
        return [_blank_separated(line) for line in lines]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    try:
        return list(itertools.islice(reader, most))
    except csv.Error as error:
        raise DataError(
            f"{name}: the field that begins before line {reader.line_num + 1:,} cannot be read: {error}",
            cause="a quote that opens and never closes, or a file that is not a table",
        ) from None


def _blank_separated(line: str) -> list[str]:
    if '"' not in line and "'" not in line:
        return line.split()
    cells = QUOTED.findall(line)
    return [cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'" else cell for cell in cells]


def find_quote(sample: str) -> str:
    """Single quotes when cells begin and end with them and none do with double ones."""
    single = len(re.findall(r"(?:^|[,;\t|#])\s*'[^'\n]*'\s*(?=[,;\t|#\n]|$)", sample, re.MULTILINE))
    double = len(re.findall(r'(?:^|[,;\t|#])\s*"', sample, re.MULTILINE))
    return "'" if single > 2 and not double else '"'


def find_delimiter(sample: str, quote: str, name: str) -> str:
    """The sign between cells, from the first 200 records; a blank stands for any run of blanks and tabs.

    A sign is the better, the more of the records have the same number of cells with it, and the more of these cells
    are numbers, dates, or texts without another of the signs.
    """
    best, best_score = ",", 0.0
    consistent = False
    for place, delimiter in enumerate((*DELIMITERS, BLANKS)):
        if delimiter not in sample:
            continue
        share, clean, numbers = _rate(parse(sample, delimiter, quote, name))
        if delimiter == BLANKS and (share < CONSISTENT or numbers < NUMBERS_OF_BLANKS):
            continue
        score = (share if share >= CONSISTENT else share / 2) * (0.5 + 0.5 * clean)
        if share and score > best_score + (0.1 if delimiter == BLANKS else 0.02 if place else 0.0):
            best, best_score, consistent = delimiter, score, share >= CONSISTENT
    if consistent and best_score >= 0.9:
        return best
    for delimiter in SELDOM:
        if sample.count(delimiter) > max(LEAST, sample.count("\n") / 2):
            share, clean, _ = _rate(parse(sample, delimiter, quote, name))
            score = share * (0.5 + 0.5 * clean)
            if share >= SELDOM_CONSISTENT and score > best_score + 0.05:
                best, best_score = delimiter, score
    return best


def _rate(records: Records) -> tuple[float, float, float]:
    """Share of records with the commonest width (0 when that is one cell), of clean cells, and of numbers."""
    trimmed = [_trimmed(record) for record in records if record and any(map(str.strip, record))]
    widths = Counter(map(len, trimmed))
    if not widths:
        return 0.0, 0.0, 0.0
    raw = Counter(len(record) for record in records if record)
    width, count = raw.most_common(1)[0]
    if width < 2 or max(widths) < 2:
        return 0.0, 0.0, 0.0
    if widths.most_common(1)[0][1] > count:
        width, count = widths.most_common(1)[0]
    if width < 2:
        return 0.0, 0.0, 0.0
    cells = [cell.strip() for record in records if len(record) >= width for cell in record]
    present = [cell for cell in cells if cell]
    numbers = sum(bool(NUMBER.fullmatch(cell)) for cell in present)
    clean = sum(map(_cleanness, present)) / max(1, len(present))
    return count / sum(widths.values()), clean, numbers / max(1, len(present))


def _cleanness(cell: str) -> float:
    if NUMBER.fullmatch(cell) or DATE.fullmatch(cell):
        return 1.0
    words = cell.split()
    if len(words) > 2 and all(any(map(str.isdigit, word)) for word in words):  # several numbers
        return 0.0
    return 0.5 if any(sign in cell for sign in (*DELIMITERS, *SELDOM[:3])) else 0.9


def _trimmed(record: Sequence[str]) -> Sequence[str]:
    end = len(record)
    while end and not record[end - 1].strip():
        end -= 1
    return record[:end]
