"""Types of columns found, learned from training rows only, and encoded the same for ever."""

import datetime
import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.data import Columns, TableLayout, prepare
from babysit.data._cells import as_levels, as_numbers, with_numbers
from babysit.data._column_fit import ColumnFit, fit_columns
from babysit.data._column_types import FoundType, find_type, find_types
from babysit.data._dates import date_form
from babysit.data._numbers import NumberReading
from babysit.record import DataError, Recipe, to_json


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("size", ["1", "2.5", None, "-3e4"], "number"),
        ("size", ["1,234", "12,345.5", "7"], "number"),
        ("size", ["1,5", "2,25", "3"], "number"),
        ("size", ["1", "2", "3"] * 10 + ["error"], "number"),
        ("size", ["1", "2", "x", "y", "z"] * 10, "category"),
        ("share", ["5%", "7.5 %", None], "number"),
        ("price", ["$5", "$1,200.50", "€ 7"], "number"),
        ("smoker", ["yes", "no", "No"], "boolean"),
        ("flag", ["0", "1", "1"], "boolean"),
        ("flag", [True, False, None], "boolean"),
        ("sex", ["male", "female"] * 3, "category"),
        ("zip", ["01234", "98765", "01234"], "category"),
        ("when", ["2024-02-29", "2024-03-01"], "date"),
        ("when", ["29.02.2024", "01.03.2024"], "date"),
        ("when", ["2024-02-29T12:30:00", "2024-03-01T00:00:00"], "date"),
        ("when", ["2024-01", "2024-02"], "date"),
        ("when", ["20240229", "20240301"], "date"),
        ("when", [datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)], "date"),
        ("time", [datetime.time(12), datetime.time(13)], "number"),
        ("id", ["1", "2", "3"], "drop"),
        ("store_id", ["1", "2", "1"] * 3, "category"),
        ("unnamed", ["0", "1", "2"], "drop"),
        ("x", ["0", "1", "2"], "number"),
        ("x", ["7", "7", "7"], "drop"),
        ("x", ["7", None, "7"], "number"),
        ("x", [None, None], "drop"),
        ("remark", [f"the {word} thing was seen" for word in map(str, range(30))], "text"),
        ("name", [f"person{number}x" for number in range(30)], "drop"),
        ("nested", [[1, 2], [3]], "drop"),
        ("small", [1, 2, 3], "number"),
        ("real", [1.5, float("nan"), 2.0], "number"),
    ],
)
def test_types_are_found(name: str, cells: Any, kind: Any) -> None:
    series = pl.Series(name, cells, strict=False)
    found = find_type(series)
    assert found.type == kind, found.why
    assert found.why
    frame = with_numbers(series.to_frame(), keep=[])
    assert find_type(frame[name]).type == kind


def test_the_first_column_without_a_name_may_count_rows() -> None:
    frame = pl.DataFrame({"column_1": ["1", "2", "3"], "column_2": ["1", "2", "3"], "column_3": ["a", "b", "a"]})
    types = find_types(frame, {}, "column_3", named=False)
    assert types["column_1"].type == "drop"
    assert types["column_2"].type == "number"


@pytest.mark.parametrize(
    ("cells", "form", "said"),
    [
        (["31/12/2020", "01/01/2021"], "day-first", ""),
        (["12/31/2020", "01/01/2021"], "month-first", ""),
        (["01/02/2020", "03/04/2020"], "day-first", "the day before the month"),
        (["01/02/2020", "01/12/2020", "02/03/2020"], "month-first", "the month before the day"),
    ],
)
def test_days_and_months_are_told_apart_or_it_is_said(cells: Any, form: str, said: Any) -> None:
    found = date_form(pl.Series(cells))
    assert found is not None
    assert found.form == form
    assert said in found.remark


