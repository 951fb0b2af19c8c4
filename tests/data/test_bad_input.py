"""Every kind of bad input has its own clear error."""

import os
import pathlib
import zipfile

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from babysit.data import prepare
from babysit.record import DataError, InputError, Recipe

GOOD = "a,b,y\n" + "".join(f"{i}.5,{i % 7},{'uv'[i % 2]}\n" for i in range(40))


def error_of(source: object, **sections: object) -> InputError:
    with pytest.raises(InputError) as caught:
        prepare(Recipe.model_validate(sections), source)
    return caught.value


def write(tmp_path: pathlib.Path, content: str | bytes, name: str = "table.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_no_file_names_the_nearest(tmp_path: pathlib.Path) -> None:
    write(tmp_path, GOOD, "flights.csv")
    error = error_of(str(tmp_path / "flihgts.csv"))
    assert "there is no file" in str(error)
    assert error.write == str(tmp_path / "flights.csv")


def test_no_source_at_all() -> None:
    assert "no data was given" in str(error_of(None))


def test_a_misspelled_bundled_set() -> None:
    assert error_of("digit").write == "digits"


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_an_empty_file(tmp_path: pathlib.Path, content: bytes) -> None:
    assert "is empty" in str(error_of(write(tmp_path, content)))


def test_one_column(tmp_path: pathlib.Path) -> None:
    assert "has one column, 'a'" in str(error_of(write(tmp_path, "a\n1\n2\n3\n")))


def test_a_header_only(tmp_path: pathlib.Path) -> None:
    assert "has a header and no rows" in str(error_of(write(tmp_path, "a,b,c\n")))


def test_one_row(tmp_path: pathlib.Path) -> None:
    error = error_of(write(tmp_path, "a,b,c\n1,2,3\n"))
    assert "the target 'c' is '3' in every row" in str(error)


def test_a_target_that_is_no_column(tmp_path: pathlib.Path) -> None:
    error = error_of(write(tmp_path, GOOD), data={"target": "Y"})
    assert "no column 'Y'" in str(error)
    assert error.write == "--target 'y'"


def test_a_target_missing_in_some_rows(tmp_path: pathlib.Path) -> None:
    prepared = prepare(Recipe(), write(tmp_path, GOOD + "1,2,\n3,4,\n"))
    assert len(prepared.inputs) == 40
    (said,) = [decision for decision in prepared.decisions if decision.setting == "rows without a target"]
    assert "2 left out" in said.value
    assert "rows 41, 42" in said.why


def test_a_target_missing_everywhere() -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "y": [None, None, None]})
    assert "missing in every row" in str(error_of(frame))


def test_a_target_of_one_value(tmp_path: pathlib.Path) -> None:
    error = error_of(write(tmp_path, "a,y\n1,x\n2,x\n3,x\n"))
    assert "the target 'y' is 'x' in every row" in str(error)


def test_nan_in_a_numeric_target() -> None:
    prepared = prepare(Recipe(), (np.ones((40, 2)), np.array([1.5, np.nan, 2.5, 3.5] * 10)))
    assert len(prepared.targets) == 30
    assert not bool(prepared.targets.isnan().any())


def test_text_in_a_regression_target(tmp_path: pathlib.Path) -> None:
    error = error_of(write(tmp_path, "a,y\n1,2.5\n2,x\n3,3.5\n"), data={"task": "regression"})
    assert "the target 'y' holds text: 'x' in row 2" in str(error)


def test_infinite_target() -> None:
    error = error_of((np.ones((4, 2)), np.array([1.5, np.inf, 2.5, 3.5])))
    assert "infinite in row 2" in str(error)


def test_infinite_features_in_a_table() -> None:
    frame = pl.DataFrame(
        {"a": [1.0, float("inf"), 2.0, 3.0], "b": [1.0, 2.0, 3.0, -float("inf")], "y": [1.5, 2.5, 3.5, 4.5]}
    )
    assert "infinite numbers in columns 'a', 'b', rows 2, 4" in str(error_of(frame))


def test_infinite_features_in_arrays() -> None:
    inputs = np.ones((4, 3))
    inputs[2, 1] = np.inf
    assert "infinite numbers in column_2, row 3" in str(error_of((inputs, np.arange(4.0) / 3)))
    images = np.ones((4, 5, 5), dtype=np.float32)
    images[1, 2, 2] = -np.inf
    assert "infinite pixels in row 2" in str(error_of((images, np.arange(4.0) / 3)))


def test_a_class_with_one_row(tmp_path: pathlib.Path) -> None:
    error = error_of(write(tmp_path, GOOD + "1,2,w\n"))
    assert "class 'w' of 'y' has one row" in str(error)


def test_a_class_a_row(tmp_path: pathlib.Path) -> None:
    frame = pl.DataFrame({"a": range(30), "y": [f"name {i}" for i in range(30)]})
    assert "'y' has 30 classes in 30 rows" in str(error_of(frame))


