"""What makes scores too good to be true is told before anything is trained; healthy data is left in peace."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from babysit.data import Prepared, prepare
from babysit.record import Decision, Recipe

RANDOM = np.random.default_rng(1)


def prepared(frame: pl.DataFrame, **sections: Any) -> Prepared:
    return prepare(Recipe.model_validate({"data": {"target": "y"}, **sections}), frame)


def doubts(found: Prepared, setting: str) -> list[Decision]:
    return [decision for decision in found.decisions if decision.change and decision.setting == setting]


def classes(rows: int = 200) -> pl.DataFrame:
    x, z = RANDOM.normal(size=rows), RANDOM.normal(size=rows)
    y = np.where(x + z + RANDOM.normal(size=rows) > 0, "good", "bad")
    return pl.DataFrame({"x": x, "z": z, "y": y})


def test_copies_and_codes_of_a_class_are_told() -> None:
    frame = classes()
    good = frame["y"] == "good"
    for leak in (
        good.cast(pl.Int64),
        pl.Series(np.where(good, "G", "B")),
        pl.Series(np.where(good, RANDOM.uniform(10, 20, 200), RANDOM.uniform(0, 9, 200))),  # an id that orders it
        pl.Series(["2021-03-01" if one else None for one in good]),  # known only afterwards
        pl.Series([f"{'abc'[place % 3]}{'+' if one else '-'}" for place, one in enumerate(good)]),
    ):
        (doubt,) = doubts(prepared(frame.with_columns(leak.alias("leak"))), "leak")
        assert "'leak' alone gives 'y'" in doubt.value
        assert doubt.change == """--set 'data.types={"leak" = "drop"}'"""
    assert not doubts(prepared(frame), "leak")


def test_copies_of_a_number_in_another_unit_are_told() -> None:
    x, z = RANDOM.normal(size=200), RANDOM.normal(size=200)
    frame = pl.DataFrame({"x": x, "z": z, "y": 3 * x + z})
    assert not doubts(prepared(frame), "leak")
    for leak in (frame["y"] * 2.54 + 3, frame["y"].exp(), (frame["y"] * 1000).round()):
        (doubt,) = doubts(prepared(frame.with_columns(leak.alias("leak"))), "leak")
        assert "'leak' alone gives" in doubt.value


@pytest.mark.parametrize("name", ["iris", "wine", "breast-cancer", "diabetes"])
def test_healthy_sets_are_left_in_peace(name: str) -> None:
    assert not [decision for decision in prepare(Recipe(), name).decisions if decision.change]


def test_rows_on_both_sides_are_told_with_their_share_and_kept_together() -> None:
    frame = pl.concat([classes(60)] * 10)
    found = prepared(frame)
    (doubt,) = doubts(found, "split.method")
    assert "100.0 % of the validation rows" in doubt.why
    assert "60 of 600 rows are distinct" in doubt.why
    trained = {tuple(row) for row in found.inputs[_rows(found, "train")].tolist()}
    assert not trained & {tuple(row) for row in found.inputs[_rows(found, "test")].tolist()}
    stays = prepared(frame, split={"method": "stratified"})
    (leak,) = doubts(stays, "leak")
    assert "stand among the training rows" in leak.why


def _rows(found: Prepared, phase: str) -> Any:
    import torch

    return torch.from_numpy(found.split[phase])


def test_few_values_repeat_themselves_without_harm() -> None:
    cells = RANDOM.integers(0, 3, size=(400, 3)).astype(str)
    y = np.where(RANDOM.random(400) < 0.3, "p", "q")
    frame = pl.DataFrame({"a": cells[:, 0], "b": cells[:, 1], "c": cells[:, 2], "y": y})
    assert not [decision for decision in prepared(frame).decisions if decision.change]


def test_rows_of_one_patient_ask_for_a_split_by_patient() -> None:
    patients = np.repeat(np.arange(40), 10)
    age = RANDOM.integers(20, 80, 40)[patients]
    frame = pl.DataFrame(
        {"patient_id": [f"P{one}" for one in patients], "age": age, "x": RANDOM.normal(size=400),
         "y": np.where(RANDOM.random(40) < 0.5, "ill", "well")[patients]}
    )  # fmt: skip
    (doubt,) = doubts(prepared(frame), "split.group")
    assert doubt.change == "--set 'split.group=patient_id'"
    assert not doubts(prepared(frame, split={"group": "patient_id"}), "split.group")
    alone = frame.with_columns(pl.Series("patient_id", [f"P{one}" for one in RANDOM.integers(0, 40, 400)]))
    alone = alone.with_columns(age=pl.Series(RANDOM.integers(20, 80, 400)), y=pl.Series(["ill", "well"] * 200))
    assert not doubts(prepared(alone), "split.group"), "the name alone says nothing"


def test_an_order_of_time_asks_for_a_split_by_time() -> None:
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 10, 26), eager=True).cast(pl.String)
    walk = np.cumsum(RANDOM.normal(size=300))
    frame = pl.DataFrame({"date": days, "x": RANDOM.normal(size=300), "y": walk})
    (doubt,) = doubts(prepared(frame), "split.time")
    assert doubt.change == "--set 'split.time=date'"
    births = pl.Series(RANDOM.permutation(days.to_numpy()))
    noise = frame.with_columns(births.alias("date"), pl.Series("y", RANDOM.normal(size=300)))
    assert not doubts(prepared(noise), "split.time")
