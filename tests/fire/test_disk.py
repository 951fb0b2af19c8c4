"""The n-th write, fsync, rename or truncation fails or is the last: what was before is whole, resume ends the same.

The model is SQLite's own way of testing. The gate takes a few instants; the slow test takes each of them.
"""

import errno
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from babysit.record import Run, Study
from tests.fire.machine import Done, Fault, Machine

FIT = ["fit", "iris", "--seconds", "0", "--plain", "--set", "epochs=2", "--out"]
TUNE = [
    "tune", "iris", "--plain", "--trials", "2", "--winners", "1", "--repeats", "1", "--generations", "0",
    "--set", "epochs=2", "--space", "lr=1e-3:1e-1:log", "--out",
]  # fmt: skip
SCRIPT = """
import torch
torch.manual_seed(0)
net = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(20):
    optimizer.zero_grad()
    loss = (net(torch.randn(8, 4)) ** 2).mean()
    loss.backward()
    optimizer.step()
print("the loss is", loss.item())
"""
# How it fails: once with one error or the other, for ever as a full disk, by a kill before the call or in its middle.
WAYS = (
    ("fail", errno.ENOSPC),
    ("kill", 0),
    ("full", errno.ENOSPC),
    ("tear", 0),
    ("fail", errno.EIO),
)
STRIDE = int(os.environ.get("BABYSIT_FAULT_STRIDE", "1"))  # of the slow test: every n-th instant
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(faults=True) as made:
        yield made


