"""kill -9 at any instant: the Study opens, goes on, loses no finished rung, and ends with the same answer."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

import pytest

from babysit.record import Study

TUNE = [
    "tune", "iris", "--plain", "--trials", "5", "--generations", "2", "--winners", "2", "--repeats", "2",
    "--set", "epochs=12", "--out",
]  # fmt: skip
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "babysit", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ALONE)


def finish(*arguments: str) -> None:
    process = start(*arguments)
    _, err = process.communicate(timeout=280)
    assert process.returncode == 0, err


def answer(path: pathlib.Path) -> dict[str, Any]:
    """All that a search says but for how long it took."""
    study = Study(path)
    assert study.info.status == "finished"
    result = json.loads((path / "result.json").read_text())
    # What was chosen by a measurement says the measurement.
    del result["seconds"], result["decisions"]
    scores = {
        rung: {number: {**asdict(score), "seconds": 0} for number, score in found.items()}
        for rung, found in study.scores().items()
    }
    rungs = [rung._replace(seconds=0) for rung in study.rungs()]
    models = {
        file.parent.name: file.read_bytes() for file in sorted(path.glob("winners/*/weights.safetensors"))
    }  # fmt: skip
    return {"result": result, "scores": repr(scores), "rungs": rungs, "models": models, "trials": study.trials()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The search in one go."""
    path = tmp_path_factory.mktemp("whole") / "study"
    finish(*TUNE, str(path))
    return answer(path)


def kill_until_done(path: pathlib.Path, lines: list[int], waits: list[float], total: int) -> int:
    """Begin, or go on, and kill -9 a moment after so many lines of progress. Returns the kills."""
    kills = 0
    for count, wait in zip(lines, waits, strict=True):
        before = len(Study(path).rungs()) if path.exists() else 0
        process = start(*(["resume", "--plain", str(path)] if path.exists() else [*TUNE, str(path)]))
        assert process.stderr is not None
        for _ in range(1 + before + count):  # the first line, what was kept before, and new rungs
            if not process.stderr.readline():
                break
        time.sleep(wait)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        assert len(Study(path).rungs()) >= min(total, before + count), "no finished rung is lost"
    finish("resume", "--plain", str(path))
    return kills


def test_killed_three_times(whole: dict[str, Any], tmp_path: pathlib.Path) -> None:
    assert kill_until_done(tmp_path / "study", [1, 2, 1], [0.0, 0.05, 0.02], len(whole["rungs"])) >= 2
    assert answer(tmp_path / "study") == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_instants(seed: int, whole: dict[str, Any], tmp_path: pathlib.Path) -> None:
    draw = random.Random(seed)
    lines = [draw.choice([0, 0, 1, 1, 2]) for _ in range(4)]
    kill_until_done(tmp_path / "study", [1, *lines[1:]], [draw.uniform(0, 0.3) for _ in lines], len(whole["rungs"]))
    assert answer(tmp_path / "study") == whole