def test_ragged_lines(tmp_path: pathlib.Path) -> None:
    error = error_of(write(tmp_path, GOOD + "1,2\n"))
    assert "line 42 has 2 cells and the other lines have 3" in str(error)


def test_a_stated_encoding_that_is_wrong(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, GOOD.replace("u", "ü").encode("cp1252"))
    error = error_of(path, data={"encoding": "utf-8"})
    assert "is not utf-8: line 2" in str(error)
    assert error.write == "--set data.encoding=cp1252"
    assert "no encoding 'utf8000'" in str(error_of(path, data={"encoding": "utf8000"}))


def test_double_column_names(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"{place},{place * 2},{place * 3},{'uv'[place % 2]}\n" for place in range(20))
    prepared = prepare(Recipe(), write(tmp_path, f"a,b,a,y\n{rows}"))
    assert [column.name for column in prepared.summary.columns] == ["a", "b", "a (2)"]
    assert any("'a' in column 3 as 'a (2)'" in decision.value for decision in prepared.decisions)


def test_ten_thousand_columns_and_few_rows(tmp_path: pathlib.Path) -> None:
    names = ",".join(f"c{i}" for i in range(10_000))
    rows = "".join(",".join(str((i * j) % 17) for j in range(9_999)) + f",{'uv'[i % 2]}\n" for i in range(1, 9))
    prepared = prepare(Recipe(), write(tmp_path, f"{names}\n{rows}"))
    assert prepared.inputs.shape[0] == 8
    assert prepared.task.classes == ("u", "v")
    assert len(prepared.decisions) < 30


def test_a_huge_field(tmp_path: pathlib.Path) -> None:
    prepared = prepare(Recipe(), write(tmp_path, GOOD + "1," + "x" * 100_000 + ",u\n2,3,v\n"))
    assert prepared.summary.rows == 42
    error = error_of(write(tmp_path, 'a,b,y\n1,"' + "x" * 200_000 + "\n2,3,u\n"))
    assert "field larger than field limit" in str(error)
    assert "never closes" in str(error.cause)


