"""Text tables: CSV and its relatives."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
import re

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._cells import blank_rows, clean
from babysit.data._csv_dialect import BLANKS, parse
from babysit.data._csv_plain import plain_text
from babysit.data._csv_rows import without_totals
from babysit.data._csv_shape import Shape, find_shape, is_blank
from babysit.data._csv_text import decode, read_bytes
from babysit.data._found import Table
from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection

BLOCK = 16 << 20
NEW_LINE = 10
Places = npt.NDArray[np.int64]


def read_csv(path: pathlib.Path, data: DataSection) -> Table:
    """A text table, its cells as cleaned texts.

    Encoding, delimiter, quotes and header are found unless stated.

    Args:
        path: Of the file.
        data: What the user states.

    Raises:
        DataError: It cannot be read; says the line.
    """
    text, decisions = decode(read_bytes(path), str(path), data.encoding)
    table = table_of_text(text, str(path), data)
    return dataclasses.replace(table, decisions=(*decisions, *table.decisions))


def table_of_text(text: str, name: str, data: DataSection) -> Table:
    """A text table from its text."""
    text, notes = plain_text(text)
    if not text.strip():
        raise DataError(
            f"{name} is empty", cause="the file was not written completely, or it is not the file you meant"
        )
    shape = find_shape(text, name, data)
    frame = read_fast(text, shape) if not shape.short else None
    if frame is None:
        frame = read_slowly(text, shape, name)
    frame = clean(frame)
    empty = int(blank_rows(frame).sum())
    last = frame.columns[-1]
    if frame.width > 2 and (not shape.named or last.startswith("unnamed")) and frame[last].null_count() == frame.height:
        frame = frame.drop(last)
        notes = (*notes, "each line ends with a delimiter; the empty last column is left out")
    if not frame.height or empty == frame.height:
        raise no_rows(name, shape)
    frame, left_out = without_totals(frame)
    notes = (*notes, *left_out)
    return Table(name, frame, named=shape.named, decisions=shape.decisions, notes=notes, delimiter=shape.delimiter)


def no_rows(name: str, shape: Shape) -> DataError:
    """The error for a table without rows."""
    return DataError(
        f"{name} has a header and no rows below it: {several(shape.names)}",
        cause="the file was not written completely",
        write="--set data.header_rows=0 if its first line is a row",
    )


def read_fast(text: str, shape: Shape) -> pl.DataFrame | None:
    """Cells as texts through polars; None when the file is not perfectly regular: the slow reader then reads it.

    Every record is counted first, as polars fills short ones silently.
    """
    if shape.delimiter == BLANKS and ('"' in text or "'" in text):
        return None
    if shape.delimiter == BLANKS:
        text = re.sub(r"[ \t]+", "\t", re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text))
    delimiter = "\t" if shape.delimiter == BLANKS else shape.delimiter
    content = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
    starts, ends, cells = count_cells(content, ord(delimiter), ord(shape.quote))
    if cells[-1] < 0 or shape.width == 1 or not quotes_hold_cells(content, ord(delimiter), ord(shape.quote)):
        return None
    filled = ends > starts
    above = zip(starts[filled][: shape.header], ends[filled][: shape.header], strict=True)
    if any(not content[first:last].tobytes().strip() for first, last in above):
        return None  # a line of blanks above the names, which the slow reader does not count
    starts, ends, cells = starts[filled][shape.header :], ends[filled][shape.header :], cells[filled][shape.header :]
    if not len(cells) or bool((cells != shape.width).any()):
        return None
    body = content[starts[0] : ends[-1]].tobytes()
    if not filled.all():
        gaps = np.flatnonzero(starts[1:] != ends[:-1] + 1)
        firsts, lasts = np.r_[starts[0], starts[gaps + 1]], np.r_[ends[gaps], ends[-1]]
        body = b"\n".join(content[first:last].tobytes() for first, last in zip(firsts, lasts, strict=True))
    try:
        frame = pl.read_csv(
            body + b"\n",
            has_header=False,
            separator=delimiter,
            quote_char=shape.quote,
            schema={name: pl.String() for name in shape.names},
        )
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.height == len(cells) else None


def quotes_hold_cells(content: npt.NDArray[np.uint8], delimiter: int, quote: int) -> bool:
    """Whether quotes open at the beginning of a cell and close at its end, but for doubled ones inside."""
    quotes = np.flatnonzero(content == quote)
    padded = np.concatenate([[NEW_LINE], content, [NEW_LINE]]) if len(quotes) else content
    beside = np.array([delimiter, NEW_LINE, quote])
    return bool(np.isin(padded[quotes[0::2]], beside).all() and np.isin(padded[quotes[1::2] + 2], beside).all())


def count_cells(content: npt.NDArray[np.uint8], delimiter: int, quote: int) -> tuple[Places, Places, Places]:
    """Where each record of a text begins and ends (its line feed left out), and how many cells it has.

    A quote switches between inside and outside of a quoted cell, where delimiters and line feeds do not count. When
    the text ends inside one, the last record has -1 cells.
    """
    line_feeds, delimiters, inside = [], [], np.uint8(0)
    for start in range(0, len(content), BLOCK):
        block = content[start : start + BLOCK]
        ends, cuts = block == NEW_LINE, block == delimiter
        quotes = block == quote
        if inside or quotes.any():
            within = np.bitwise_xor.accumulate(quotes.view(np.uint8)) ^ inside
            inside = within[-1]
            outside = within == 0
            ends, cuts = ends & outside, cuts & outside
        line_feeds.append(np.flatnonzero(ends) + start)
        delimiters.append(np.flatnonzero(cuts) + start)
    ends = np.concatenate([*line_feeds, [len(content)]]).astype(np.int64)
    starts = np.r_[0, ends[:-1] + 1]
    every = np.concatenate([np.empty(0, dtype=np.int64), *delimiters])
    cells = np.searchsorted(every, ends) - np.searchsorted(every, starts) + 1
    if inside:
        cells[-1] = -1
    return starts, ends, cells


def read_slowly(text: str, shape: Shape, name: str) -> pl.DataFrame:
    """Cells as texts through Python's own reader; the oracle of `read_fast`, and the reader of irregular files.

    Raises:
        DataError: Records of unequal length; says the line.
    """
    records, lines = _records_with_lines(text, shape, name)
    _refuse_open_quote(text, shape, name, records, lines)
    records, lines = records[shape.header :], lines[shape.header :]
    if not records:
        raise no_rows(name, shape)
    if shape.short:
        records = [record + [""] * (shape.width - len(record)) for record in records]
    wrong = [place for place, record in enumerate(records) if len(record) != shape.width]
    if wrong:
        first = wrong[0]
        last = first == len(records) - 1 and text[-1:] != "\n"
        quoted = any("\n" in cell for cell in records[first])
        cause = "a delimiter inside a cell that has no quotes around it, or a row that was cut off"
        if quoted:
            cause = f"a quote {shape.quote} that opens in this line and never closes"
        elif last and len(records[first]) < shape.width:
            cause = "the file was cut off"
        raise DataError(
            f"{name}: line {lines[first]:,} has {counted(len(records[first]), 'cell')} and the other lines have "
            f"{shape.width}" + (f"; so have {len(wrong) - 1:,} more lines" if len(wrong) > 1 else ""),
            legal="the same number of cells in each line",
            cause=cause,
            write=f"correct line {lines[first]:,}: {several(cell[:20] for cell in records[first])}",
        )
    cells = zip(*records, strict=True)
    columns = {column: list(values) for column, values in zip(shape.names, cells, strict=True)}
    return pl.DataFrame(columns, schema={column: pl.String() for column in shape.names})


def _refuse_open_quote(text: str, shape: Shape, name: str, records: list[list[str]], lines: list[int]) -> None:
    """Raises DataError when the last record runs to the end of the file inside a quote, swallowing rows."""
    if shape.delimiter == BLANKS or not any("\n" in cell for cell in records[-1]):
        return
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=shape.delimiter,
        quotechar=shape.quote,
        skipinitialspace=True,
        strict=True,
    )
    try:
        for _ in reader:
            pass
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise DataError(
                f"{name}: a quote {shape.quote} opens in line {lines[-1]:,} and never closes",
                write=f"correct line {lines[-1]:,}",
            ) from None


def _records_with_lines(text: str, shape: Shape, name: str) -> tuple[list[list[str]], list[int]]:
    records, lines, line = [], [], 1
    for record in parse(text, shape.delimiter, shape.quote, name, most=None):
        if not is_blank(record):
            records.append(record)
            lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in record)
    return records, lines
