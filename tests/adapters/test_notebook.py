"""`%load_ext babysit` in IPython's own shell."""

from collections.abc import Iterator
from typing import Any

import pytest
from torch import nn

pytest.importorskip("IPython", reason="IPython is not installed")

from IPython.core.interactiveshell import InteractiveShell

MAKE = """
import torch
from torch import nn
torch.manual_seed(0)
inputs, labels = torch.randn(120, 5), torch.randint(0, 3, (120,))
net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
"""
TRAIN = """
for _ in range(12):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(inputs), labels)
    loss.backward()
    optimizer.step()
"""


@pytest.fixture
def shell() -> Iterator[Any]:
    before = nn.Module.__call__
    made: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    made.run_cell("%load_ext babysit")
    yield made
    made.run_cell("%unload_ext babysit")
    assert nn.Module.__call__ is before
    made.history_manager.end_session()


def test_a_cell_is_watched_though_its_optimizer_is_older(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%babysit on")
    shell.run_cell(MAKE)
    assert "babysit:" not in capsys.readouterr().err
    shell.run_cell(TRAIN)
    assert "babysit: 12 steps" in capsys.readouterr().err
    shell.run_cell("%babysit off")
    shell.run_cell(TRAIN)
    assert "babysit:" not in capsys.readouterr().err
    shell.run_cell("%%babysit\n" + TRAIN)
    assert "babysit: 12 steps" in capsys.readouterr().err


def test_one_cell_under_a_remedy(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%babysit --remedy lr=1e-9\n" + MAKE + "before = net[0].weight.sum().item()\n" + TRAIN)
    shell.run_cell("print('moved by', abs(net[0].weight.sum().item() - before))")
    said = capsys.readouterr()
    assert "babysit: 12 steps" in said.err
    assert float(said.out.split()[-1]) < 1e-4


@pytest.mark.parametrize("remedy", ["standardise-inputs", "loss=mse", "insert-batch-norm"])
def test_the_network_is_as_before_after_a_cell_under_a_remedy(remedy: str, shell: Any) -> None:
    shell.run_cell(MAKE)
    net, functions = shell.user_ns["net"], dict(vars(nn.functional))
    shape = repr(net)
    shell.run_cell(f"%%babysit --remedy {remedy}\n{TRAIN}")
    assert repr(net) == shape
    for module in net.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
        assert "forward" not in vars(module)
    assert dict(vars(nn.functional)) == functions
    inputs = shell.user_ns["inputs"]
    plain = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))
    plain.load_state_dict(net.state_dict())
    assert net(inputs).equal(plain(inputs))


@pytest.mark.parametrize(
    ("line", "words"),
    [("%babysit maybe", "there is no %babysit maybe"), ("%%babysit --lr 3\n1", "does not understand")],
)
def test_bad_input(line: str, words: str, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell(line)
    assert words in capsys.readouterr().err


def test_a_cell_that_fails(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%babysit\n" + MAKE + TRAIN + "raise ValueError('of the cell')")
    said = capsys.readouterr()
    assert "of the cell" in said.out + said.err
    assert "babysit: 12 steps" in said.err
