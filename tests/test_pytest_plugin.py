"""The assertions about trainings, and the plugin as pytest loads it."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import torch
from torch import nn

from babysit.record import Row, Trace
from babysit.testing import assert_can_overfit, assert_same_training, assert_sound

PLUGIN = "babysit.pytest_plugin"
TESTS = """
import torch
from torch import nn
import pytest

def network(bend):
    torch.manual_seed(0)
    inputs = torch.randn(64, 6)
    batches = [(inputs[i:i + 16], (inputs[i:i + 16, 0] > 0).long()) for i in range(0, 64, 16)]
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2), *bend), batches

def test_sound(babysit_check):
    net, batches = network([])
    assert babysit_check(net, nn.CrossEntropyLoss(), batches, only=["wiring"]).verdict == "sound"

def test_sick(babysit_check):
    net, batches = network([nn.Softmax(1)])
    babysit_check(net, nn.CrossEntropyLoss(), batches, only=["wiring"])
"""


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    return [(torch.randn(16, 4), torch.randint(0, 3, (16,))) for _ in range(2)]


def test_the_plugin_imports_nothing_heavy_and_its_fixture_tells_what_is_wrong(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_net.py").write_text(TESTS)
    program = f"import sys; import {PLUGIN}; assert not {{'torch', 'numpy', 'pydantic', 'rich'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout
    assert "double-softmax" in done.stdout
    assert "Traceback" not in done.stdout


def test_what_cannot_overfit_fails_like_a_diff() -> None:
    net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
    assert_can_overfit(net, nn.CrossEntropyLoss(), batches(), seconds=30)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    net[2].bias.requires_grad_(True)
    with pytest.raises(AssertionError, match=r"\n- .*\n\+ ") as failed:
        assert_can_overfit(net, nn.CrossEntropyLoss(), batches(), seconds=20)
    assert "overfit-tiny" in str(failed.value)


def test_the_same_training() -> None:
    losses = [2.3, float("nan"), 1.2]
    trace = Trace(tuple(Row(step, "train", "", "loss", loss) for step, loss in enumerate(losses)))
    assert_same_training(trace, losses)
    assert_same_training(lambda: losses, [2.3, float("nan"), 1.2 + 1e-9], tolerance=1e-6)
    for other in ([2.3, float("nan")], [2.3, 1.0, 1.2], [2.3, float("nan"), 1.2 + 1e-9]):
        with pytest.raises(AssertionError, match="the trainings differ from step"):
            assert_same_training(losses, other)
    with pytest.raises(AssertionError, match="nothing could be compared"):
        assert_same_training([], [])


def test_only_a_sound_training_is_asserted_to_be_sound() -> None:
    def network(*last: nn.Module) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), *last)

    assert_sound(network(), nn.CrossEntropyLoss(), batches(), only=["wiring"])
    with pytest.raises(AssertionError, match="double-softmax"):
        assert_sound(network(nn.Softmax(1)), nn.CrossEntropyLoss(), batches(), only=["wiring"])
    with pytest.raises(AssertionError, match="not judged"):  # labels drawn at random cannot be learned in no time
        assert_sound(network(), nn.CrossEntropyLoss(), batches(), only=["short-training"], steps=1)
