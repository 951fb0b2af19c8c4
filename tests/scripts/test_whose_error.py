"""An error that ends a training is the script's, unless babysit's own code raised it."""

from __future__ import annotations

import pathlib

import pytest

import babysit
from babysit.scripts._patcher import Patcher

OURS = pathlib.Path(babysit.__file__).parent
PROGRAM = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(8, 3)
net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(6):
    rows = x[:, :2] if step == 4 else x
    net(rows).square().mean().backward()
    optimizer.step()
"""


def test_the_scripts_own_error_is_told_with_its_own_traceback(tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    done = babysit.run(tmp_path / "train.py", overhead=None)
    assert done.ended == "failed"
    assert [event.step for event in done.trace.happened("failed")] == [4]
    assert "batch-fails" in {finding.name for finding in done.findings}
    assert str(OURS) not in done.traceback


def test_an_error_of_babysits_own_blames_nobody(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").write_text(PROGRAM.replace("x[:, :2] if step == 4 else x", "x"))

    # A fence that is missing: what is called at the end of a step cannot be called.
    monkeypatch.setattr(Patcher, "end_step", None)
    done = babysit.run(tmp_path / "train.py", overhead=None)
    assert done.ended == "failed"
    assert not done.trace.happened("failed")
    assert "batch-fails" not in {finding.name for finding in done.findings}
    assert "an error of babysit's own" in " ".join(event.text for event in done.trace.happened("unseen"))
    assert "_patcher.py" in done.traceback
