"""prepare, from every kind of source, and what it says."""

import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from babysit.data import Prepared, RowFile, TableLayout, prepare, read_new_rows
from babysit.record import DataError, Recipe

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 3


def prepared_of(source: object, **sections: object) -> Prepared:
    prepared = prepare(Recipe.model_validate(sections), source)
    every = np.concatenate(list(prepared.split.values()))
    assert np.array_equal(np.sort(every), np.arange(len(prepared.targets)))
    assert prepared.summary.rows == len(prepared.inputs)
    assert all(decision.why and decision.value for decision in prepared.decisions)
    return prepared


def values(prepared: Prepared) -> torch.Tensor:
    return prepared.inputs[torch.arange(len(prepared.inputs))]


@pytest.mark.parametrize(
    ("name", "rows", "shape", "classes"),
    [("digits", 1797, (8, 8), 10), ("iris", 150, (4,), 3), ("wine", 178, (13,), 3), ("breast-cancer", 569, (30,), 2)],
)
def test_bundled_classes(name: str, rows: int, shape: tuple[int, ...], classes: int) -> None:
    prepared = prepared_of(name)
    assert tuple(prepared.inputs.shape) == (rows, *shape)
    assert len(prepared.task.classes) == classes
    assert prepared.summary.source == name


def test_bundled_numbers() -> None:
    prepared = prepared_of("diabetes")
    assert prepared.task.kind == "regression"
    assert prepared.summary.target_range is not None
    assert prepared.targets.dtype == torch.float32


class Pairs(Dataset[object]):
    def __len__(self) -> int:
        return 60

    def __getitem__(self, place: int) -> object:
        return torch.from_numpy(X[place]), int(Y[place])


class Stream(IterableDataset[object]):
    def __iter__(self) -> Iterator[object]:
        return iter(zip(X, Y.tolist(), strict=True))


SOURCES = {
    "pair": (X, Y),
    "tensors": (torch.from_numpy(X), torch.from_numpy(Y)),
    "lists": (X.tolist(), Y.tolist()),
    "dictionary": {"x": X, "y": Y},
    "named otherwise": {"features": X, "labels": Y},
    "unnamed": {"first": X, "second": Y},
    "tensor dataset": TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
    "dataset": Pairs(),
    "subset": Subset(Pairs(), range(60)),
    "stream": Stream(),
    "column of targets": (X, Y[:, None]),
    "big endian": (X.astype(">f4"), Y.astype(">i4")),
    "fortran": (np.asfortranarray(X), Y),
}


@pytest.mark.parametrize("name", SOURCES)
def test_arrays_in_every_dress_are_the_same(name: str) -> None:
    prepared = prepared_of(SOURCES[name])
    assert prepared.layout == TableLayout(4)
    assert prepared.columns is None
    assert torch.equal(values(prepared), torch.from_numpy(X))
    assert prepared.targets.tolist() == Y.tolist()
    assert prepared.fingerprint == prepared_of((X, Y)).fingerprint


FRAME = pl.DataFrame({"a": X[:, 0], "town": ["Ulm", "Bonn", None] * 20, "label": ["u", "v"] * 30})


def frames(tmp_path: pathlib.Path) -> dict[str, object]:
    FRAME.write_csv(tmp_path / "frame.csv")
    FRAME.write_csv(tmp_path / "frame.tsv", separator="\t")
    FRAME.write_parquet(tmp_path / "frame.parquet")
    (tmp_path / "parts").mkdir()
    FRAME.head(30).write_parquet(tmp_path / "parts/1.parquet")
    FRAME.tail(30).write_parquet(tmp_path / "parts/2.parquet")
    return {
        "frame": FRAME,
        "lazy": FRAME.lazy(),
        "arrow": FRAME.to_arrow(),
        **{name: str(tmp_path / name) for name in ("frame.csv", "frame.tsv", "frame.parquet", "parts")},
    }


def test_tables_in_every_dress_are_the_same(tmp_path: pathlib.Path) -> None:
    expected = prepared_of(FRAME)
    assert expected.layout == TableLayout(1, (4,))
    for name, source in frames(tmp_path).items():
        prepared = prepared_of(source)
        assert torch.equal(values(prepared), values(expected)), name
        assert torch.equal(prepared.targets, expected.targets), name
        assert prepared.fingerprint == expected.fingerprint, name


