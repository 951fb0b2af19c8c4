"""Optimizers that are made and never step: no step is missed for their sake."""

from __future__ import annotations

import pathlib

import pytest

import babysit

HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 6)
y = (x[:, 0] > 0).long()
a, b = nn.Sequential(nn.Linear(6, 8), nn.ReLU()), nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
net = nn.Sequential(a, b)
"""
TAIL = """
for _ in range(40):
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
"""
# What is made before the training; whether any step is missing; and how many steps are to be counted at least.
PROGRAMS = {
    "replaced": ("opt = torch.optim.SGD(net.parameters(), 0.1)\nopt = torch.optim.Adam(net.parameters(), 1e-2)", 40),
    "kept": ("never = torch.optim.SGD(net.parameters(), 0.1)\nopt = torch.optim.SGD(net.parameters(), 0.3)", 40),
    "of-a-part": ("never = torch.optim.SGD(a.parameters(), 0.1)\nopt = torch.optim.SGD(net.parameters(), 0.3)", 40),
    "of-another": (
        "first = torch.optim.SGD(a.parameters(), 0.1)\nopt = torch.optim.SGD(b.parameters(), 0.3)\n"
        "net = lambda rows: b(a(rows))",
        31,
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_optimizer_that_never_steps_is_not_waited_for(name: str, tmp_path: pathlib.Path) -> None:
    made, steps = PROGRAMS[name]
    (tmp_path / "train.py").write_text(HEAD + made + TAIL)
    done = babysit.run(tmp_path / "train.py", overhead=None)
    assert done.ended == "finished"
    assert done.steps >= steps
    assert not {"step-missing", "parameter-in-two-optimizers"} & {event.kind for event in done.trace.events}
    assert not [one for one in done.findings if one.severity == "sick"]
    assert len(done.trace.series("lr").values) >= steps - 1


def test_a_script_without_any_step_is_still_told(tmp_path: pathlib.Path) -> None:
    text = HEAD + "opt = torch.optim.SGD(net.parameters(), 0.1)\n" + TAIL.replace("    opt.step()\n", "")
    (tmp_path / "train.py").write_text(text)
    done = babysit.run(tmp_path / "train.py", overhead=None)
    assert "step-missing" in {finding.name for finding in done.findings}
