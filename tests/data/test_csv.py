"""Text tables: what is found in a file, and that the fast reader and the slow one agree."""

import pathlib
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from babysit.data import prepare
from babysit.data._csv import count_cells, read_csv, read_fast, read_slowly, table_of_text
from babysit.data._csv_shape import find_shape
from babysit.data._found import Table
from babysit.record import DataError, DataSection, Recipe

BODY = "size,colour,price\n1,red,3.5\n2,blue,4\n3,red,1\n4,,2\n"


def read(tmp_path: pathlib.Path, content: str | bytes, **data: Any) -> Table:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_csv(path, DataSection(**data))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_encodings_are_found(tmp_path: pathlib.Path, encoding: str) -> None:
    table = read(tmp_path, BODY.replace("red", "grün").encode(encoding))
    assert table.frame["colour"].to_list() == ["grün", "blue", "grün", None]
    assert table.frame.columns == ["size", "colour", "price"]
    assert bool(table.decisions) == (encoding != "utf-8")


def test_old_western_encoding_is_found_and_said(tmp_path: pathlib.Path) -> None:
    table = read(tmp_path, BODY.replace("red", "grün für 5 €").encode("cp1252"))
    assert table.frame["colour"][0] == "grün für 5 €"
    assert table.decisions[0].value == "cp1252"
    assert "line 2 holds the byte fc" in table.decisions[0].why


@pytest.mark.parametrize(("delimiter", "said"), [(",", ()), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_delimiters_are_found(tmp_path: pathlib.Path, delimiter: str, said: Any) -> None:
    table = read(tmp_path, BODY.replace(",", delimiter))
    assert table.frame.width == 3
    assert [decision.value for decision in table.decisions] == ([said] if said else [])


def test_decimal_commas_leave_the_semicolon_the_delimiter(tmp_path: pathlib.Path) -> None:
    table = read(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n")
    assert table.frame.rows() == [("1,5", "2,5"), ("3,5", "4,5")]


def test_runs_of_blanks_are_a_delimiter(tmp_path: pathlib.Path) -> None:
    table = read(tmp_path, "  0.1   18.0 2.3\n 0.2 0.0    7.1\n 0.3 0.0    7.2\n")
    assert table.frame.rows() == [("0.1", "18.0", "2.3"), ("0.2", "0.0", "7.1"), ("0.3", "0.0", "7.2")]
    assert not table.named


def test_missing_markers_count_after_blanks_are_stripped(tmp_path: pathlib.Path) -> None:
    table = read(tmp_path, "a, b\n1, ?\n NA , x\n3, y\n")
    assert table.frame.rows() == [("1", "?"), ("NA", "x"), ("3", "y")]  # which are missing depends on the column
    prepared = prepare(Recipe(), pl.concat([table.frame] * 4).with_columns(y=pl.Series(["p", "q", "q"] * 4)))
    assert [column.missing > 0 for column in prepared.summary.columns] == [True, True]


@pytest.mark.parametrize(
    ("text", "header", "names"),
    [
        ("a,b\n1,2\n3,4\n", 1, ("a", "b")),
        ("1,2\n3,4\n", 0, ("column_1", "column_2")),
        ("X1,X2\nage,pay\n1,2\n3,4\n", 2, ("age", "pay")),
        ("0,1,2\n5,7.5,x\n6,8.5,y\n", 1, ("0", "1", "2")),
        ("name,kind\nanna,cat\nbert,dog\ncarl,cat\n", 1, ("name", "kind")),
        ("anna,cat\nbert,dog\ncarl,cat\n", 0, ("column_1", "column_2")),
        ("Report of 2020\na,b\n1,2\n3,4\n", 2, ("a", "b")),
        (",a,b\n0,1,2\n1,3,4\n", 1, ("unnamed", "a", "b")),
        ("a,b\n0,1,2\n1,3,4\n", 1, ("unnamed", "a", "b")),
        ("a,b\n1,?\n3,4\n", 1, ("a", "b")),
    ],
)
def test_headers_are_found(text: str, header: Any, names: tuple[str, ...]) -> None:
    shape = find_shape(text, "table.csv", DataSection())
    assert (shape.header, shape.names) == (header, names)
    assert shape.named == (names[0] != "column_1")


def test_stated_header_rows_win() -> None:
    shape = find_shape("a,b\nc,d\n1,2\n", "table.csv", DataSection(header_rows=1))
    assert (shape.header, shape.names) == (1, ("a", "b"))


def test_quotes_hold_delimiters_line_feeds_and_quotes() -> None:
    text = 'a,b\n"x, y",1\n"two\nlines","say ""hi"""\n'
    frame = table_of_text(text, "table.csv", DataSection()).frame
    assert frame.rows() == [("x, y", "1"), ("two\nlines", 'say "hi"')]


def test_single_quotes_are_found() -> None:
    frame = table_of_text("a,b\n'x, y',1\n'z',2\n'w',3\n", "table.csv", DataSection()).frame
    assert frame.rows() == [("x, y", "1"), ("z", "2"), ("w", "3")]


def test_quotes_inside_cells_go_to_the_slow_reader() -> None:
    text = 'pipe,length\n5" steel,1\n6" iron,2\n7 copper,3\n'
    shape = find_shape(text, "table.csv", DataSection())
    assert table_of_text(text, "table.csv", DataSection()).frame["pipe"].to_list() == [
        '5" steel',
        '6" iron',
        "7 copper",
    ]
    assert read_slowly(text, shape, "table.csv").height == 3


def test_blank_lines_and_old_line_ends_do_not_count() -> None:
    rows = [("1", "2"), ("3", "4")]
    for text in ("a,b\n\n1,2\n\n3,4\n\n\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4\r", "a,b\n1,2\n3,4"):
        assert table_of_text(text, "table.csv", DataSection()).frame.rows() == rows


def test_rows_without_any_value_are_left_out_and_said() -> None:
    rows = "".join(f"{place},{place % 2}\n" for place in range(20))
    table = table_of_text("a,b\n1,1\n,\n" + rows, "table.csv", DataSection())
    assert table.frame.height == 22, "answers must stay beside their rows, so that the reader keeps it"
    prepared = prepare(Recipe(), table)
    assert len(prepared.inputs) == 21
    assert "1 row without any value left out" in prepared.summary.notes


@pytest.mark.parametrize(
    ("text", "line", "cells"),
    [("a,b\n1,2\n3,4,5\n6,7\n", 3, 3), ("a,b\n1,2\n\n3\n4,5\n", 4, 1), ('a,b\n1,"x\ny"\n3\n4,5\n', 4, 1)],
)
def test_ragged_lines_are_named(text: str, line: int, cells: Any) -> None:
    with pytest.raises(DataError, match=rf"line {line} has {cells} cells? and the other lines have 2"):
        table_of_text(text, "table.csv", DataSection())


def test_a_file_cut_short_is_told_so() -> None:
    with pytest.raises(DataError) as caught:
        table_of_text("a,b,c\n1,2,3\n4,5,6\n7,8", "table.csv", DataSection())
    assert caught.value.cause == "the file was cut off"


def test_a_quote_never_closed_is_told_so() -> None:
    with pytest.raises(DataError) as caught:
        table_of_text('a,b\n1,2\n3,"x\n4,5\n6,7\n8,9\n', "table.csv", DataSection())
    assert "line 3" in str(caught.value) or "opened" in str(caught.value)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\x1c\x1d\x1e\x85\u2028\u2029"), max_size=8)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, st.integers(0, 9)), min_size=2, max_size=12))
def test_fast_and_slow_reader_agree(rows: list[tuple[str, str, int]]) -> None:
    quoted = [f'"{a.replace(chr(34), chr(34) * 2)}","{b.replace(chr(34), chr(34) * 2)}",{c}' for a, b, c in rows]
    text = "first,second,third\n" + "\n".join(quoted) + "\n"
    shape = find_shape(text, "table.csv", DataSection(header_rows=1, delimiter=","))
    slow = read_slowly(text, shape, "table.csv")
    fast = read_fast(text, shape)
    assert slow.rows() == [(a, b, str(c)) for a, b, c in rows]
    if fast is not None:
        assert_frame_equal(fast.fill_null(""), slow)


@settings(max_examples=150, deadline=None)
@given(st.text('ab1,"\n ', min_size=1, max_size=40))
@example(" \na,")
def test_whatever_the_fast_reader_accepts_the_slow_one_reads_so(text: str) -> None:
    try:
        shape = find_shape(text, "table.csv", DataSection(delimiter=","))
    except DataError:
        return
    fast = read_fast(text, shape)
    if fast is not None:
        slow = read_slowly(text, shape, "table.csv").with_columns(pl.all().str.strip_chars())
        assert_frame_equal(fast.fill_null("").with_columns(pl.all().str.strip_chars()), slow)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.text('ab,"\n', max_size=4), min_size=1, max_size=4), min_size=1, max_size=5))
