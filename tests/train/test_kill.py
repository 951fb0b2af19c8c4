"""kill -9 at any instant: the Run opens, resumes, and ends as if nothing had happened."""

import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

from babysit.record import RunFolder
from babysit.train import load

FIT = [
    "fit",
    "digits",
    "--plain",
    "--time",
    "0",
    "--set",
    "architecture=mlp",
    "epochs=12",
    "dropout=0.3",
    "batch_size=32",
    "--out",
]
RESULTS = ("weights.safetensors", "evaluation-test.json", "evaluation-validation.json", "recipe.toml")
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "babysit", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ALONE, **options)  # type: ignore[call-overload, no-any-return]


def finish(*arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The training in one go."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert finish(*FIT, str(path)).returncode == 0
    return RunFolder(path)


def assert_same(path: pathlib.Path, whole: RunFolder) -> None:
    run = RunFolder(path)
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
        process = start(*(["fit", "--plain", "--resume", str(path)] if there else [*FIT, str(path)]))
        assert process.stderr is not None
        if wait >= 0:
            while "training" not in (line := process.stderr.readline()) and line:
                pass
            time.sleep(wait)
        else:  # before it begins: while files are read and the folder is made
            time.sleep(2.5 + wait)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if (path / "run.json").exists():
            load(path)
    last = finish(*(["fit", "--plain", "--resume", str(path)] if path.exists() else [*FIT, str(path)]))
    assert last.returncode == 0, last.stderr
    return kills


def test_killed_three_times(whole: RunFolder, tmp_path: pathlib.Path) -> None:
    assert kill_until_done(tmp_path / "run", [0.05, 0.2, 0.1]) >= 1
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7))
def test_killed_at_random_instants(seed: int, whole: RunFolder, tmp_path: pathlib.Path) -> None:
    instants = random.Random(seed)
    kill_until_done(tmp_path / "run", [instants.uniform(-1.0, 0.6) for _ in range(3)])
    assert_same(tmp_path / "run", whole)


def test_killed_while_a_checkpoint_is_written(whole: RunFolder, tmp_path: pathlib.Path) -> None:
    # the last of a training is always written; how many come before it depends on how fast the disk is
    program = """
import os, signal, sys
from babysit.record import _atomic
real, count = os.replace, 0
def deadly(self, target):
    global count
    if str(target).endswith("checkpoint.safetensors"):
        count += 1
        if count == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
_atomic.pathlib.Path.replace = deadly
from babysit.cli import main
main(sys.argv[1:])
"""
    path = tmp_path / "run"
    killed = subprocess.run([sys.executable, "-c", program, *FIT, str(path)], capture_output=True, env=ALONE)
    assert killed.returncode == -signal.SIGKILL
    load(path)
    assert finish("fit", "--resume", str(path)).returncode == 0
    assert_same(path, whole)


def test_ctrl_c_ends_cleanly_and_resume_goes_on(whole: RunFolder, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "run"
    process = start(*FIT, str(path))
    assert process.stderr is not None
    while "training" not in process.stderr.readline():
        pass
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 130:  # a fast machine may have finished before
        assert "interrupted" in err
        assert f"babysit fit --resume {path}" in out
        assert RunFolder(path).info.status == "interrupted"
        assert "Traceback" not in err
    assert finish("fit", "--resume", str(path)).returncode == 0
    assert_same(path, whole)


def test_two_processes_on_one_run(whole: RunFolder, tmp_path: pathlib.Path) -> None:
    with whole.writing():
        second = finish("fit", "--resume", str(whole.path))
    assert second.returncode == 2
    assert second.stderr.startswith("error: another process is writing")


def test_a_disk_that_is_full_is_one_clear_error(whole: RunFolder, tmp_path: pathlib.Path) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    path = tmp_path / "run"
    process = start(*FIT, str(path), preexec_fn=small_files)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Traceback" not in err
    assert "cannot write" in err or "cannot be written" in err
    assert not list(tmp_path.rglob("*.part"))
    if path.exists():
        RunFolder(path)
        assert finish("fit", "--resume", str(path)).returncode == 0
        assert_same(path, whole)
