"""Splits and folds: disjoint, complete, in the right shares, the same for the same seed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.data import k_folds
from babysit.data._rows import Indices
from babysit.data._splits import (
    Keys,
    deal,
    refuse_unlearned,
    split_by_time,
    split_grouped,
    split_random,
    split_stratified,
)
from babysit.data._target import Task
from babysit.record import DataError, SplitSection

SHARES = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45)).map(lambda pair: {"validation": pair[0], "test": pair[1]})
LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=200)
SEEDS = st.integers(0, 2**31)
QUICK = settings(max_examples=60, deadline=None)


def is_a_partition(split: dict[str, Indices], rows: int) -> bool:
    every = np.concatenate([split["train"], split["validation"], split["test"]])
    return len(split["train"]) > 0 and np.array_equal(np.sort(every), np.arange(rows))


@QUICK
@given(LABELS, SHARES, SEEDS)
def test_stratified_keeps_each_class_to_a_row(labels: list[int], shares: dict[str, float], seed: int) -> None:
    classes = np.array(labels)
    split = split_stratified(classes, shares, seed)
    assert is_a_partition(split, len(classes))
    for label in np.unique(classes):
        size = int((classes == label).sum())
        for phase, share in shares.items():
            own = int((classes[split[phase]] == label).sum())
            if size >= 3:
                assert abs(own - share * size) <= 1
                assert own >= 1 or not share
        assert label in classes[split["train"]]
    again = split_stratified(classes, shares, seed)
    assert all(np.array_equal(split[phase], again[phase]) for phase in split)


@QUICK
@given(st.integers(3, 500), SHARES, SEEDS)
def test_random_keeps_the_shares(rows: int, shares: dict[str, float], seed: int) -> None:
    split = split_random(rows, shares, seed)
    assert is_a_partition(split, rows)
    for phase, share in shares.items():
        assert abs(len(split[phase]) - share * rows) <= 1


@QUICK
@given(LABELS, SHARES, SEEDS)
def test_groups_stay_together(labels: list[int], shares: dict[str, float], seed: int) -> None:
    groups = np.array(labels)
    split = split_grouped(groups, shares, seed)
    assert is_a_partition(split, len(groups))
    owners = [set(groups[rows].tolist()) for rows in split.values()]
    assert not owners[0] & owners[1]
    assert not owners[0] & owners[2]
    assert not owners[1] & owners[2]


def test_groups_come_near_to_the_shares() -> None:
    groups = np.repeat(np.arange(200), 5)
    split = split_grouped(groups, {"validation": 0.2, "test": 0.1}, 0)
    assert [len(split[phase]) for phase in ("train", "validation", "test")] == [700, 200, 100]


@QUICK
@given(st.lists(st.integers(0, 30), min_size=3, max_size=100), SHARES)
def test_time_never_runs_backwards(labels: list[int], shares: dict[str, float]) -> None:
    times = np.array(labels)
    split = split_by_time(times, shares)
    assert is_a_partition(split, len(times))
    ordered = [times[split[phase]] for phase in ("train", "validation", "test") if len(split[phase])]
    for earlier, later in itertools.pairwise(ordered):
        assert earlier.max() < later.min()


def test_three_rows_of_a_class_are_in_three_phases() -> None:
    classes = np.array([0] * 100 + [1] * 3 + [2] * 2)
    split = split_stratified(classes, {"validation": 0.15, "test": 0.15}, 0)
    assert [(classes[rows] == 1).sum() for rows in split.values()] == [1, 1, 1]
    assert [(classes[rows] == 2).sum() for rows in split.values()] == [1, 0, 1]


def test_another_seed_deals_differently() -> None:
    shares = {"validation": 0.2, "test": 0.2}
    assert not np.array_equal(split_random(100, shares, 0)["test"], split_random(100, shares, 1)["test"])


def test_one_row_is_refused() -> None:
    with pytest.raises(DataError, match="one row"):
        deal(1, SplitSection(), 0, Keys())


def test_too_few_groups_are_refused() -> None:
    section = SplitSection(method="grouped", group="person")
    with pytest.raises(DataError, match="'person' has 2 groups, too few"):
        deal(10, section, 0, Keys(groups=np.array([0] * 5 + [1] * 5)))


def test_stratified_needs_classes() -> None:
    with pytest.raises(DataError, match="needs classes"):
        deal(10, SplitSection(method="stratified"), 0, Keys())


def test_given_test_rows_stay_and_validation_comes_from_training() -> None:
    split, decision = deal(
        120, SplitSection(), 3, Keys(classes=np.array([0, 1] * 60)), {"train": 100, "test": 20}
    )  # fmt: skip
    assert split["test"].tolist() == list(range(100, 120))
    assert len(split["validation"]) == 15
    assert set(split["train"]) | set(split["validation"]) == set(range(100))
    assert decision.value == "given"
    assert "20 test rows were given" in decision.why


def test_given_validation_alone_is_said_to_flatter() -> None:
    split, decision = deal(12, SplitSection(), 0, Keys(), {"train": 10, "validation": 2})
    assert split["validation"].tolist() == [10, 11]
    assert not len(split["test"])
    assert "slightly too good" in decision.why


def test_a_class_judged_but_never_learned_is_refused() -> None:
    task = Task("classification", "kind", ("a", "b", "c"))
    targets = np.array([0, 1, 0, 1, 2])
    split = {"train": np.arange(4), "validation": np.array([], dtype=np.int64), "test": np.array([4])}
    with pytest.raises(DataError, match="'c' of 'kind' is in the test rows and not in the training rows"):
        refuse_unlearned(task, targets, split)


def test_a_class_that_is_not_judged_is_a_note() -> None:
    task = Task("classification", "kind", ("a", "b"))
    split = {"train": np.arange(4), "validation": np.array([], dtype=np.int64), "test": np.array([4])}
    (note,) = refuse_unlearned(task, np.array([0, 1, 0, 1, 0]), split)
    assert "no test row has 'b'" in note


@QUICK
@given(st.lists(st.integers(0, 4), min_size=5, max_size=80), st.integers(2, 5), SEEDS)
def test_folds_hold_out_every_row_once(labels: list[int], folds: int, seed: int) -> None:
    for kind in ("stratified", "random"):
        dealt = k_folds(labels, folds, seed, kind=kind)
        assert np.array_equal(np.sort(np.concatenate([held for _, held in dealt])), np.arange(len(labels)))
        for train, held in dealt:
            assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(len(labels)))
        sizes = [len(held) for _, held in dealt]
        assert max(sizes) - min(sizes) <= 1
    classes = np.array(labels)
    for label in np.unique(classes):
        counts = [(classes[held] == label).sum() for _, held in k_folds(classes, folds, seed, kind="stratified")]
        assert max(counts) - min(counts) <= 1


def test_folds_of_groups_and_of_time() -> None:
    groups = np.repeat(np.arange(6), 4)
    for train, held in k_folds(np.zeros(24), 3, 0, groups=groups):
        assert not set(groups[train]) & set(groups[held])
        assert len(held) == 8
    for train, held in k_folds(np.arange(20.0), 4, 0, kind="time"):
        assert train.max() < held.min()


def test_folds_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="6 folds cannot be made of 5 rows"):
        k_folds([0, 1, 0, 1, 0], 6, 0)
    with pytest.raises(DataError, match="need the groups"):
        k_folds([0, 1], 2, 0, kind="grouped")
