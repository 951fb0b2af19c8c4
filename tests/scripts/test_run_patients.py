"""The patients' programs: output and weights are bit for bit what they are without babysit."""

import hashlib
import pathlib
import runpy

import pytest
import torch
from torch import Tensor, nn

import babysit
from babysit.record import silent

PATIENTS = pathlib.Path(__file__).parent.parent.parent / "patients"
QUICK = ("so-31880720", "dc-regr-broadcast", "well-iris-mlp")
ALL = sorted(path.parent.name + "/" + path.name for path in PATIENTS.glob("*/*.py"))

# Runs a program as __main__, and prints what its networks and the random numbers have become.
PROBE = f"""
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
from test_run_patients import fingerprint
import runpy
fingerprint(runpy.run_path(sys.argv[1], run_name="__main__"))
"""


def fingerprint(names: dict[str, object]) -> None:
    """Print a digest of every network and tensor that a program has left, and of its random stream."""
    digest = hashlib.sha256()
    for name, value in sorted(names.items()):
        tensors = value.state_dict() if isinstance(value, nn.Module) else {"": value}
        for inner, tensor in tensors.items():
            if isinstance(tensor, Tensor):
                digest.update(f"{name}.{inner}".encode())
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(torch.get_rng_state().numpy().tobytes())
    print("weights", digest.hexdigest())


def compare(program: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    fingerprint(runpy.run_path(str(program), run_name="__main__"))
    plain = capsys.readouterr().out
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    done = babysit.run(probe, [str(program)], progress=silent)
    assert done.ended == "finished", done.traceback
    assert capsys.readouterr().out == plain
    assert "weights" in plain
    assert done.steps > 0
    assert done.trace.layers
    if program.name == "well.py":
        assert [finding.name for finding in done.findings if finding.severity == "sick"] == []


@pytest.mark.parametrize("name", [f"{name}/well.py" for name in QUICK])
def test_numbers_are_the_same(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(PATIENTS / name, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ALL)
def test_all_numbers_are_the_same(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(PATIENTS / name, tmp_path, capsys)