def test_counted_cells_are_those_written(records: list[list[str]]) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in record) for record in records]
    content = np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)
    starts, ends, cells = count_cells(content, ord(","), ord('"'))
    assert cells.tolist() == [len(record) for record in records]
    assert [content[start:end].tobytes().decode() for start, end in zip(starts, ends, strict=True)] == lines


def test_the_real_files_read_fast(real_data: pathlib.Path) -> None:
    section = DataSection()
    for name, shape in (("adult/adult-train.csv", (32561, 15)), ("california_housing.csv", (20640, 10)),
                        ("default_credit.csv", (30000, 25))):  # fmt: skip
        text = (real_data / name).read_text(encoding="utf-8-sig")
        found = find_shape(text, name, section)
        fast = read_fast(text, found)
        assert fast is not None
        assert fast.shape == shape
        if "adult" not in name:
            assert_frame_equal(fast.fill_null(""), read_slowly(text, found, name))
        else:  # the slow reader skips the blanks after delimiters, which the fast one leaves to cleaning
            assert_frame_equal(fast.with_columns(pl.all().str.strip_chars()), read_slowly(text, found, name))


def test_a_delimiter_at_the_end_of_each_line_makes_no_column() -> None:
    table = table_of_text("a,b,c,\n1,2,3,\n4,5,6,\n", "table.csv", DataSection())
    assert table.frame.columns == ["a", "b", "c"]
    assert "each line ends with a delimiter" in table.notes[0]
