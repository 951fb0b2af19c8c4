"""Tables in files that are no CSV: JSON, ARFF, Feather and Arrow, libsvm, Excel; each told by its first bytes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from babysit.data._arrays import from_arrays
from babysit.data._cells import clean
from babysit.data._csv import table_of_text
from babysit.data._csv_text import decode, read_bytes, refuse_other_kinds
from babysit.data._found import Arrays, Table, physical_memory
from babysit.data._nested import flat_frame
from babysit.data._unpacked import ZIP, inner_name, is_compressed, unpack
from babysit.data._wording import several
from babysit.record import DataError, DataSection, MissingExtraError

HEAD = 1 << 16
ARROW = b"ARROW1"
ARROW_STREAM = b"\xff\xff\xff\xff"
ATTRIBUTE = re.compile(r"\s*@attribute\s+(?:'([^']*)'|\"([^\"]*)\"|(\S+))\s+(.*)", re.IGNORECASE)
SHEET = b"xl/"
JSON_LINES = (".jsonl", ".ndjson")
SHARE_OF_MEMORY = 0.25
Reader = Callable[[bytes, str, DataSection], Table | Arrays]


def read_file(path: pathlib.Path, data: DataSection) -> Table | Arrays:
    """A file of one table, compressed or not; what it is, its first bytes say.

    Raises:
        DataError: It cannot be read, or is something else.
    """
    content, name, inner = read_bytes(path), str(path), path.name
    if is_compressed(content) and not _is_workbook(content):
        content, member = unpack(content, name)
        inner = member or inner_name(path)
        if not content.strip():
            raise DataError(f"{name} holds an empty file", cause="the file was not written completely")
        if is_compressed(content) and not _is_workbook(content):
            raise DataError(f"{name} is compressed twice", write="unpack it first")
    if _is_workbook(content):
        return read_excel(content, name, data)
    if content.startswith(b"PAR1"):
        return Table(name, clean(_by_polars(pl.read_parquet, content, name)))
    if content.startswith(ARROW):
        return Table(name, clean(flat_frame(_by_polars(pl.read_ipc, content, name))))
    if content.startswith(ARROW_STREAM):
        return Table(name, clean(flat_frame(_by_polars(pl.read_ipc_stream, content, name))))
    refuse_other_kinds(content, name)
    return _read_text(content, name, inner, data)


def _read_text(content: bytes, name: str, inner: str, data: DataSection) -> Table | Arrays:
    text, decisions = decode(content, name, data.encoding)
    head = text[:HEAD].lstrip()
    table: Table
    if head[:1] in ("{", "[") and (frame := _json_frame(text, name, inner.lower().endswith(JSON_LINES))) is not None:
        table = Table(name, clean(flat_frame(frame)))
    elif _is_arff(text[:HEAD]):
        table = read_arff(text, name, data)
    elif _is_libsvm(head, len(text) <= HEAD):
        return read_libsvm(content, name, data)
    else:
        table = table_of_text(text, name, data)
    return _said(table, decisions)


def _said(table: Table, decisions: tuple[Any, ...]) -> Table:
    return dataclasses.replace(table, decisions=(*decisions, *table.decisions))


def _is_workbook(content: bytes) -> bool:
    return content.startswith(ZIP) and SHEET in content and b"[Content_Types].xml" in content


def _by_polars(read: Callable[..., pl.DataFrame], content: bytes, name: str) -> pl.DataFrame:
    try:
        return read(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, MemoryError) as error:
        raise DataError(
            f"{name} cannot be read: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}",
            cause="the file was not written or downloaded completely",
        ) from None


def _json_frame(text: str, name: str, lines: bool) -> pl.DataFrame | None:
    """Rows of JSON; None when it is not JSON after all.

    Raises:
        DataError: JSON that is not a table, or that breaks off.
    """
    whole: Any = None
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    except RecursionError:
        raise DataError(f"{name} nests JSON too deeply", legal="records with a value for each column") from None
    if whole is None or (isinstance(whole, dict) and lines):
        rows = _json_lines(text, name, lines)
        if rows is None:
            return None
    else:
        rows = _records_of(whole, name)
    try:
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{name} holds JSON that is not a table: {str(error)[:150]}", legal="a record a row") from None


def _json_lines(text: str, name: str, lines: bool) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if not rows and not lines:
                return None
            raise DataError(
                f"{name}: line {number:,} is not JSON: {str(error)[:100]}",
                cause="the file was cut off, or a line was edited by hand",
                write=f"correct line {number:,}",
            ) from None
        if not isinstance(row, dict):
            if not rows and not lines:
                return None
            raise DataError(f"{name}: line {number:,} holds a {type(row).__name__}", legal="an object, {...}, a line")
        rows.append(row)
    return rows or None


def _records_of(whole: Any, name: str) -> Any:
    """Rows or columns of a JSON document: a list of records, columns by name, or one of them inside of an object."""
    if isinstance(whole, list) and whole and all(isinstance(row, dict) for row in whole):
        return whole
    if isinstance(whole, list) and len(whole) > 1 and all(isinstance(row, list) for row in whole):
        names = [str(cell) for cell in whole[0]]
        return [dict(zip(names, row, strict=False)) for row in whole[1:]]
    if isinstance(whole, dict) and whole:
        values = list(whole.values())
        if {"columns", "data"} <= set(whole) and isinstance(whole["data"], list):  # pandas' "split"
            return [dict(zip(map(str, whole["columns"]), row, strict=False)) for row in whole["data"]]
        lists = all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1
        if lists and (len(values) > 1 or not isinstance(values[0][0] if values[0] else None, dict)):
            return whole
        if all(isinstance(value, dict) for value in values) and len(values) > 1:  # pandas' "columns"
            keys = list(dict.fromkeys(key for value in values for key in value))
            return {column: [value.get(key) for key in keys] for column, value in whole.items()}
        inside = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(inside) == 1:
            return inside[0]
    raise DataError(
        f"{name} holds JSON that is not a table",
        legal='a list of records, [{"x": 1, "y": "a"}, ...], a record a line, or columns, {"x": [1], "y": ["a"]}',
    )


def read_arff(text: str, name: str, data: DataSection) -> Table:
    """Weka's format: attributes with names, then rows; ? is missing.

    Raises:
        DataError: No attributes or no rows, or rows that name only the values that are not zero.
    """
    names, rows = [], None
    lines = text.splitlines(keepends=True)
    for place, line in enumerate(lines):
        if line.strip().lower() == "@data":
            rows = place + 1
            break
        if found := ATTRIBUTE.match(line):
            names.append(next(group for group in found.groups()[:3] if group is not None))
    body = [line for line in lines[rows or len(lines) :] if line.strip() and not line.startswith("%")]
    if not names or not body:
        raise DataError(f"{name} is an ARFF file without {'attributes' if not names else 'rows'}")
    if body[0].lstrip().startswith("{"):
        raise DataError(f"{name} is a sparse ARFF file", legal="ARFF files whose rows have a value for each attribute")
    quote = "'" if any("'" in line for line in body[:200]) else '"'
    records = list(csv.reader(io.StringIO("".join(body)), quotechar=quote, skipinitialspace=True, escapechar="\\"))
    wrong = [place for place, record in enumerate(records) if len(record) != len(names)]
    if wrong:
        raise DataError(f"{name}: row {wrong[0] + 1:,} has {len(records[wrong[0]])} values, and there are {len(names)}")
    cells = dict(zip(names, map(list, zip(*records, strict=True)), strict=True))
    frame = pl.DataFrame(cells, schema={column: pl.String() for column in names})
    return Table(name, clean(frame, ("", "?")))


def _is_libsvm(head: str, whole: bool) -> bool:
    lines = [line for line in head.splitlines() if line.strip()]
    lines = lines[:50] if whole or len(lines) > 1 else lines
    checked = lines if whole else lines[:-1] or lines
    return bool(checked) and all(_is_libsvm_line(line) for line in checked)


def _is_libsvm_line(line: str) -> bool:
    """A target, or several with commas between, `qid:7` perhaps, and at least one `index:value`."""
    target, *pairs = line.partition("#")[0].split() or [""]
    if pairs and pairs[0].startswith("qid:"):
        pairs = pairs[1:]
    parts = [pair.partition(":") for pair in pairs]
    numbers = [*target.split(","), *(value for _, _, value in parts)]
    return bool(parts) and all(index.isdecimal() for index, _, _ in parts) and all(map(_is_number, numbers))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_arff(head: str) -> bool:
    """The first line that is neither blank nor a comment names the relation."""
    lines = (line.strip() for line in head.splitlines())
    first = next((line for line in lines if line and not line.startswith("%")), "")
    return first.lower().split(maxsplit=1)[:1] == ["@relation"]


def read_libsvm(content: bytes, name: str, data: DataSection) -> Arrays | Table:
    """svmlight's and libsvm's format: a target, then numbers by their places.

    Raises:
        DataError: It cannot be read, or takes too much memory with its zeros.
    """
    from sklearn.datasets import load_svmlight_file

    try:
        inputs, targets = load_svmlight_file(io.BytesIO(content), multilabel=False)
    except (ValueError, OverflowError, MemoryError) as error:
        raise DataError(f"{name} is not a libsvm file: {str(error)[:150]}") from None
    if inputs.shape[0] * inputs.shape[1] * 8 > SHARE_OF_MEMORY * physical_memory():
        raise DataError(
            f"{name}: {inputs.shape[0]:,} rows of {inputs.shape[1]:,} numbers are more than the memory holds"
        )
    dense = np.asarray(inputs.todense())
    return from_arrays(dense, targets, name=name, target=data.target or "target")


def read_excel(content: bytes, name: str, data: DataSection) -> Table:
    """The first sheet of a workbook that holds a table, read as the same table in CSV would be.

    Raises:
        MissingExtraError: The reader of workbooks is not installed.
        DataError: It cannot be read, or is empty.
    """
    try:
        import fastexcel
    except ImportError:
        raise MissingExtraError(
            f"{name} is an Excel workbook, and reading one needs fastexcel", write="pip install babysit[excel]"
        ) from None
    try:
        book = fastexcel.read_excel(content)
        sheets = list(book.sheet_names)
        frames = ((sheet, book.load_sheet(sheet, header_row=None, dtypes="string").to_polars()) for sheet in sheets)
        chosen, frame = next(((sheet, frame) for sheet, frame in frames if frame.height > 1), (None, None))
    except (fastexcel.FastExcelError, ValueError, OSError) as error:
        raise DataError(f"{name} cannot be read: {str(error).splitlines()[0][:150]}") from None
    if frame is None:
        raise DataError(f"{name} has no sheet with rows", legal="a workbook whose first filled sheet is the table")
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(frame.fill_null("").rows())
    table = table_of_text(buffer.getvalue(), f"{name}, sheet '{chosen}'", data.model_copy(update={"delimiter": ","}))
    if len(sheets) > 1:
        rest = several((sheet for sheet in sheets if sheet != chosen), 5)
        note = f"the sheet '{chosen}' is read; the workbook also has {rest}"
        table = dataclasses.replace(table, notes=(*table.notes, note))
    return table