def test_pandas_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "a": X[:, 0],
            "town": pandas.Categorical(["Ulm", "Bonn", None] * 20),
            "whole": pandas.array([1, None, 3] * 20, dtype="Int64"),
            "when": pandas.date_range("2020-01-01", periods=60, tz="Europe/Berlin"),
            "label": ["u", "v"] * 30,
        }
    )
    prepared = prepared_of(frame)
    kinds = {column.name: column.type for column in prepared.summary.columns}
    assert kinds == {"a": "number", "town": "category", "whole": "number", "when": "date"}
    assert bool(values(prepared)[1, 1].isnan())


def test_hugging_face_datasets() -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_dict({"a": X[:, 0], "label": Y}).cast_column(
        "label", datasets.ClassLabel(names=["low", "middle", "high"])
    )
    prepared = prepared_of(dataset)
    assert prepared.task.classes == ("low", "middle", "high")
    assert prepared.task.target == "label"
    both = prepared_of(datasets.DatasetDict({"train": dataset, "test": dataset}))
    assert both.summary.splits["test"] == 60
    pixels = RANDOM.integers(0, 255, (60, 6, 6)).astype(np.uint8)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(num_classes=3)})

    images = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(one) for one in pixels], "label": Y}, features=features
    )
    assert np.array_equal(values(prepared_of(images)).numpy(), pixels)


def test_phases_given_as_a_dictionary() -> None:
    prepared = prepared_of({"train": (X, Y), "valid": (X[:9], Y[:9]), "test": (X[:6], Y[:6])})
    assert prepared.summary.splits == {"train": 60, "validation": 9, "test": 6}
    assert prepared.split["test"].tolist() == list(range(69, 75))


def test_named_arrays_of_phases_in_a_file(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "set.npz", x_train=X, y_train=Y, x_test=X[:6], y_test=Y[:6])
    prepared = prepared_of(str(tmp_path / "set.npz"))
    assert prepared.summary.splits == {"train": 51, "validation": 9, "test": 6}
    assert prepared.task.target == "y"


def test_a_matrix_in_a_file_has_its_target_last(tmp_path: pathlib.Path) -> None:
    np.save(tmp_path / "matrix.npy", np.c_[X, Y])
    prepared = prepared_of(str(tmp_path / "matrix.npy"))
    assert prepared.task.target == "column_5"
    assert torch.equal(values(prepared), torch.from_numpy(X))
    other = prepared_of(str(tmp_path / "matrix.npy"), data={"target": "column_1"})
    assert other.task.kind == "regression"


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (["a", "b"] * 30, "classification"),
        ([True, False] * 30, "classification"),
        ([1, 2] * 30, "classification"),
        (list(range(10)) * 6, "classification"),
        (np.arange(60) / 7, "regression"),
        (np.arange(60) * 3, "regression"),
        ([17.0, 18.0, 19.0] * 20, "classification"),
        ([0.5, 1.5] * 30, "regression"),
    ],
)
def test_the_task_is_found_and_said(targets: Any, kind: Any) -> None:
    prepared = prepared_of((X, np.asarray(targets)))
    assert prepared.task.kind == kind
    assert [decision.value for decision in prepared.decisions if decision.setting == "data.task"] == [kind]


def test_a_hundred_counted_classes_are_classes() -> None:
    prepared = prepared_of((np.ones((1000, 2)), np.arange(1000) % 100))
    assert len(prepared.task.classes) == 100
    assert prepared.task.classes[:3] == ("0", "1", "2")


def test_targets_with_decimal_commas_are_numbers() -> None:
    texts = [f"{number},{number % 10}5" for number in range(60)]
    prepared = prepared_of(FRAME.with_columns(label=pl.Series(texts)))
    assert prepared.task.kind == "regression"
    assert prepared.targets[12] == 12.25
    new = read_new_rows(
        FRAME.with_columns(label=pl.Series(texts)), Recipe().data, prepared.columns, prepared.layout, prepared.task
    )
    assert new.targets is not None
    assert torch.equal(new.targets, prepared.targets)