def contents(folder: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def said_well(done: Done, *, codes: tuple[int, ...] = (0,)) -> None:
    """It went through, was killed, or ended with one clear error."""
    assert "Traceback" not in done.err, done.err
    assert "babysit itself failed" not in done.err, done.err
    if done.code not in (*codes, -9):
        assert done.code == 2, (done.code, done.err)
        assert sum(line.startswith("error: ") for line in done.err.splitlines()) == 1, done.err


def of_run(path: pathlib.Path) -> dict[str, Any]:
    run = Run(path)
    assert run.info.status == "finished"
    names = (
        "weights.safetensors",
        "evaluation-test.json",
        "evaluation-validation.json",
        "recipe.toml",
        "findings.json",
    )
    numbers = {name: run.trace().series(name) for name in ("loss", "data-loss", "accuracy")}
    return {"files": {name: (path / name).read_bytes() for name in names}, "numbers": numbers}


def of_study(path: pathlib.Path) -> dict[str, Any]:
    study = Study(path)
    assert study.info.status == "finished"
    result = json.loads((path / "result.json").read_text())
    del result["seconds"], result["decisions"]
    scores = {
        rung: {number: (one.step, one.loss, one.score) for number, one in found.items()}
        for rung, found in study.scores().items()
    }
    weights = {
        str(file.relative_to(path)): file.read_bytes() for file in sorted(path.glob("winners/*/weights.safetensors"))
    }
    return {"result": result, "scores": scores, "weights": weights, "trials": study.trials()}


class Work:
    """One kind of work, done whole once, to compare with."""

    def __init__(self, machine: Machine, folder: pathlib.Path, kind: str) -> None:
        self.machine, self.kind, self.folder = machine, kind, folder
        self.command = FIT if kind == "fit" else TUNE
        self.answer = of_run if kind == "fit" else of_study
        whole = machine.run(*self.command, str(folder / "whole"), fault=Fault(f"{folder}/whole"))
        assert whole.code == 0, whole.err
        whole = machine.run(*self.command, str(folder / "again"), fault=Fault(str(folder)))
        self.calls = whole.calls
        self.whole = self.answer(folder / "whole")
        assert self.answer(folder / "again") == self.whole

    def falls(self, number: int, mode: str, error: int) -> bool:
        """Whether it fell at that instant; whatever happened, it ends as the whole one."""
        before = contents(self.folder / "whole")
        path = self.folder / f"{mode}-{error}-{number}"
        fallen = self.machine.run(*self.command, str(path), fault=Fault(str(self.folder), number, mode, error))
        said_well(fallen)
        assert contents(self.folder / "whole") == before
        if fallen.code != -9:
            assert not [*self.folder.rglob("*.part")], "something half-written is left"
        if path.exists():
            (Run if self.kind == "fit" else Study)(path)
            ended = self.machine.run("resume", "--plain", str(path))
        else:
            ended = self.machine.run(*self.command, str(path))
        assert ended.code == 0, (number, mode, ended.err)
        assert self.answer(path) == self.whole, (number, mode)
        shutil.rmtree(path)
        for part in self.folder.glob(".*.part"):
            shutil.rmtree(part)
        return fallen.code != 0


@needs_compiler
@pytest.mark.parametrize("kind", ["fit", "tune"])
def test_a_few_instants(kind: str, machine: Machine, tmp_path: pathlib.Path) -> None:
    work = Work(machine, tmp_path, kind)
    assert work.calls > 100
    places = [int(work.calls * share) for share in (0.02, 0.1, 0.5, 0.9, 0.99)]
    fallen = [work.falls(place, *way) for place, way in zip(places, WAYS, strict=True)]
    assert sum(fallen) >= 3, fallen


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("kind", ["fit", "tune"])
def test_every_instant(kind: str, machine: Machine, tmp_path: pathlib.Path) -> None:
    work = Work(machine, tmp_path, kind)
    fallen = total = 0
    for number in range(1, work.calls + 1, STRIDE):
        fallen += work.falls(number, *WAYS[total % len(WAYS)])
        total += 1
    print(f"{kind}: {total} of {work.calls} instants, {fallen} fell")
    assert fallen > total / 2


def watched(machine: Machine, folder: pathlib.Path, number: int, mode: str, error: int) -> Done:
    """`run` with three outputs where older ones stand; its script trains on as if nothing were."""
    (folder / "train.py").write_text(SCRIPT)
    for name in ("page.html", "answer.json"):
        (folder / name).write_text("of before")
    (folder / "trace.db").unlink(missing_ok=True)
    names = ["--report", "page.html", "--json=answer.json", "--keep", "trace.db"]
    done = machine.run(
        "run", "--plain", *names, "train.py", folder=str(folder), fault=Fault(str(folder), number, mode, error)
    )
    said_well(done)
    assert ("the loss is" in done.out) or done.code in (-9, 2), done
    page, answer = (folder / "page.html").read_text(), (folder / "answer.json").read_text()
    assert page == "of before" or page.rstrip().endswith("</html>")
    assert answer == "of before" or json.loads(answer)["ended"] == "finished"
    if done.code == 0:
        assert page != "of before"
        assert answer != "of before"
    if done.code != -9:
        assert not [*folder.rglob("*.part")]
    return done


@needs_compiler
def test_run_at_a_few_instants(machine: Machine, tmp_path: pathlib.Path) -> None:
    whole = watched(machine, tmp_path, 0, "count", 0)
    assert whole.code == 0
    assert whole.calls > 10
    for share, way in zip((0.1, 0.4, 0.6, 0.9, 0.95), WAYS, strict=True):
        done = watched(machine, tmp_path, max(1, int(whole.calls * share)), *way)
        assert done.code == -9 or done.out == whole.out or (done.code, done.out) == (2, "")


@pytest.mark.slow
@needs_compiler
def test_run_at_every_instant(machine: Machine, tmp_path: pathlib.Path) -> None:
    whole = watched(machine, tmp_path, 0, "count", 0)
    fallen = total = 0
    for number in range(1, whole.calls + 1, STRIDE):
        done = watched(machine, tmp_path, number, *WAYS[total % len(WAYS)])
        assert done.code == -9 or done.out == whole.out or (done.code, done.out) == (2, "")
        fallen += done.code != 0
        total += 1
    print(f"run: {total} of {whole.calls} instants, {fallen} fell")
