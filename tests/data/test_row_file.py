"""Rows on disk are the rows in memory, and a broken file is refused with its reason."""

from __future__ import annotations

import multiprocessing
import pathlib
import pickle
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from babysit.data import RowFile, Rows, TensorRows, write_rows
from babysit.record import DataError, StorageError

TYPES = [torch.bool, torch.uint8, torch.int16, torch.int64, torch.float16, torch.float32, torch.float64, torch.uint16]


def some_rows(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 200).to(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(50,), (50, 3), (50, 4, 5, 3), (0, 3), (50, 0)])
def test_equal_to_rows_in_memory(tmp_path: pathlib.Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = some_rows(*shape, dtype=dtype)
    on_disk: Rows = write_rows(tmp_path / "rows.npy", [tensor[:7], tensor[7:7], tensor[7:]])
    in_memory: Rows = TensorRows(tensor)
    assert (on_disk.shape, on_disk.dtype, len(on_disk)) == (in_memory.shape, in_memory.dtype, len(in_memory))
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), tensor.numpy())
    wanted = np.array([3, 49, 3, 0, 4, 5, 48], np.int64)[: len(tensor)]
    assert torch.equal(on_disk[torch.from_numpy(wanted)], in_memory[torch.from_numpy(wanted)])
    for rows in (None, wanted):
        for size in (1, 8, 1000, None):
            ours, theirs = on_disk.chunks(rows, size), in_memory.chunks(rows, size)
            pairs = zip(filter(len, ours), filter(len, theirs), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)


@given(st.lists(st.integers(-20, 19), max_size=40))
def test_any_rows_in_any_order(folder: pathlib.Path, wanted: list[int]) -> None:
    tensor, path = some_rows(20, 3), folder / "any.npy"
    rows = RowFile(path) if path.exists() else write_rows(path, [tensor])
    with rows:
        index = torch.tensor(wanted, dtype=torch.int64)
        assert torch.equal(rows[index], tensor[index])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("rows")


def test_a_file_that_numpy_wrote(tmp_path: pathlib.Path) -> None:
    array = np.arange(24, dtype=np.float32).reshape(6, 4)
    np.save(tmp_path / "a.npy", array)
    with RowFile(tmp_path / "a.npy") as rows:
        assert torch.equal(rows[torch.tensor([-1, 2])], torch.from_numpy(array[[-1, 2]]))


def test_rows_that_are_not_there(tmp_path: pathlib.Path) -> None:
    rows = write_rows(tmp_path / "a.npy", [some_rows(4, 2)])
    for wanted in ([4], [0, -5]):
        with pytest.raises(IndexError, match="of 4 rows"):
            rows[torch.tensor(wanted)]
    with pytest.raises(TypeError, match="row numbers"):
        rows[3]  # type: ignore[index]
    rows.close()
    with pytest.raises(DataError, match="cannot read"):
        rows[torch.arange(2)]


def _read_all(rows: RowFile, expected: Tensor, wrong: list[int]) -> None:
    generator = torch.Generator().manual_seed(threading.get_ident() % 1000)
    for _ in range(50):
        index = torch.randint(len(rows), (16,), generator=generator)
        if not torch.equal(rows[index], expected[index]):
            wrong.append(1)


def test_threads_share_a_file(tmp_path: pathlib.Path) -> None:
    tensor = some_rows(500, 20)
    rows, wrong = write_rows(tmp_path / "a.npy", [tensor]), list[int]()
    threads = [threading.Thread(target=_read_all, args=(rows, tensor, wrong)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _sum(rows: RowFile, index: Tensor) -> float:
    return float(rows[index].sum())


def test_it_travels_to_other_processes(tmp_path: pathlib.Path) -> None:
    rows = write_rows(tmp_path / "a.npy", [some_rows(50, 2)])
    assert torch.equal(pickle.loads(pickle.dumps(rows))[torch.arange(50)], some_rows(50, 2))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_sum, (rows, torch.arange(9))) == float(some_rows(50, 2)[:9].sum())


def test_writing_is_whole_or_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rows.npy"
    write_rows(path, [some_rows(3, 2)])
    before = path.read_bytes()

    def breaks() -> object:
        yield some_rows(3, 2)
        raise RuntimeError("the source went away")

    with pytest.raises(RuntimeError, match="went away"):
        write_rows(path, breaks())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="follow rows of"):
        write_rows(path, [some_rows(3, 2), some_rows(3, 3)])
    with pytest.raises(DataError, match="follow rows of"):
        write_rows(path, [some_rows(3, 2), some_rows(3, 2, dtype=torch.uint8)])
    with pytest.raises(DataError, match="no rows to write"):
        write_rows(path, [])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["rows.npy"]
    with pytest.raises(StorageError, match="cannot write"):
        write_rows(tmp_path / "no folder" / "rows.npy", [some_rows(3, 2)])


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: pathlib.Path, mode: str) -> object:
        return open("/dev/full", mode)

    monkeypatch.setattr(pathlib.Path, "open", full)
    with pytest.raises(StorageError, match="No space left"):
        write_rows(tmp_path / "rows.npy", [some_rows(300_000, 2)])
    assert not [*tmp_path.iterdir()]


def saved(tmp_path: pathlib.Path, array: object, **options: bool) -> pathlib.Path:
    np.save(tmp_path / "bad.npy", array, **options)  # type: ignore[arg-type]
    return tmp_path / "bad.npy"


def test_files_that_cannot_be_used(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        RowFile(tmp_path / "none.npy")
    with pytest.raises(DataError, match="cannot read"):
        RowFile(tmp_path)
    with pytest.raises(DataError, match="never read"):
        RowFile(saved(tmp_path, np.array([{}, {}]), allow_pickle=True))
    with pytest.raises(DataError, match="column by column"):
        RowFile(saved(tmp_path, np.asfortranarray(np.ones((3, 4)))))
    with pytest.raises(DataError, match="no axis of rows"):
        RowFile(saved(tmp_path, np.float64(3)))
    for array in (np.array(["a", "b"]), np.ones(3, complex), np.ones(3, ">f8"), np.zeros(3, "M8[s]")):
        with pytest.raises(DataError, match="holds"):
            RowFile(saved(tmp_path, array))
    whole = saved(tmp_path, np.ones((100, 4))).read_bytes()
    for cut in (0, 3, 9, 60, 200, len(whole) - 1):
        (tmp_path / "cut.npy").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"truncated|not a \.npy file"):
            RowFile(tmp_path / "cut.npy")
    for shape in ("(10000000000000000, 4)", "(-30, 4)"):
        claims = whole.replace(b"(100, 4), }" + b" " * (len(shape) - 8), f"{shape}, }}".encode())
        assert len(claims) == len(whole)
        (tmp_path / "claims.npy").write_bytes(claims)
        with pytest.raises(DataError, match=r"truncated|no axis"):
            RowFile(tmp_path / "claims.npy")


@given(st.binary(max_size=200))
def test_any_bytes(folder: pathlib.Path, content: bytes) -> None:
    path = folder / "bytes.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + content if len(content) % 2 else content)
    with pytest.raises(DataError):
        RowFile(path)


def test_a_file_that_shrinks_while_in_use(tmp_path: pathlib.Path) -> None:
    rows = write_rows(tmp_path / "a.npy", [some_rows(100, 4)])
    with (tmp_path / "a.npy").open("r+b") as file:
        file.truncate(600)
    with pytest.raises(DataError, match="shorter than its header"):
        rows[torch.arange(100)]