def test_numbers_are_read_as_people_write_them() -> None:
    assert as_numbers(pl.Series(["1,234.5", "+2", "7", "abc", None])).to_list() == [1234.5, 2.0, 7.0, None, None]
    assert as_numbers(pl.Series(["1.234,5", "2,5", "7"]), NumberReading(",")).to_list() == [1234.5, 2.5, 7.0]
    assert as_numbers(pl.Series(["1,5"])).to_list() == [None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_their_text(values: list[float]) -> None:
    assert as_numbers(pl.Series([repr(value) for value in values])).to_list() == values


def test_levels_are_one_text_whatever_the_type() -> None:
    for cells in (["3", "3.0", "4"], [3, 3, 4], [3.0, 3.0, 4.0]):
        assert as_levels(pl.Series(cells), numeric=True).to_list() == ["3", "3", "4"]


FRAME = pl.DataFrame(
    {
        "age": ["31", "?", "52", "18"] * 25,
        "town": ["Ulm", "Bonn", "Kiel", "Ulm"] * 25,
        "member": ["yes", "no", "yes", None] * 25,
        "joined": ["2020-01-31", "2021-06-30", None, "2022-12-24"] * 25,
        "y": [0, 1, 0, 1] * 25,
    }
)


def test_encoding_by_hand() -> None:
    # Equal rows would stay together, and a town would be missing among the training rows.
    prepared = prepare(Recipe.model_validate({"split": {"method": "random"}}), FRAME)
    columns = prepared.columns
    assert columns is not None
    assert columns.features[0] == "age"
    assert prepared.layout == TableLayout(numbers=columns.layout.numbers, levels=(5,))
    new = pl.DataFrame(
        {
            "y": [0, 0],
            "joined": ["2020-02-02", None],
            "member": ["no", "YES"],
            "town": ["Bonn", "Rom"],
            "age": ["7", None],
        }
    )
    encoded = columns.encode(new)
    row = dict(zip(columns.features, encoded[0].tolist(), strict=True))
    assert row["age"] == 7
    assert row["member"] == 0
    assert row["joined days"] == 2
    turn = 2 * math.pi * (31 + 1) / 365.2425
    assert row["joined year sine"] == pytest.approx(math.sin(turn), abs=1e-6)
    assert row["joined week cosine"] == pytest.approx(math.cos(2 * math.pi * 6 / 7), abs=1e-6)  # a Sunday
    assert row["town"] == 2
    other = dict(zip(columns.features, encoded[1].tolist(), strict=True))
    assert math.isnan(other["age"])
    assert math.isnan(other["joined days"])
    assert other["member"] == 1
    assert other["town"] == 1
    assert columns.encode(new.with_columns(town=pl.lit(None)))[0, -1] == 0


def test_columns_travel_as_json() -> None:
    columns = prepare(Recipe(), FRAME).columns
    assert columns is not None
    again = Columns.from_json(json.loads(json.dumps(to_json(columns))))
    assert again == columns
    assert torch.equal(again.encode(FRAME).nan_to_num(-9), columns.encode(FRAME).nan_to_num(-9))
    with pytest.raises(DataError, match="schema 3"):
        Columns.from_json({"schema": 3})
    with pytest.raises(DataError, match="cannot be read"):
        Columns.from_json({"schema": 2})


def test_only_training_rows_teach() -> None:
    rows = 200
    town = np.array(["a", "b"] * (rows // 2), dtype=object)
    town[-20:] = "only at the end"
    frame = pl.DataFrame({"t": range(rows), "town": town, "x": [0.0] * 180 + [1e6] * 20, "y": [0.5, 1.5] * 100})
    recipe = Recipe.model_validate({"split": {"time": "t", "validation": 0, "test": 0.1}})
    prepared = prepare(recipe, frame)
    assert prepared.columns is not None
    (category,) = prepared.columns.categories
    assert category.levels == ("a", "b")
    assert prepared.inputs[torch.tensor([199])][0, -1] == 1
    by_name = {column.name: column for column in prepared.summary.columns}
    assert by_name["x"].type == "drop"
    assert by_name["x"].why == "it has only one value in the training rows"
    assert by_name["t"].high == 179


def test_rare_levels_teach_the_unknown_code() -> None:
    levels = ["common"] * 50 + ["other"] * 48 + ["once", "twice"]
    types = find_types(pl.DataFrame({"level": levels, "y": range(100)}), {}, "y")
    columns, (summary,) = fit_columns([pl.DataFrame({"level": levels})], types, target="y", place=1)
    assert columns.categories[0].levels == ("common", "other")
    assert summary.why.endswith("2 rare levels are encoded like unknown levels")


def test_pieces_give_what_the_whole_gives() -> None:
    frame = with_numbers(FRAME.with_columns(x=pl.Series(np.random.default_rng(0).normal(1e6, 2, 100))), keep=["y"])
    types = find_types(frame, {}, "y")
    whole = fit_columns([frame], types, target="y", place=4)
    pieces = fit_columns(frame.iter_slices(7), types, target="y", place=4)
    assert whole[0] == pieces[0]
    for one, other in zip(whole[1], pieces[1], strict=True):
        assert one.model_dump(exclude={"mean", "std"}) == other.model_dump(exclude={"mean", "std"})
        assert (one.mean is None) == (other.mean is None)
        if one.mean is not None:
            assert one.mean == pytest.approx(other.mean, rel=1e-12)
            assert one.std == pytest.approx(other.std, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=8), min_size=1, max_size=6))
def test_moments_of_pieces_are_those_of_numpy(pieces: list[list[float]]) -> None:
    fit = ColumnFit("size", FoundType("number", ""))
    for piece in pieces:
        fit.see(pl.Series("size", [*piece, math.nan]))
    every = np.concatenate([np.array(piece, dtype=np.float64) for piece in pieces])
    assert fit.missing == len(pieces)
    assert fit.moments.count[0] == len(every)
    if len(every):
        assert fit.moments.mean[0] == pytest.approx(every.mean(), rel=1e-9, abs=1e-9)
        assert fit.moments.std[0] == pytest.approx(every.std(), rel=1e-6, abs=1e-6)
        assert fit.ends == (every.min(), every.max())
        assert fit.rounding == np.abs(every.astype(np.float32) - every).max()


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        (np.arange(100.0) / 7, torch.float32),
        (1.6e9 + np.arange(100.0), torch.float64),
        ([2**24 + 1.0, 0] * 50, torch.float32),
    ],
)
def test_float32_only_where_it_loses_nothing(numbers: Any, dtype: torch.dtype) -> None:
    frame = pl.DataFrame({"x": numbers, "y": [0, 1] * 50})
    assert prepare(Recipe(), frame).inputs.dtype == dtype
    assert prepare(Recipe(), (np.array(numbers)[:, None], np.arange(100) % 2)).inputs.dtype == dtype


