"""Processes that all tests of scripts share: to start one takes seconds."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest

from babysit.scripts import Runner, Script, ScriptSubject, watching_environment

PATIENTS = pathlib.Path(__file__).parents[2] / "patients"

# A network of two layers on numbers whose sum has a sign; {} is the place of what a test changes.
PROGRAM = """\
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
x = torch.randn(200, 6)
y = (x.sum(1) > 0).long()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
{zeros}
opt = torch.optim.SGD(net.parameters(), lr={lr})
for epoch in range({epochs}):
    for rows in torch.randperm(150).split(25):
        {before}
        loss = F.cross_entropy({outputs}, y[rows])
        loss.backward()
        {step}
with torch.no_grad():
    print("metric: %.4f" % (net(x[150:]).argmax(1) == y[150:]).float().mean())
"""


def program(**parts: object) -> str:
    usual: dict[str, object] = {
        "lr": 0.3,
        "epochs": 10,
        "before": "opt.zero_grad()",
        "outputs": "net(x[rows])",
        "step": "opt.step()",
        "zeros": "",
    }
    return PROGRAM.format(**{**usual, **parts})


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    with Runner(2, watching_environment()) as found:
        yield found


@pytest.fixture
def made(runner: Runner, tmp_path: pathlib.Path) -> Callable[..., ScriptSubject]:
    """A script's text, or the parts of the usual one, as a Subject in a folder of its own."""

    def make(text: str | None = None, **parts: object) -> ScriptSubject:
        path = tmp_path / "train.py"
        path.write_text(text if text is not None else program(**parts))
        return ScriptSubject(Script(str(path)), folder=tmp_path, runner=runner)

    return make
