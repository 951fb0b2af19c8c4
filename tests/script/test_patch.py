"""A patched copy does, run plainly, what the remedies do through `babysit run`."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import torch

from babysit import run_script
from babysit.record import Remedy
from babysit.script import Script, write_patched
from tests.script.conftest import PATIENTS

# Patients, the remedies, and by how much a copy's metric may be worse: 0 where each edit is the operation that was
# tried. Another norm before its layer's bias is learned, or a rate that is multiplied, rounds otherwise.
QUICK: dict[str, tuple[str, float]] = {
    "pt-60335387": ("clear-gradients", 0),
    "so-31880720": ("sigmoid-output epochs=5 dropout=0", 0),
    "pt-84911": ("unfreeze shuffle", 0),
}
SLOW: dict[str, tuple[str, float]] = {
    "at-blob-exp9": ("activation=selu", 0),
    "at-blob-relu15-he": ("activation=selu initialise=he batch-size=64", 0),
    "at-blob-sig11": ("activation=relu insert-batch-norm", 0),
    "dc-cnn-red_soft": ("remove-softmax", 0),
    "dc-cnn-unbalanced": ("class-weights", 0),
    "dc-regr-broadcast": ("match-shapes epochs=20", 0),
    "dc-regr-constant": ("initialise=he epochs=100", 0),
    "dc-regr-over_scaled": ("standardise-targets lr=0.01", 0.002),
    "dcrime-R6": ("initialise dropout=0.2", 0),
    "pt-yangqie": ("call-step optimizer=sgd lr=0.005", 0),
    "so-48251943": ("linear-output epochs=300", 0),
    "so-48385830": ("lr=0.3 loss=cross-entropy insert-activation=sigmoid", 0.01),
    "so-48934338": ("lr=0.001", 0.005),
    "so-51181393": ("lr=0.03", 0.001),
    "so-52800582": ("standardise-inputs standardise-targets activation=relu", 0),
    "so-55328966": ("standardise-inputs linear-output insert-activation optimizer=adam lr=0.001", 0.01),
    "umlaut-a2": ("dropout=0.2", 0),
}


def remedies_of(text: str) -> list[Remedy]:
    return [Remedy.parse(one) for one in text.split()]


def metric(output: str) -> float:
    return float(next(line for line in reversed(output.splitlines()) if line.startswith("metric:")).split()[1])


def plainly(path: pathlib.Path) -> str:
    """What a script prints that is run by Python alone."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONWARNINGS": "error"}
    environment["PYTHONPATH"] = str(pathlib.Path(__file__).parents[2] / "src")
    done = subprocess.run([sys.executable, path.name], cwd=path.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compared(name: str, asked: str, worse: float, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = PATIENTS / name / "sick.py"
    remedies = remedies_of(asked)
    copy = tmp_path / "copy.py"
    write_patched(Script(str(script)), remedies, copy)
    capsys.readouterr()
    run_script(script, remedies=remedies, show="nothing")
    tried = metric(capsys.readouterr().out)
    if worse:
        assert metric(plainly(copy)) >= tried - worse
    else:
        assert metric(plainly(copy)) == tried


@pytest.mark.parametrize("name", QUICK)
def test_the_copy_does_what_was_tried(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared(name, *QUICK[name], tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_every_copy_does_what_was_tried(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared(name, *SLOW[name], tmp_path, capsys)


def test_every_patient_is_compared() -> None:
    assert set(QUICK) | set(SLOW) == {path.parent.name for path in PATIENTS.glob("*/sick.py")}
