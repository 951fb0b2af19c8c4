"""Arbitrary bytes under every ending: either prepared data or an InputError, never anything else."""

import io
import pathlib
import struct

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from babysit.data import Prepared, prepare
from babysit.record import DataSection, InputError, Recipe

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIGNS = st.text("abc019.,;|\t\n\r \"'?-+e/:<>=%\x00é", max_size=120)


def survives(path: pathlib.Path) -> Prepared | None:
    try:
        prepared = prepare(Recipe(data=DataSection(source=str(path))))
    except InputError:
        return None
    assert len(prepared.inputs) == len(prepared.targets)
    return prepared


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """A good file with some bytes changed, cut or put in."""

    def change(draw: tuple[list[tuple[int, int]], int, bytes]) -> bytes:
        spots, end, extra = draw
        content = bytearray(whole)
        for place, value in spots:
            content[place % len(content)] = value
        content[len(content) // 2 : len(content) // 2] = extra
        return bytes(content[: max(1, end % (len(content) + 1))] if end % 2 else content)

    spots = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6)
    return st.tuples(spots, st.integers(0, 1 << 20), st.binary(max_size=4)).map(change)


def npz_bytes() -> bytes:
    out = io.BytesIO()
    np.savez(out, x=np.arange(40.0).reshape(10, 4), y=np.arange(10) % 2)
    return out.getvalue()


def npy_bytes() -> bytes:
    out = io.BytesIO()
    np.save(out, np.c_[np.arange(20.0), np.arange(20) % 2])
    return out.getvalue()


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"a": range(20), "b": ["x", "y"] * 10, "label": [0, 1] * 10}).write_parquet(out)
    return out.getvalue()


def png_bytes() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(out, "PNG")
    return out.getvalue()


@FUZZ
@given(content=st.one_of(SIGNS.map(str.encode), st.binary(max_size=200)))
@example(content=b"a,b\n1,2\n3,4")
@example(content=b"\xff\xfea\x00")
@example(content=b'"')
def test_csv(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    survives(path)


@FUZZ
@given(
    rows=st.lists(st.lists(st.text('abc019.,-:/ "', max_size=6), min_size=3, max_size=3), min_size=1, max_size=30),
    header=st.sampled_from(["", "a,b,c\n", "id,when,y\n", "a,a,b\n"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_csv_that_looks_like_a_table(
    tmp_path: pathlib.Path, rows: list[list[str]], header: str, delimiter: str
) -> None:
    path = tmp_path / "fuzz.csv"
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text(header.replace(",", delimiter) + "\n".join(lines) + "\n")
    survives(path)


@FUZZ
@given(content=st.one_of(mutated(npz_bytes()), st.binary(max_size=100).map(lambda tail: b"PK\x03\x04" + tail)))
def test_npz(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "fuzz.npz"
    path.write_bytes(content)
    survives(path)


@FUZZ
@given(content=st.one_of(mutated(npy_bytes()), st.binary(max_size=100).map(lambda tail: b"\x93NUMPY\x01\x00" + tail)))
def test_npy(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "fuzz.npy"
    path.write_bytes(content)
    survives(path)


@FUZZ
@given(content=st.one_of(mutated(parquet_bytes()), st.binary(max_size=100).map(lambda tail: b"PAR1" + tail + b"PAR1")))
def test_parquet(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "fuzz.parquet"
    path.write_bytes(content)
    survives(path)


@FUZZ
@given(content=st.one_of(mutated(png_bytes()), st.binary(max_size=100)))
def test_png(tmp_path: pathlib.Path, content: bytes) -> None:
    for name in ("cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/2.png"):
        file = tmp_path / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes())
    (tmp_path / "folder/dog/3.png").write_bytes(content)
    survives(tmp_path / "folder")


@FUZZ
@given(name=st.text(max_size=40))
@example(name="\x00")
@example(name="~nobody/x")
@example(name="a" * 5000)
def test_paths(name: str) -> None:
    try:
        prepare(Recipe(data=DataSection(source=f"/nowhere/{name}")))
    except InputError:
        return
    pytest.fail("there is nothing at that path")


def header(shape: str, kind: str = "'<f8'") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        header("(1000000000000000, 3)"),
        header("(-1, 3)"),
        header("(10, 99999999999999999999)"),
        header("(3,)", "'|O'") + b"\x80\x04N.",
        header("(2, 2)", "[('a', '<f8')]") + bytes(32),
        header("(2, 2)", "'<M8[s]'") + bytes(32),
        header("(0, 3)"),
        header("()") + bytes(8),
        header("(" * 2000 + ")" * 2000),
    ],
)
def test_headers_that_lie_or_hold_objects(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "lie.npy"
    path.write_bytes(content)
    assert survives(path) is None


CELLS = st.sampled_from(
    [
        st.one_of(st.none(), st.sampled_from(["a", "b", "?", "1,5", "2", " "])),
        st.floats(),
        st.integers(-(2**62), 2**62),
        st.integers(0, 3),
        st.one_of(st.none(), st.booleans()),
        st.dates(),
        st.one_of(st.none(), st.datetimes()),
        st.lists(st.integers(0, 1), max_size=2),
        st.binary(max_size=2),
        st.none(),
        st.text(max_size=5),
    ]
)


@FUZZ
@given(data=st.data(), rows=st.integers(1, 25), width=st.integers(1, 4))
def test_frames(data: st.DataObject, rows: int, width: int) -> None:
    cells = {f"c{place}": data.draw(CELLS) for place in range(width)}
    columns = {name: data.draw(st.lists(cell, min_size=rows, max_size=rows)) for name, cell in cells.items()}
    split = data.draw(st.sampled_from([{}, {"time": "c0"}, {"group": "c0"}, {"validation": 0.4, "test": 0}]))
    frame = pl.DataFrame(columns, strict=False)
    try:
        prepared = prepare(Recipe.model_validate({"split": split}), frame)
    except InputError:
        return
    assert prepared.columns is not None
    assert prepared.columns.encode(frame).shape == prepared.inputs.shape