def test_a_stated_task_wins() -> None:
    assert prepared_of((X, Y), data={"task": "regression"}).task.kind == "regression"
    assert len(prepared_of((X, np.arange(60) // 2 * 7), data={"task": "classification"}).task.classes) == 30


def test_the_same_seed_gives_the_same_and_the_fingerprint_knows_changes() -> None:
    first, again, other = prepared_of((X, Y)), prepared_of((X, Y)), prepared_of((X, Y), seed=1)
    assert np.array_equal(first.split["test"], again.split["test"])
    assert not np.array_equal(first.split["test"], other.split["test"])
    changed = X.copy()
    changed[31, 2] += 1e-3
    assert first.fingerprint == other.fingerprint != prepared_of((changed, Y)).fingerprint
    assert first.fingerprint != prepared_of((X, np.roll(Y, 1))).fingerprint


def test_bytes_stay_bytes() -> None:
    images = RANDOM.integers(0, 255, (60, 8, 8)).astype(np.uint8)
    assert prepared_of((images, Y)).inputs.dtype == torch.uint8
    assert prepared_of((images.reshape(60, 64), Y)).inputs.dtype == torch.uint8
    assert prepared_of((X.astype(np.float16), Y)).inputs.dtype == torch.float32


def test_groups_stay_together_and_are_not_learned_from() -> None:
    frame = FRAME.with_columns(who=pl.Series([f"p{number}" for number in range(20) for _ in range(3)]))
    prepared = prepared_of(frame, split={"group": "who"}, data={"target": "label"})
    who = frame["who"].to_numpy()
    assert not set(who[prepared.split["train"]]) & set(who[prepared.split["test"]])
    assert {column.name: column.type for column in prepared.summary.columns}["who"] == "drop"


def test_time_orders_the_phases() -> None:
    frame = FRAME.with_columns(day=pl.Series([f"2020-{1 + i % 12:02d}-{1 + i // 12:02d}" for i in range(60)]))
    prepared = prepared_of(frame, split={"time": "day"}, data={"target": "label"})
    days = frame["day"].to_numpy()
    assert days[prepared.split["train"]].max() < days[prepared.split["validation"]].min()
    assert days[prepared.split["validation"]].max() < days[prepared.split["test"]].min()


def test_a_large_table_in_pieces_is_the_same(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.concat([FRAME] * 20).with_columns(x=pl.Series(RANDOM.normal(size=1200)))
    path = tmp_path / "large.parquet"
    frame.write_parquet(path, row_group_size=100)
    recipe = {"data": {"target": "label"}}
    whole = prepared_of(str(path), **recipe)
    monkeypatch.setattr("babysit.data._parquet.physical_memory", lambda: 1000)
    monkeypatch.setattr("babysit.data._found.CELLS_OF_PIECE", 500)
    pieces = prepared_of(str(path), **recipe)
    assert isinstance(pieces.inputs, RowFile)
    assert torch.equal(values(pieces), values(whole))
    assert pieces.columns == whole.columns
    assert pieces.fingerprint == whole.fingerprint
    assert all(np.array_equal(pieces.split[phase], whole.split[phase]) for phase in whole.split)
    folder = pieces.inputs.path.parent
    assert folder.exists()
    assert pieces.columns is not None
    new = read_new_rows(str(path), Recipe().data, pieces.columns, pieces.layout, pieces.task)
    assert torch.equal(new.inputs[torch.arange(1200)], values(whole))
    assert new.targets is not None
    assert torch.equal(new.targets, whole.targets)
    del pieces
    assert not folder.exists()


def test_large_mapped_arrays_stay_on_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr("babysit.data._arrays.physical_memory", lambda: 1000)
    prepared = prepared_of((np.load(tmp_path / "x.npy", mmap_mode="r"), Y))
    assert isinstance(prepared.inputs, RowFile)
    assert torch.equal(values(prepared), torch.from_numpy(X))


def test_new_rows_are_encoded_as_those_of_training(tmp_path: pathlib.Path) -> None:
    prepared = prepared_of(FRAME)
    columns, layout, task, data = prepared.columns, prepared.layout, prepared.task, Recipe().data
    new = read_new_rows(FRAME.drop("label"), data, columns, layout, task)
    assert new.targets is None
    assert torch.equal(new.inputs[torch.arange(60)], values(prepared))
    labelled = FRAME.with_columns(label=pl.lit(" U. "))
    scored = read_new_rows(labelled, data, columns, layout, task)
    assert scored.targets is not None
    assert scored.targets.tolist() == [0] * 60
    with pytest.raises(DataError, match="which the model was not trained on"):
        read_new_rows(FRAME.with_columns(label=pl.lit("w")), data, columns, layout, task)
    for name, source in frames(tmp_path).items():
        again = read_new_rows(source, data, columns, layout, task)
        assert torch.equal(again.inputs[torch.arange(60)], values(prepared)), name
        assert again.targets is not None
        assert torch.equal(again.targets, prepared.targets), name


def test_new_arrays_and_images(tmp_path: pathlib.Path) -> None:
    images = prepared_of("digits")
    data = Recipe().data
    again = read_new_rows("digits", data, None, images.layout, images.task)
    assert again.targets is not None
    assert torch.equal(again.targets, images.targets)
    alone = read_new_rows(np.zeros((3, 8, 8), np.uint8), data, None, images.layout, images.task)
    assert alone.targets is None
    np.save(tmp_path / "x.npy", X)
    table = prepared_of((X, Y))
    from_file = read_new_rows(str(tmp_path / "x.npy"), data, None, table.layout, table.task)
    assert torch.equal(from_file.inputs[torch.arange(60)], torch.from_numpy(X))
    with pytest.raises(DataError, match="the model was trained on rows of shape"):
        read_new_rows(X[:, :3], data, None, table.layout, table.task)


def test_adult_as_it_is(real_data: pathlib.Path) -> None:
    recipe = Recipe.model_validate(
        {
            "data": {"source": str(real_data / "adult/adult-train.csv")},
            "split": {"test_source": str(real_data / "adult/adult-test.csv")},
        }
    )
    prepared = prepare(recipe)
    assert prepared.task.classes == ("<=50K", ">50K")
    assert prepared.summary.splits == {"train": 27677, "validation": 4884, "test": 16281}
    assert prepared.layout == TableLayout(6, (9, 18, 9, 15, 8, 7, 4, 42))
    said = {decision.setting: decision for decision in prepared.decisions}
    assert said["data.header_rows"].value == "0"
    assert "'<=50K.' as '<=50K'" in said["labels of 'column_15'"].value
    assert prepared.columns is not None
    test = read_new_rows(recipe.split.test_source, recipe.data, prepared.columns, prepared.layout, prepared.task)
    assert test.targets is not None
    assert torch.equal(test.targets, prepared.targets[torch.from_numpy(prepared.split["test"])])


def test_default_credit_as_it_is(real_data: pathlib.Path) -> None:
    prepared = prepared_of(str(real_data / "default_credit.csv"))
    assert prepared.task.target == "default payment next month"
    assert prepared.inputs.shape == (30000, 23)
    said = {decision.setting: decision for decision in prepared.decisions}
    assert said["data.header_rows"].value == "2"
    assert said["data.types"].value == "'ID': drop"


def test_california_as_it_is(real_data: pathlib.Path) -> None:
    prepared = prepared_of(str(real_data / "california_housing.csv"), data={"target": "median_house_value"})
    assert prepared.task.kind == "regression"
    assert prepared.inputs.dtype == torch.float32
    missing = {column.name: column.missing for column in prepared.summary.columns}
    assert 0.005 < missing["total_bedrooms"] < 0.015
    table = pl.read_csv(real_data / "california_housing.csv")
    wanted = table.select(pl.exclude("median_house_value", "ocean_proximity")).to_numpy().astype(np.float32)
    assert np.array_equal(values(prepared)[:, :8].numpy(), wanted, equal_nan=True)


def test_mnist_as_it_is(real_data: pathlib.Path) -> None:
    prepared = prepared_of(str(real_data / "mnist70k.npz"))
    assert prepared.inputs.shape == (70000, 28, 28)
    assert prepared.inputs.dtype == torch.uint8
    assert prepared.summary.splits == {"train": 51000, "validation": 9000, "test": 10000}


def test_nothing_heavy_is_imported_for_a_csv(tmp_path: pathlib.Path) -> None:
    FRAME.write_csv(tmp_path / "frame.csv")
    program = (
        "import sys; from babysit.data import prepare; from babysit.record import Recipe; "
        f"prepare(Recipe(), {str(tmp_path / 'frame.csv')!r}); "
        "print([name for name in ('pandas', 'datasets', 'sklearn', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
