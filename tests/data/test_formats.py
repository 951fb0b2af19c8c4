"""Tables in all kinds of files: each is told by its first bytes."""

import bz2
import gzip
import io
import json
import lzma
import pathlib
import zipfile
from typing import Any

import numpy as np
import polars as pl
import pytest
import xlsxwriter

from babysit.data import Prepared, prepare
from babysit.record import DataError, Recipe

RANDOM = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {"x": [place / 8 for place in range(60)], "c": ["u", "v", "w"] * 20, "y": ["p", "q", "q", "p"] * 15}
)


def prepared(path: pathlib.Path, **data: Any) -> Prepared:
    return prepare(Recipe.model_validate({"data": {"source": str(path), "target": "y", **data}}))


def is_the_frame(path: pathlib.Path) -> None:
    found = prepared(path)
    assert found.columns is not None
    assert len(found.inputs) == 60
    assert [(column.name, column.type) for column in found.summary.columns] == [("x", "number"), ("c", "category")]
    assert found.task.classes == ("p", "q")


def zipped(content: bytes, name: str = "inner.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


CSV = FRAME.write_csv().encode()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zipped])
def test_compressed_tables(tmp_path: pathlib.Path, pack: Any) -> None:
    for name, content in (("a.csv.gz", CSV), ("b.csv", CSV), ("c.jsonl.gz", FRAME.write_ndjson().encode())):
        (tmp_path / name).write_bytes(pack(content))
        is_the_frame(tmp_path / name)


def test_a_zip_of_several_files_is_refused_by_their_names(tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", CSV)
    with pytest.raises(DataError, match=r"a zip of 2 files: a\.csv, b\.csv"):
        prepared(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", FRAME.write_ndjson()),
        ("a.json", FRAME.write_json()),
        ("a.txt", FRAME.write_json()),
        ("columns.json", json.dumps(FRAME.to_dict(as_series=False))),
        ("pandas.json", json.dumps({k: dict(enumerate(v)) for k, v in FRAME.to_dict(as_series=False).items()})),
        ("split.json", json.dumps({"columns": FRAME.columns, "index": list(range(60)), "data": FRAME.rows()})),
        ("inside.json", json.dumps({"status": "ok", "items": FRAME.to_dicts()})),
        (
            "a.arff",
            "% from Weka\n@RELATION r\n@ATTRIBUTE x NUMERIC\n@ATTRIBUTE 'c' {u,v,w}\n@attribute y {p, q}\n@DATA\n"
            + FRAME.write_csv(include_header=False),
        ),
    ],
)
def test_json_and_arff(tmp_path: pathlib.Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    is_the_frame(tmp_path / name)


def test_records_in_records_become_columns(tmp_path: pathlib.Path) -> None:
    rows = [{"a": {"x": place, "k": "uvw"[place % 3]}, "y": "pq"[place % 2]} for place in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [column.name for column in prepared(tmp_path / "a.jsonl").summary.columns] == ["a.x", "a.k"]


def test_arrow_feather_and_parquet_whatever_the_ending(tmp_path: pathlib.Path) -> None:
    FRAME.write_ipc(tmp_path / "a.feather")
    FRAME.write_ipc_stream(tmp_path / "a.arrow")
    FRAME.write_parquet(tmp_path / "a.bin")
    for name in ("a.feather", "a.arrow", "a.bin"):
        is_the_frame(tmp_path / name)


def test_libsvm(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"{place % 2} 1:{place / 7:.3f} 3:{place % 5}\n" for place in range(40))
    (tmp_path / "a.libsvm").write_text(rows)
    found = prepare(Recipe.model_validate({"data": {"source": str(tmp_path / "a.libsvm")}}))
    assert tuple(found.inputs.shape) == (40, 3)
    assert found.task.kind == "classification"


def test_lists_of_one_length_are_columns(tmp_path: pathlib.Path) -> None:
    vectors = RANDOM.normal(size=(40, 8))
    frame = pl.DataFrame({"embedding": vectors.tolist(), "y": ["p", "q"] * 20})
    frame.write_parquet(tmp_path / "a.parquet")
    found = prepared(tmp_path / "a.parquet")
    assert tuple(found.inputs.shape) == (40, 8)
    assert found.summary.columns[0].name == "embedding_1"
    array = frame.with_columns(pl.col("embedding").cast(pl.Array(pl.Float64, 8)))
    assert tuple(prepare(Recipe(), array).inputs.shape) == (40, 8)


def test_the_index_of_pandas_is_left_out(tmp_path: pathlib.Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"x": RANDOM.normal(size=80), "z": RANDOM.normal(size=80), "y": ["p"] * 40 + ["q"] * 40})
    frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "a.parquet")
    found = prepared(tmp_path / "a.parquet")
    assert [column.name for column in found.summary.columns] == ["x", "z"]
    assert any("__index_level_0__" in decision.value for decision in found.decisions)


def test_partitions_are_a_column_and_parts_may_differ_in_type(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "with [brackets]"
    for year, kind in ((2020, pl.Int64), (2021, pl.Float64)):
        (folder / f"year={year}").mkdir(parents=True)
        frame = FRAME.head(30).with_columns(n=pl.Series(range(30)).cast(kind) * 2)
        frame.write_parquet(folder / f"year={year}" / "part-0.parquet")
    found = prepared(folder)
    assert len(found.inputs) == 60
    assert {"year", "n"} <= {column.name for column in found.summary.columns}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_train_and_test_in_a_folder_are_kept_apart(tmp_path: pathlib.Path, ending: str) -> None:
    for name, part in (("train", FRAME.head(40)), ("test", FRAME.tail(20))):
        path = tmp_path / f"{name}.{ending}"
        part.write_parquet(path) if ending == "parquet" else part.write_csv(path)
    found = prepared(tmp_path)
    assert found.summary.splits["test"] == 20
    assert found.split["test"].tolist() == list(range(40, 60))


def test_a_test_file_without_the_target_is_to_be_predicted(tmp_path: pathlib.Path) -> None:
    FRAME.head(40).write_csv(tmp_path / "train.csv")
    FRAME.tail(20).drop("y").write_csv(tmp_path / "test.csv")
    found = prepare(Recipe.model_validate({"data": {"source": str(tmp_path)}}))
    assert found.task.target == "y"
    assert len(found.inputs) == 40
    assert any("test.csv left out" in decision.value for decision in found.decisions)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
        (b"\n<html><table><tr><td>1</td></tr></table></html>", "a web page"),
        (b"\x80\x04\x95\x10\x00", "a pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        (b"\xd0\xcf\x11\xe0" + bytes(50), "an old Excel workbook"),
    ],
)
def test_other_kinds_are_refused_by_what_they_are(tmp_path: pathlib.Path, content: bytes, said: str) -> None:
    for name in ("data.csv", "data.pkl", "data.json"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=said):
            prepared(tmp_path / name)


def test_a_workbook_is_its_first_filled_sheet(tmp_path: pathlib.Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet("rows")
    for place, row in enumerate([FRAME.columns, *FRAME.rows()]):
        sheet.write_row(place, 0, row)
    book.close()
    is_the_frame(tmp_path / "a.xlsx")
