"""Data larger than memory: fitted and cut into batches under limits far below the data's size.

Each test runs a child that limits itself after its imports, shows that the limit bites, and then does the work.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tracemalloc

import numpy as np
import polars as pl
import pytest
import torch

from babysit.data._statistics import statistics_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc/self/status are Linux's")

LIMIT = """
import pathlib, resource, sys
import numpy as np, polars as pl, torch
from babysit.data import Preprocessing, RowFile, TableLayout, write_rows

def limit(kind, name, mebibytes):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    used = next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(kind, (used + mebibytes * 2**20,) * 2)

path = sys.argv[1]
"""

ROW_FILE = """
warm_up = Preprocessing(TableLayout(4)).fit([torch.rand(9, 4)])(torch.rand(2, 4))
limit(resource.RLIMIT_AS, "VmSize", 250)
for mode in (None, "r"):
    try:
        np.load(path, mmap_mode=mode)
    except (MemoryError, OSError):
        continue
    raise SystemExit("the limit does not bite")
rows = RowFile(path)
preprocessing = Preprocessing(TableLayout(rows.shape[1])).fit(rows.chunks())
print(len(rows), preprocessing.steps.standardise.mean[0].item())
batch = rows[torch.tensor([len(rows) - 1, 0, 5])]
print(batch[:, 0].tolist(), preprocessing(batch).shape)
train = np.arange(0, len(rows), 7)
print(sum(len(piece) for piece in rows.chunks(train[:20_000])))
"""

SPILL = """
limit(resource.RLIMIT_AS, "VmSize", 120)
pieces = (torch.full((8192, 1024), number, dtype=torch.float32) for number in range(16))
rows = write_rows(path, pieces)
print(rows.shape[0], Preprocessing(TableLayout(1024)).fit(rows.chunks()).steps.standardise.mean[3].item().__round__(9))
"""

PARQUET = """
pl.select(1).lazy().collect()
limit(resource.RLIMIT_DATA, "VmData", 120)
frame = pl.scan_parquet(path)
height = frame.select(pl.len()).collect().item()
if sys.argv[2:] == ["whole"]:
    frame.collect()
    raise SystemExit("the limit does not bite")

def chunks():
    for start in range(0, height, 50_000):
        yield torch.from_numpy(frame.slice(start, 50_000).collect().to_numpy())

preprocessing = Preprocessing(TableLayout(8)).fit(chunks())
print(height, preprocessing.steps.standardise.mean.tolist())
"""


def start(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    return subprocess.run(
        [sys.executable, "-c", LIMIT + script, *arguments],
        capture_output=True, text=True, env=environment, timeout=120, check=False,
    )  # fmt: skip


def run(script: str, path: pathlib.Path) -> list[str]:
    done = start(script, str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_a_file_five_times_the_address_space(tmp_path: pathlib.Path) -> None:
    """1.25 GiB of bytes (a hole on disk, but for the last row) with 250 MiB to work in."""
    path, rows, features = tmp_path / "rows.npy", 5 * 2**16 + 3, 4096
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (rows, features)}
        np.lib.format.write_array_header_1_0(file, header)
        file.seek(rows * features + file.tell() - features)
        file.write(b"\xc8" * features)
    assert path.stat().st_size > 1.25 * 2**30
    said = run(ROW_FILE, path)
    assert said[0] == f"{rows} {200 / rows}"
    assert said[1:] == ["[200, 0, 0] torch.Size([3, 4096])", "20000"]


def test_writing_more_than_there_is_room_for(tmp_path: pathlib.Path) -> None:
    """512 MiB are written and read again with 120 MiB to work in."""
    path = tmp_path / "spilled.npy"
    assert run(SPILL, path) == [f"{16 * 8192} 7.5"]
    assert path.stat().st_size > 2**29
    path.unlink()


def test_a_parquet_file_larger_than_memory(tmp_path: pathlib.Path) -> None:
    """400 MB of Parquet with 120 MiB of memory.

    The limit is on memory, not on addresses: polars maps a file it scans, which takes addresses and no memory.
    """
    path = tmp_path / "rows.parquet"
    columns = {f"column_{number}": np.random.default_rng(number).random(125_000) for number in range(8)}
    part = pl.DataFrame(columns)
    pl.concat([part] * 50).write_parquet(path, compression="uncompressed", row_group_size=125_000)
    assert path.stat().st_size > 350 * 2**20
    whole = start(PARQUET, str(path), "whole")
    assert "memory allocation" in whole.stderr, "the limit does not bite"
    (said,) = run(PARQUET, path)
    height, means = said.split(" ", 1)
    assert int(height) == 50 * 125_000
    np.testing.assert_allclose([float(mean) for mean in means.strip("[]").split(",")], part.mean().row(0), rtol=1e-12)
    path.unlink()


def peak_of_statistics(rows: int, features: int) -> int:
    """Most bytes held at once while statistics and covariance are made of so many rows."""
    piece = torch.randint(0, 256, (256, features), dtype=torch.uint8)
    tracemalloc.start()
    try:
        statistics_of((piece for _ in range(rows // 256)), features, covariance=True)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_rows() -> None:
    """O(D^2 + a block): four times the rows, the same peak."""
    features = 256
    few, many = peak_of_statistics(8192, features), peak_of_statistics(4 * 8192, features)
    assert many < 1.05 * few
    assert many < 8 * (8 * features**2 + 2 * 4096 * features)  # a few matrices, and the block in float64
