"""Numbers as people write them, and the decimal sign of a file."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from babysit.data import Prepared, prepare
from babysit.data._column_types import find_type
from babysit.data._numbers import find_decimal, find_reading, read_numbers
from babysit.record import DataError, Recipe


def read(cells: list[str | None], decimal: str = ".") -> list[float | None]:
    found = find_reading(pl.Series("x", cells).drop_nulls(), decimal)
    assert found is not None
    return read_numbers(pl.Series("x", cells), found[0])["value"].to_list()


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["1248 CC", "796 cc", "1000"], [1248, 796, 1000]),
        (["74 bhp", "81.5 bhp", "bhp"], [74, 81.5, None]),
        (["3.5 kg", "200 g", "1.2 kg", "7 kg"], [3.5, None, 1.2, 7]),  # units are not converted
        (["10 km/h", "12.5 km/h"], [10, 12.5]),
        (["36.6°C", "37.1 °C"], [36.6, 37.1]),
        (["120 m2", "85 m2"], [120, 85]),
        (["€1.2M", "€14K", "€0"], [1.2e6, 14e3, 0]),
        (["19M", "201k", "Varies with device"], [19e6, 201e3, None]),
        (["1.5 million", "300 thousand", "2 billion"], [1.5e6, 3e5, 2e9]),
        (["₹ 1.5 Cr", "₹ 45 Lac"], [1.5e7, 4.5e6]),
        (["$5", "-$5", "($7.50)", "$-3", "$1,234.5"], [5, -5, -7.5, -3, 1234.5]),
        (["(1,234)", "56", "7-"], [-1234, 56, -7]),
        (["\u221212", "\u22123.5", "4"], [-12, -3.5, 4]),
        (["21 714", "1\u00a0611", "930", "1\u202f000\u202f000"], [21714, 1611, 930, 1e6]),
        (["1'234'567", "1\u2019234", "5"], [1234567, 1234, 5]),
        (["12,34,567", "5,00,000", "1,234"], [1234567, 500000, 1234]),
        (["<0.5", "3+", "2.5", ">= 4", "5 or more"], [0.5, 3, 2.5, 4, 5]),
        (["2100 - 2850", "1200", "1100\u20131200"], [2475, 1200, 1150]),
        (["$50K - $100K", "$100-150K", "$200K+"], [75e3, 125e3, 200e3]),
        (["18-24", "25-34", "65+"], [21, 29.5, 65]),
        (["1st", "2nd", "3rd", "11th"], [1, 2, 3, 11]),
        (["5'11", "6'2\"", "5'7"], [5 + 11 / 12, 6 + 2 / 12, 5 + 7 / 12]),
        (["Rs. 5,000", "Rs.450", "INR 12"], [5000, 450, 12]),
        (["5 m", "6 m", "7.5 m"], [5, 6, 7.5]),  # metres
        (["45%", "12.5 %"], [45, 12.5]),
        (["1e5", "2.5E-3", "+3", ".5"], [1e5, 2.5e-3, 3, 0.5]),
    ],
)
def test_numbers_of_people(cells: Any, right: Any) -> None:
    found = read(cells)
    assert [value is None for value in found] == [value is None for value in right]
    assert [value for value in found if value is not None] == pytest.approx([v for v in right if v is not None])


@pytest.mark.parametrize(
    "cells",
    [
        ["12A", "12B", "13C", "14"],  # flats
        ["2-1", "1-3", "0-0", "3-0"],  # scores
        ["555-1234", "444-9999"],  # telephone numbers
        ["12 Main St", "14 Oak Ave", "15 Elm St"],
        ["A12", "B7", "C9"],
        ["1.2.3", "4.5.6"],
        ["low", "high", "1"],
    ],
)
def test_what_only_looks_like_numbers_is_none(cells: Any) -> None:
    assert find_reading(pl.Series("x", cells), ".") is None


def test_two_numbers_in_a_cell_and_limits_are_columns_of_their_own() -> None:
    rows = 60
    frame = pl.DataFrame(
        {
            "pressure": [f"{110 + place}/{70 + place % 9}" for place in range(rows)],
            "crp": [f"<{0.5}" if place % 3 else f"{place}.25" for place in range(rows)],
            "y": ["p", "q"] * (rows // 2),
        }
    )
    columns = prepare(Recipe(), frame).columns
    assert columns is not None
    assert columns.features == ("pressure", "pressure (second number)", "crp", "crp (limit)")
    assert columns.encode(frame.head(2)).tolist() == pytest.approx(np.array([[110, 70, 0.25, 0], [111, 71, 0.5, -1]]))


@pytest.mark.parametrize(
    ("columns", "delimiter", "sign", "doubtful"),
    [
        ({"a": ["77,03", "4,5"], "b": ["4.944", "223"]}, ";", ",", False),
        ({"a": ["0,438", "0,691"]}, ";", ",", False),
        ({"a": ["1.234,5"]}, "\t", ",", False),
        ({"a": ["1,234.5", "2"], "b": ["1,234", "5"]}, ",", ".", False),
        ({"a": ["1.234", "5.678", "345"]}, ";", ",", True),  # whole numbers below 1000 have no sign: thousands
        ({"a": ["1.234", "5.678"], "b": ["x", "y"]}, ",", ".", False),
        ({"a": ["1.234.567", "12"]}, ";", ",", False),
        ({"a": ["0.260", "0.646"]}, ";", ".", False),
    ],
)
def test_the_decimal_sign_is_that_of_the_file(columns: Any, delimiter: str, sign: str, doubtful: bool) -> None:
    found = find_decimal(pl.DataFrame(columns), delimiter)
    assert (found.sign, found.doubtful) == (sign, doubtful), found.why


def table(tmp_path: Any, text: str, **data: Any) -> Prepared:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return prepare(Recipe.model_validate({"data": {"source": str(path), **data}}))


def test_a_comma_in_one_column_is_the_sign_of_all(tmp_path: Any) -> None:
    rows = "".join(
        f"{place},{place % 97:02d};{place + 1}.{place % 10}{place % 7}4;0,{100 + place}\n" for place in range(60)
    )
    prepared = table(tmp_path, "x;people;share\n" + rows, target="share")
    assert prepared.columns is not None
    assert prepared.inputs[torch.arange(2)].tolist() == pytest.approx(np.array([[0, 1004], [1.01, 2114]]))
    assert prepared.targets[:2].tolist() == pytest.approx([0.1, 0.101])
    # new rows are read as those of training, whatever their own cells would suggest
    new = prepared.columns.encode(pl.DataFrame({"x": ["1,5"], "people": ["3.000"]}))
    assert new.tolist() == [[1.5, 3000]]


def test_a_stated_sign_wins(tmp_path: Any) -> None:
    rows = "".join(f"{place + 1}.{100 + place};{'pq'[place % 2]}\n" for place in range(40))
    assert table(tmp_path, "x;y\n" + rows).inputs[torch.tensor([1])].tolist() == pytest.approx(np.array([[2.101]]))
    commas = table(tmp_path, "x;y\n" + rows, decimal=",")
    assert commas.inputs[torch.tensor([1])].tolist() == [[2101]]


def test_what_is_not_a_number_is_missing_and_said_with_examples(tmp_path: Any) -> None:
    cells = [f"{place * 1.5}" if place % 3 else "not measured" for place in range(60)]
    prepared = table(tmp_path, "x,y\n" + "".join(f"{cell},{'pq'[place % 2]}\n" for place, cell in enumerate(cells)))
    (column,) = prepared.summary.columns
    assert column.type == "number"
    assert column.missing == pytest.approx(1 / 3, abs=0.1)
    assert "'not measured' (20)" in column.why
    (doubt,) = [decision for decision in prepared.decisions if decision.change]
    assert doubt.change == """--set 'data.types={"x" = "category"}'"""
    # where training had such cells they are missing later, too; where it had none, they are an error
    assert prepared.columns is not None
    assert bool(prepared.columns.encode(pl.DataFrame({"x": ["broken"]})).isnan().all())
    sound = table(tmp_path, "x,y\n" + "".join(f"{place},{'pq'[place % 2]}\n" for place in range(40)))
    assert sound.columns is not None
    with pytest.raises(DataError, match="where a number is expected"):
        sound.columns.encode(pl.DataFrame({"x": ["broken"]}))


def test_units_that_are_not_the_columns_own_are_told_first() -> None:
    found = find_type(pl.Series("weight", ["3.5 kg", "2 kg", "7 kg", "900 g"] * 10))
    assert (found.type, found.doubt) == ("number", True)
    assert "g (10 cells)" in found.why


@pytest.mark.parametrize("name", ["amount_paid", "grid", "highest_bid", "covid", "valid", "liquid", "period"])
def test_names_that_end_in_id_mean_nothing(name: str) -> None:
    assert find_type(pl.Series(name, range(100, 160))).type == "number"
    assert find_type(pl.Series(name, [1, 2, 3, 5] * 20)).type == "number"


@pytest.mark.parametrize("name", ["id", "user_id", "customerID", "Row ID"])
def test_names_and_cells_that_say_id(name: str) -> None:
    assert find_type(pl.Series(name, np.random.default_rng(0).permutation(100))).type == "drop"
