"""What a watched training measures, in the trackers that people have: each as it is installed, and one that fails."""

from __future__ import annotations

import importlib.util
import pathlib
import random
from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import nn

import babysit
from babysit.adapters import _sinks, read_log
from babysit.record import Finding, silent

pytestmark = pytest.mark.filterwarnings("default")  # of the trackers' own


def trained(sinks: Sequence[str]) -> list[float]:
    """Losses of a training that explodes."""
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e12)
    losses = []
    with babysit.watch(net, optimizer, progress=silent, sinks=sinks):
        for _ in range(30):
            optimizer.zero_grad()
            loss = net(torch.randn(16, 4)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_DIR", "TRACKIO_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def test_tensorboard_has_the_losses_and_the_finding() -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    losses = trained(["tensorboard:board"])
    (file,) = pathlib.Path("board").glob("events.out.tfevents.*")
    assert b"babysit/train/loss" in file.read_bytes()
    assert b"babysit/sick/diverged" in file.read_bytes()
    kept = read_log(pathlib.Path("board")).series("loss").values
    assert kept[0] == pytest.approx(losses[0])


@pytest.mark.parametrize("name", ["mlflow", "trackio", "wandb"])
def test_the_others_write_by_their_own_api(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    trained([f"mlflow:file:{tmp_path / 'runs'}" if name == "mlflow" else f"{name}:board"])
    assert "fails and is left" not in capsys.readouterr().err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"diverged" in path.read_bytes() or "diverged" in path.name for path in written)


class Failing:
    def __init__(self, place: str) -> None:
        random.random()
        torch.rand(1)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        torch.rand(1)
        raise OSError("the disk is full\nand more")

    def finding(self, finding: Finding, step: int) -> None:
        raise AssertionError("it is left after its first error")

    def close(self) -> None:
        raise AssertionError("it is left after its first error")


def test_a_sink_that_fails_costs_the_training_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = trained([])
    monkeypatch.setitem(_sinks.TRACKERS, "tensorboard", Failing)
    assert str(trained(["tensorboard"])) == str(alone)
    assert capsys.readouterr().err == "babysit: the sink tensorboard fails and is left: OSError: the disk is full\n"


def test_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(babysit.InputError, match="there is no sink 'tensorbord'"):
        trained(["tensorbord"])
    monkeypatch.setitem(_sinks.TRACKERS, "wandb", lambda place: _sinks._module("no_such_library", "wandb"))
    with pytest.raises(babysit.BabysitError, match="pip install wandb"):
        trained(["wandb"])