def test_other_columns_are_refused_by_name() -> None:
    columns = prepare(Recipe(), FRAME).columns
    assert columns is not None
    with pytest.raises(DataError) as caught:
        columns.encode(FRAME.rename({"town": "twon"}).drop("age"))
    error = caught.value
    assert "2 columns missing: 'age', 'town'" in str(error)
    assert "1 column that the training data did not have: 'twon'" in str(error)
    assert error.cause == "renamed: 'twon' for 'town'"
    assert torch.equal(columns.encode(FRAME.drop("y")).nan_to_num(), columns.encode(FRAME).nan_to_num())


def test_text_among_numbers_is_refused_with_its_row() -> None:
    columns = prepare(Recipe(), FRAME).columns
    assert columns is not None
    with pytest.raises(DataError, match="column 'age' holds 'old' in row 1, where a number is expected"):
        columns.encode(FRAME.head(2).with_columns(age=pl.Series(["old", "3"])))


def test_frames_without_names_are_matched_by_place() -> None:
    columns = prepare(Recipe(), FRAME).columns
    assert columns is not None
    unnamed = FRAME.rename({name: f"column_{place + 1}" for place, name in enumerate(FRAME.columns)})
    assert torch.equal(columns.encode(unnamed).nan_to_num(), columns.encode(FRAME).nan_to_num())
    short = FRAME.drop("y")
    short = short.rename({name: f"column_{place + 1}" for place, name in enumerate(short.columns)})
    assert torch.equal(columns.encode(short).nan_to_num(), columns.encode(FRAME).nan_to_num())


def test_stated_types_win() -> None:
    recipe = Recipe.model_validate({"data": {"types": {"age": "category", "town": "drop", "member": "category"}}})
    prepared = prepare(recipe, FRAME)
    kinds = {column.name: column.type for column in prepared.summary.columns}
    assert kinds == {"age": "category", "town": "drop", "member": "category", "joined": "date"}
    assert prepared.columns is not None
    assert prepared.columns.categories[0].levels == ("18", "31", "52")


def test_a_two_after_zeros_and_ones_is_a_number() -> None:
    frame = pl.DataFrame({"children": [0, 1] * 20, "x": range(40), "y": ["u", "v"] * 20})
    prepared = prepare(Recipe(), frame)
    assert prepared.columns is not None
    assert prepared.columns.columns[0].kind == "boolean"
    new = pl.DataFrame({"children": ["2", None], "x": [1, 2]})
    assert prepared.columns.encode(new)[:, 0].nan_to_num(-1).tolist() == [2.0, -1.0]