def test_truncated_parquet(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": range(100), "y": [0, 1] * 50}).write_parquet(path)
    write(tmp_path, path.read_bytes()[:-20], "table.parquet")
    assert "not a complete Parquet file" in str(error_of(str(path)))
    assert "is empty" in str(error_of(write(tmp_path, "", "empty.parquet")))


def test_npz_with_objects(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, x=np.array([{"a": 1}, None], dtype=object), y=np.arange(2))
    error = error_of(str(path))
    assert "a pickle can run any program" in str(error)


def test_npz_that_does_not_say_what_is_what(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "odd.npz"
    np.savez(path, first=np.ones((3, 2)), second=np.ones((3, 2)), third=np.ones(3))
    assert "does not say which array is the inputs and which the targets: first (3, 2)" in str(error_of(str(path)))


def test_damaged_zip(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "cut.npz"
    np.savez(path, x=np.arange(1000.0), y=np.arange(1000) % 2)
    path.write_bytes(path.read_bytes()[:3000])
    assert "cannot be read" in str(error_of(str(path)))
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    assert "holds no arrays" in str(error_of(str(tmp_path / "other.npz")))


def test_lengths_that_do_not_fit(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "images.npz"
    np.savez(path, train_png=np.zeros(10, np.uint8), train_len=np.array([4, 4]), train_label=np.array([0, 1]))
    assert "add up to 8, and 'train_png' has 10 bytes" in str(error_of(str(path)))


def images(folder: pathlib.Path, name: str, count: int = 4) -> None:
    (folder / name).mkdir(parents=True)
    for place in range(count):
        Image.new("L", (8, 8), place * 20).save(folder / name / f"{place}.png")


def test_a_corrupt_image_is_listed_and_too_many_are_refused(tmp_path: pathlib.Path) -> None:
    images(tmp_path, "cat", 12)
    images(tmp_path, "dog", 12)
    (tmp_path / "cat/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    prepared = prepare(Recipe(), str(tmp_path))
    assert len(prepared.inputs) == 24
    assert any("cat/bad.png" in note for note in prepared.summary.notes)
    for place in range(5):
        (tmp_path / f"dog/bad{place}.png").write_bytes(b"nothing")
    assert "6 images of 30 (20.0 %) cannot be read" in str(error_of(str(tmp_path)))


def test_a_folder_of_other_things(tmp_path: pathlib.Path) -> None:
    assert "is empty" in str(error_of(str(tmp_path)))
    write(tmp_path, GOOD)
    assert len(prepare(Recipe(), str(tmp_path)).inputs) == 40, "a folder of one table is that table"
    write(tmp_path, GOOD, "other.csv")
    error = error_of(str(tmp_path))
    assert "a folder without images" in str(error)
    assert error.write == str(tmp_path / "other.csv")
    images(tmp_path / "pictures", "cat")
    assert "images of only one class, 'cat'" in str(error_of(str(tmp_path / "pictures")))
    assert "4 images that are in no class folder" in str(error_of(str(tmp_path / "pictures/cat")))
    assert "is one image" in str(error_of(str(tmp_path / "pictures/cat/0.png")))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + bytes(50), "an Excel workbook"),
        (b"PAR1" + bytes(50), "Parquet"),
        (b"<!DOCTYPE html><html>" + bytes(50), "web page"),
        (b"\x80\x04\x95" + bytes(50), "pickle"),
        (b"\x1f\x8b" + bytes(50), "gzip"),
        (bytes(range(256)) * 8, "is not a text file"),
        (b"a,b\n1,\x00\x01\x02\n", "control characters"),
    ],
)
def test_other_files_under_the_name_of_csv(tmp_path: pathlib.Path, content: bytes, said: str) -> None:
    assert said in str(error_of(write(tmp_path, content)))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_permission_denied(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, GOOD)
    os.chmod(path, 0)
    assert "permission denied" in str(error_of(path))


def test_permission_denied_told_by_the_system(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GOOD)

    def refuse(self: pathlib.Path, *mode: str) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    error = error_of(path)
    assert "permission denied" in str(error)
    assert error.write == f"chmod u+r '{path}'"


def test_types_that_cannot_be(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, GOOD.replace("0.5", "x0.5"))
    error = error_of(path, data={"types": {"c": "number"}})
    assert "no column 'c'" in str(error)
    assert "is the target" in str(error_of(path, data={"types": {"y": "category"}}))
    assert "cannot be read as date" in str(error_of(path, data={"types": {"b": "date"}}))
    frame = pl.DataFrame({"a": ["p", "q", "r"] * 5, "y": [0, 1, 0] * 5})
    assert "cannot be read as number: it holds 'p', 'q', 'r'" in str(error_of(frame, data={"types": {"a": "number"}}))
    assert "cannot be read as boolean" in str(error_of(frame, data={"types": {"a": "boolean"}}))


def test_no_column_left(tmp_path: pathlib.Path) -> None:
    frame = pl.DataFrame({"a": [1] * 10, "b": [f"row {i}" for i in range(10)], "y": [0, 1] * 5})
    error = error_of(frame, data={"types": {"b": "drop"}})
    assert "no column is left from which 'y' can be predicted" in str(error)
    assert "'a': it is '1' in every row" in str(error.cause)


def test_group_and_time_columns_that_cannot_be() -> None:
    frame = pl.DataFrame({"a": range(10), "who": ["x", None] * 5, "y": [0.5, 1.5] * 5})
    assert "no column 'whom'" in str(error_of(frame, split={"group": "whom"}))
    assert "missing in rows 2, 4" in str(error_of(frame, split={"group": "who"}))
    assert "is the target" in str(error_of(frame, split={"group": "y"}))
    assert "neither numbers nor dates" in str(
        error_of(frame.with_columns(who=pl.Series(list("abcdefghij"))), split={"time": "who"})
    )
    assert "arrays, which have no column" in str(error_of("digits", split={"group": "who"}))


def test_given_files_that_do_not_fit(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, GOOD)
    other = write(tmp_path, GOOD.replace("b,y", "bb,y"), "other.csv")
    error = error_of(path, split={"test_source": other})
    assert "missing: 'b'; surplus: 'bb'" in str(error)
    assert error.cause == "renamed: 'bb' for 'b'"
    assert "of different kinds" in str(error_of(path, split={"test_source": "digits"}))


def test_arrays_that_do_not_fit() -> None:
    assert "3 rows of inputs and 2 targets" in str(error_of((np.ones((3, 2)), np.ones(2))))
    assert "of which one is learned at a time" in str(error_of((np.ones((2, 2)), np.ones((2, 2)))))
    assert prepare(Recipe(), (np.random.default_rng(0).normal(size=(40, 3)), np.eye(2)[[0, 1] * 20])).task.classes == (
        "0",
        "1",
    )
    assert "Python objects" in str(error_of((np.array([[{}]]), np.ones(1))))
    assert "complex128" in str(error_of((np.ones((2, 2), dtype=complex), np.ones(2))))
    assert "shape (2, 2, 2, 2, 2)" in str(error_of((np.ones((2,) * 5), np.arange(2))))
    assert "object of type int" in str(error_of(3))
    assert error_of((np.ones((2, 2)),)).write == "(inputs, targets)"


class Ragged(Dataset[object]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, place: int) -> object:
        return torch.ones(place + 1), place % 2


class Lonely(Ragged):
    def __getitem__(self, place: int) -> object:
        return torch.ones(3)


def test_datasets_that_do_not_fit() -> None:
    assert "its inputs cannot be made an array" in str(error_of(Ragged()))
    assert "item 0 is a Tensor" in str(error_of(Lonely()))


def test_every_error_is_a_data_or_recipe_error(tmp_path: pathlib.Path) -> None:
    assert isinstance(error_of(write(tmp_path, "")), DataError)
