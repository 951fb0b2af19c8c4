"""Text tables laid out as people have them: titles, totals, units, several header rows, comments, odd delimiters."""

from typing import Any

import pytest

from babysit.data import prepare
from babysit.data._csv import table_of_text
from babysit.data._csv_dialect import find_delimiter
from babysit.data._csv_text import decode
from babysit.data._found import Table
from babysit.record import DataSection, Recipe

ROWS = [(f"R{place}", str(place), f"{place * 2}.5", str(place * 7)) for place in range(1, 21)]


def read(text: str, **data: Any) -> Table:
    return table_of_text(text, "table.csv", DataSection(**data))


def lines(rows: Any = ROWS, sign: str = ",") -> str:
    return "".join(sign.join(row) + "\n" for row in rows)


HEADER = "region,units,price,revenue\n"
NAMES = ["region", "units", "price", "revenue"]


@pytest.mark.parametrize(
    "text",
    [
        "Sales 2023,,,\ngenerated 01.02.2024,,,\n,,,\n" + HEADER + lines(),
        "Sales 2023\n\n" + HEADER + lines(),
        HEADER + lines() + "Total,210,,1470\n",
        HEADER + lines() + "\nGrand Total,210,,1470\n",
        HEADER + lines() + ",,,\nSource: the office of statistics, as published in 2024,,,\n".replace("ics,", "ics"),
        HEADER + ",pcs,EUR,EUR\n" + lines(),
        HEADER + "-,(pcs),[EUR],[EUR]\n" + lines(),
        "# made by hand\n# on Monday, at ten\n" + HEADER + lines(ROWS[:10]) + "# half of it\n" + lines(ROWS[10:]),
        "#region,units,price,revenue\n" + lines(),
        HEADER.replace("\n", ",\n") + "".join(",".join(row) + ",\n" for row in ROWS),
        HEADER + "".join(",".join(row) + ",\n" for row in ROWS),
        HEADER.replace("\n", ",\n") + lines(),
    ],
    ids="titles title total-row totals-below footnote units units-in-brackets comments commented-header "
    "closed-everywhere closed-rows closed-header".split(),
)
def test_what_is_no_row_is_left_out(text: str) -> None:
    table = read(text)
    assert table.frame.columns == NAMES
    assert [row for row in table.frame.rows() if any(row)] == ROWS


def test_totals_are_told_and_a_region_called_total_stays() -> None:
    assert "holds totals; left out" in read(HEADER + lines() + "Total,210,,1470\n").notes[-1]
    twice = HEADER + "Total,9,9.5,63\n" + lines() + "Total,5,5.5,35\n"
    assert read(twice).frame.height == 22


def test_years_are_names_and_numbers_without_words_are_not() -> None:
    rows = "".join(f"Land {place},L{place:02d},{place}.5,{place}.7,{place}.9\n" for place in range(20))
    assert read("Country,Code,2018,2019,2020\n" + rows).frame.columns == ["Country", "Code", "2018", "2019", "2020"]
    years = "".join(f"Land {place},{1990 + place},{2000 + place}\n" for place in range(20))
    assert not read(years).named


def test_several_header_rows_are_joined_and_found_by_a_part() -> None:
    text = "Price,Close,High\nTicker,AAPL,AAPL\nDate,,\n"
    text += "".join(f"2022-01-{day:02d},{98 + day % 7}.25,{99 + day % 5}.5\n" for day in range(1, 29))
    table = read(text)
    assert table.frame.columns == ["Price / Ticker / Date", "Close / AAPL", "High / AAPL"]
    prepared = prepare(Recipe.model_validate({"data": {"target": "Close"}}), table)
    assert prepared.task.target == "Close / AAPL"
    merged = "id,size,,weight,\n,min,max,min,max\n" + "".join(f"{n},{n}.5,{n}.7,{n}.1,{n}.2\n" for n in range(20))
    assert read(merged).frame.columns == ["id", "size / min", "size / max", "weight / min", "weight / max"]


def test_names_that_occur_twice_are_renamed_and_said() -> None:
    table = read("x,y,x\n" + "".join(f"{n},{n + 1},{n + 2}\n" for n in range(9)))
    assert table.frame.columns == ["x", "y", "x (2)"]
    assert any("'x' in column 3 as 'x (2)'" in decision.value for decision in table.decisions)


def test_backslashes_before_quotes_shift_no_column() -> None:
    rows = "".join(f'{n},"said \\"fine, thanks\\" {n}",{n * 2}\n' for n in range(9))
    frame = read("id,remark,income\n" + rows).frame
    assert frame["income"].to_list() == [str(n * 2) for n in range(9)]
    assert frame["remark"][3] == 'said "fine, thanks" 3'
    paths = "".join(f'{n},"C:\\data\\",{n * 2}\n' for n in range(9))
    assert read("id,path,income\n" + paths).frame["path"][0] == "C:\\data\\"


def test_blanks_separate_cells_of_which_some_have_quotes() -> None:
    rows = "".join(f'{n}.5   {n % 8}   {n * 10}.0\t"maker model {n}"\n' for n in range(30))
    frame = read(rows).frame
    assert frame.width == 4
    assert frame.row(2) == ("2.5", "2", "20.0", "maker model 2")
    codes = "".join(f"A1{n % 4} {n} A3{n % 5} {n * 100} {1 + n % 2}\n" for n in range(30))
    assert read(codes).frame.width == 5


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("a;b\n" + "1,5;2,5\n" * 9, ";"),
        ("a,b\n" + '"x;y",1\n' * 9, ","),
        ("a#b#c\n" + "x, y#1#2\n" * 9, "#"),
        ("a|b\n" + "1,2|3,4\n" * 9, "|"),
        ("a\tb\n" + "x, y\t1\n" * 9, "\t"),
    ],
)
def test_the_delimiter_is_the_one_that_leaves_clean_cells(text: str, sign: str) -> None:
    assert find_delimiter(text, '"', "table.csv") == sign


def test_one_bad_byte_leaves_utf8() -> None:
    text = "stadt,größe\n" + "Köln,1\nMünchen,2\nZürich,3\n" * 5
    content = text.encode().replace(b"1\n", b"\xff1\n", 1)
    found, (decision,) = decode(content, "table.csv", None)
    assert found.count("Köln") == 5
    assert found.count("\ufffd") == 1
    assert decision.value == "utf-8"
    assert decode(text.encode("cp1252"), "table.csv", None)[0] == text


def test_columns_called_count_or_rows() -> None:
    for name in ("count", "rows", "len", "level"):
        rows = "".join(f"{n % 4}.5,{'few' if n % 3 else 'none at all'},{'pq'[n % 2]}\n" for n in range(40))
        prepared = prepare(Recipe(), read(f"x,{name},y\n" + rows))
        assert [column.type for column in prepared.summary.columns] == ["number", "category"]
        target = prepare(Recipe.model_validate({"data": {"target": name}}), read(f"x,{name},y\n" + rows))
        assert target.task.kind == "classification"
        number = "".join(f"{n % 4}.5,{n}\n" for n in range(40))
        assert prepare(Recipe(), read(f"x,{name}\n" + number)).task.kind == "regression"
