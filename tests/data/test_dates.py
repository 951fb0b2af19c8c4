"""Dates, times of day and durations as people write them."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from babysit.data import prepare
from babysit.data._column_types import find_type
from babysit.data._dates import as_moments, clock_form, compact_form, date_form, read_clock
from babysit.record import Recipe


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["2019-06-19T12:59:00Z", "2021-06-07T22:11:00.25Z"], ["2019-06-19 12:59:00", "2021-06-07 22:11:00.25"]),
        (["2021-06-07T22:11:00+02:00", "2021-06-07 22:11:00 +0200"], ["2021-06-07 20:11:00"] * 2),
        (["2021-06-07 22:11 UTC", "2021-06-07 22:11:30"], ["2021-06-07 22:11:00", "2021-06-07 22:11:30"]),
        (["20200229T134500Z", "20200301"], ["2020-02-29 13:45:00", "2020-03-01"]),
        (["12/08/2020 01:51:00 PM", "05/30/2021 12:05 a.m."], ["2020-12-08 13:51:00", "2021-05-30 00:05:00"]),
        (["19.06.19", "03.01.71"], ["2019-06-19", "1971-01-03"]),
        (["06/19/19", "12/31/99"], ["2019-06-19", "1999-12-31"]),
        (["06/06/2020", "2021-01-25", "3 Mar 2020"], ["2020-06-06", "2021-01-25", "2020-03-03"]),
        (
            ["Wed, 07 Apr 2021 09:06:00 GMT", "Sun, 10 Mar 2019 05:27:00 GMT"],
            ["2021-04-07 09:06:00", "2019-03-10 05:27:00"],
        ),
        (
            ["Wed Apr 07 09:06:00 +0000 2021", "Sat Jan  4 10:00:00 2020"],
            ["2021-04-07 09:06:00", "2020-01-04 10:00:00"],
        ),
        (["Monday, March 3, 2020", "3rd of March 2020"], ["2020-03-03"] * 2),
        (["3. März 2020", "12. Dez. 2021", "24. Mai 2020"], ["2020-03-03", "2021-12-12", "2020-05-24"]),
        (["4 août 2020", "1 juil. 2019", "2 févr. 2019"], ["2020-08-04", "2019-07-01", "2019-02-02"]),
        (["15 de enero de 2020", "3 dic 2019"], ["2020-01-15", "2019-12-03"]),
        (["3 maggio 2020", "1 gen 2020"], ["2020-05-03", "2020-01-01"]),
        (["12-Jan-98", "13-FEB-2020"], ["1998-01-12", "2020-02-13"]),
        (["2019Q1", "Q3 2020"], ["2019-01-01", "2020-07-01"]),
        (["2019-01", "2020-12"], ["2019-01-01", "2020-12-01"]),
        (["Jan-11", "Dec 2012"], ["2011-01-01", "2012-12-01"]),
        (["10:00 29/02/2024", "11:30 01/03/2024"], ["2024-02-29 10:00:00", "2024-03-01 11:30:00"]),
        (
            ["0000-00-00", "2020-07-01", "2020-02-30", "9999-12-31", "2021-12-31", "2021-01-01"],
            [None, "2020-07-01", None, None, "2021-12-31", "2021-01-01"],
        ),
    ],
)
def test_dates_of_people(cells: Any, right: Any) -> None:
    series = pl.Series(cells)
    found = date_form(series)
    assert found is not None
    wanted = [_moment(one) for one in right]
    assert as_moments(series, found.form).to_list() == wanted


def _moment(text: str | None) -> Any:
    return None if text is None else np.datetime64(text).astype("datetime64[us]").item()


@pytest.mark.parametrize(
    "cells", [["12.2 kg", "13"], ["1,234.5", "1.2"], ["hello 2020", "x"], ["2020", "2021"], ["A-1", "B-2"]]
)
def test_what_is_no_date(cells: Any) -> None:
    assert date_form(pl.Series(cells)) is None


def test_a_bad_cell_is_missing_and_does_not_make_a_category() -> None:
    cells = [f"2020-01-{1 + place % 28:02d}" for place in range(57)] + ["0000-00-00", "unknown", "2020-13-01"]
    found = find_type(pl.Series("when", cells))
    assert (found.type, found.doubt) == ("date", True)
    assert "'0000-00-00' (1)" in found.why


def test_an_order_of_days_and_months_that_nothing_shows_is_told_first() -> None:
    rows = [(f"0{1 + place % 9}/0{1 + place % 7}/2020", place, "pq"[place % 2]) for place in range(60)]
    frame = pl.DataFrame(rows, schema=["when", "x", "y"], orient="row")
    prepared = prepare(Recipe(), frame)
    assert any("the other way round" in decision.why and decision.change for decision in prepared.decisions)
    stated = prepare(Recipe.model_validate({"data": {"dates": "month-first"}}), frame)
    assert stated.columns is not None
    assert stated.columns.columns[0].form == "month-first"  # type: ignore[union-attr]


def test_times_of_day_and_durations() -> None:
    assert clock_form(pl.Series(["13:45", "1:00 PM", "23:59:10"])) == ("time of day", 1.0)
    assert read_clock(pl.Series(["13:45", "1:00 PM", "x"]), "time of day").to_list() == [13.75, 13.0, None]
    assert clock_form(pl.Series(["33:10:00", "1:02:03"])) == ("duration", 1.0)
    cells = pl.Series(["2h 50m", "19h", "PT1H20M", "1 day 02:00:00", "3 hours, 5 minutes"])
    assert read_clock(cells, "duration").to_list() == [10200, 68400, 4800, 93600, 11100]
    assert find_type(pl.Series("t", ["2h 50m", "19h", "7h 5m"] * 10)).type == "number"


def test_epochs_and_compact_dates() -> None:
    seconds = np.linspace(1.5e9, 1.7e9, 50).round()
    assert compact_form(seconds, "timestamp") == "epoch seconds"
    assert compact_form(seconds, "phone") is None, "a number of ten digits alone may be anything"
    assert compact_form(seconds * 1000, "x") == "epoch milliseconds"
    assert compact_form(np.array([20200101.0, 20200229.0])) == "%Y%m%d"
    assert as_moments(pl.Series([1.6e9]), "epoch seconds").dt.year().to_list() == [2020]
