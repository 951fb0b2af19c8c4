"""kill -9 at any instant: the Run opens, resumes, and ends as if nothing had happened."""

import os
import pathlib
import random
import resource
import signal
import time

import pytest

from babysit.record import Run
from babysit.training import load
from tests.training.children import Child

FIT = [
    "fit",
    "digits",
    "--plain",
    "--seconds",
    "0",
    "--set",
    "architecture=mlp",
    "epochs=12",
    "dropout=0.3",
    "batch_size=32",
    "--out",
]
RESULTS = ("weights.safetensors", "evaluation-test.json", "evaluation-validation.json", "recipe.toml")


def finish(*arguments: str) -> Child:
    child = Child(*arguments)
    child.end()
    return child


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The training in one go."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert finish(*FIT, str(path)).end() == 0
    return Run(path)


def assert_same(path: pathlib.Path, whole: Run) -> None:
    run = Run(path)
    assert run.info.status == "finished"
    for name in RESULTS:
        assert (path / name).read_bytes() == (whole.path / name).read_bytes(), name
    for quantity in ("loss", "lr", "data-loss", "accuracy"):
        assert run.trace().series(quantity) == whole.trace().series(quantity), quantity


def kill_until_done(path: pathlib.Path, seconds: list[float]) -> int:
    """Begin, or go on, and kill -9 so long after the first line that tells of the training. Returns the kills."""
    kills = 0
    for wait in seconds:
        there = (path / "run.json").exists()
        child = Child(*(["resume", "--plain", str(path)] if there else [*FIT, str(path)]))
        if wait >= 0:
            child.wait_for("training")
        time.sleep(abs(wait))  # a negative one falls while files are read and the folder is made
        kills += child.kill() == -signal.SIGKILL
        if (path / "run.json").exists():
            load(path)
    last = finish(*(["resume", "--plain", str(path)] if path.exists() else [*FIT, str(path)]))
    assert last.end() == 0, last.err
    return kills


def test_killed_three_times(whole: Run, tmp_path: pathlib.Path) -> None:
    assert kill_until_done(tmp_path / "run", [0.05, 0.2, 0.1]) >= 1
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7))
def test_killed_at_random_instants(seed: int, whole: Run, tmp_path: pathlib.Path) -> None:
    instants = random.Random(seed)
    kill_until_done(tmp_path / "run", [instants.uniform(-1.0, 0.6) for _ in range(3)])
    assert_same(tmp_path / "run", whole)


def dies_at_the_first_checkpoint() -> None:
    """Before it has its name: the last checkpoint is always written; how many come before depends on the disk."""
    real = pathlib.Path.replace

    def deadly(self: pathlib.Path, target: str | pathlib.Path) -> pathlib.Path:
        if str(target).endswith("checkpoint.safetensors"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, target)

    pathlib.Path.replace = deadly  # type: ignore[assignment,method-assign]


def test_killed_while_a_checkpoint_is_written(whole: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "run"
    assert Child(*FIT, str(path), prepare=dies_at_the_first_checkpoint).end() == -signal.SIGKILL
    load(path)
    assert finish("resume", str(path)).end() == 0
    assert_same(path, whole)


def test_ctrl_c_ends_cleanly_and_resume_goes_on(whole: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "run"
    child = Child(*FIT, str(path))
    child.wait_for("training")
    time.sleep(0.1)
    child.send(signal.SIGINT)
    if child.end(seconds=60) == 130:  # a fast machine may have finished before
        assert "interrupted" in child.err
        assert f"babysit resume {path}" in child.out
        assert Run(path).info.status == "interrupted"
        assert "Traceback" not in child.err
    assert finish("resume", str(path)).end() == 0
    assert_same(path, whole)


def test_two_processes_on_one_run(whole: Run, tmp_path: pathlib.Path) -> None:
    with whole.writing():
        second = finish("resume", str(whole.path))
    assert second.end() == 2
    assert second.err.startswith("error: another process is writing")


def small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))


def test_a_disk_that_is_full_is_one_clear_error(whole: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "run"
    child = Child(*FIT, str(path), prepare=small_files)
    assert child.end(seconds=120) == 2
    assert "Traceback" not in child.err
    assert "cannot write" in child.err or "cannot be written" in child.err
    assert not list(tmp_path.rglob("*.part"))
    if path.exists():
        Run(path)
        assert finish("resume", str(path)).end() == 0
        assert_same(path, whole)
