"""Folds are dealt as the split deals rows: groups stay together, and time only goes forward."""

import math
import pathlib

import numpy as np
import polars as pl
import pytest

import babysit
from babysit.api._search_set_up import steps_of
from babysit.data import Prepared, folds_of_prepared, prepare
from babysit.record import DataError, Recipe, with_settings
from babysit.training import decide

ROWS = 120


def table(**more: object) -> pl.DataFrame:
    random = np.random.default_rng(3)
    first = random.normal(size=ROWS)
    labels = np.where(first + random.normal(size=ROWS) / 4 > 0, "yes", "no")
    return pl.DataFrame({"first": first, "second": random.normal(size=ROWS), **more, "target": labels})


def prepared(frame: pl.DataFrame, *settings: str) -> tuple[Prepared, Recipe]:
    recipe = with_settings(Recipe(), ["data.target=target", *settings])
    return prepare(recipe, frame), recipe


def all_but_test(rows: Prepared) -> list[int]:
    return sorted({*range(ROWS)} - set(rows.split["test"].tolist()))


@pytest.mark.parametrize("method", ["auto", "grouped"])
def test_rows_of_a_group_are_held_out_together(method: str) -> None:
    names = np.array([f"patient {number}" for number in np.random.default_rng(1).integers(0, 17, ROWS)])
    rows, recipe = prepared(table(patient=names), "split.group=patient", f"split.method={method}")
    folds = folds_of_prepared(rows, recipe.split, 4, seed=0)
    assert len(folds) == 4
    for train, held in folds:
        assert not set(names[train]) & set(names[held])
        assert sorted([*train, *held]) == all_but_test(rows)
    assert sorted(np.concatenate([held for _, held in folds])) == all_but_test(rows)


@pytest.mark.parametrize("method", ["auto", "time"])
@pytest.mark.parametrize("times", [ROWS, 30])
def test_what_comes_later_is_held_out(method: str, times: int) -> None:
    day = np.random.default_rng(2).permutation(np.arange(ROWS) % times)
    rows, recipe = prepared(table(day=day), "split.time=day", f"split.method={method}")
    folds = folds_of_prepared(rows, recipe.split, 3, seed=0)
    latest = -1
    for train, held in folds:
        assert latest < day[train].max() < day[held].min(), "no day on both sides, and ever later"
        assert day[held].max() < day[rows.split["test"]].min()
        assert abs(len(held) - len(all_but_test(rows)) / 4) <= ROWS / times + 1
        assert (np.diff(train) > 0).all()
        latest = int(day[train].max())
    assert sorted([*folds[-1][0], *folds[-1][1]]) == all_but_test(rows)


def test_folds_of_time_hold_out_equally_many_rows_though_times_do_not() -> None:
    """Of 15 days each has more rows than the one before."""
    day = np.repeat(np.arange(15), np.arange(1, 16))
    rows, recipe = prepared(table(day=day), "split.time=day")
    sizes = [len(held) for _, held in folds_of_prepared(rows, recipe.split, 3, seed=0)]
    assert max(sizes) - min(sizes) <= 15, "but for a day"


def test_a_full_trial_is_one_of_the_largest_fold() -> None:
    rows, recipe = prepared(table(day=np.arange(ROWS)), "split.time=day", "epochs=4", "batch_size=16")
    folds = folds_of_prepared(rows, recipe.split, 3, seed=0)
    assert steps_of(decide(recipe, rows)[0], rows, folds) == 4 * math.ceil(len(folds[-1][0]) / 16)


def test_fewer_times_than_folds_are_refused() -> None:
    rows, recipe = prepared(table(day=np.arange(ROWS) // 30), "split.time=day")
    with pytest.raises(DataError, match="3 folds cannot be made of rows with"):
        folds_of_prepared(rows, recipe.split, 3, seed=0)


def test_without_groups_and_times_classes_are_shared_out() -> None:
    rows, recipe = prepared(table())
    for _, held in folds_of_prepared(rows, recipe.split, 5, seed=0):
        share = float((rows.targets.numpy()[held] == 1).mean())
        assert share == pytest.approx(float((rows.targets.numpy()[all_but_test(rows)] == 1).mean()), abs=0.05)


@pytest.mark.parametrize(("column", "setting"), [("patient", "split.group=patient"), ("day", "split.time=day")])
def test_a_search_on_such_folds(column: str, setting: str, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "table.csv"
    table(**{column: np.arange(ROWS) // 5}).write_csv(file)
    tuned = babysit.tune(
        file, "target", space={"lr": "1e-3:1e-1:log"}, settings=[setting, "epochs=4", "batch_size=16"], trials=3,
        folds=3, winners=1, repeats=1, out=tmp_path / "study",
    )  # fmt: skip
    assert tuned.result is not None
    assert len(tuned.result.winners[0].scores) == 3, "one for each fold"
    assert tuned.result.winners[0].mean > 0.6
