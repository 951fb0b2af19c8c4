"""Programs that measuring could break or change: plain, run and watched they end with the same weights and numbers."""

import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import babysit
from babysit.probes._forward import ForwardProbe
from babysit.probes._modes import Modes
from babysit.probes._pending import Pending
from babysit.probes._step_losses import StepLosses
from babysit.probes._step_probe import StepProbe
from babysit.probes._weights import WeightProbe
from babysit.record import TraceStore, silent
from babysit.scripts import Script, run_script
from babysit.scripts._answers_seen import AnswersSeen
from babysit.scripts._epochs_seen import EpochsSeen
from babysit.scripts._faults_seen import FaultsSeen

# PyTorch warns of what these programs do.
pytestmark = pytest.mark.filterwarnings("ignore")

HEAD = """\
import contextlib, random, threading
import torch
from concurrent.futures import ThreadPoolExecutor
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
random.seed(0)
x = torch.randn(64, 6)
y = (x[:, 0] > 0).long()

def layers(middle=nn.ReLU()):
    return nn.Sequential(nn.Linear(6, 16), middle, nn.Linear(16, 2))

def train(net, x=x, steps=12, loss=lambda outputs: F.cross_entropy(outputs, y)):
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with watched(net, optimizer):
        for step in range(steps):
            optimizer.zero_grad()
            loss(net(x)).backward()
            optimizer.step()
    return net

def watched(*_):
    return contextlib.nullcontext()
"""
TAIL = """
drawn = torch.rand(1).item(), random.random()
print("weights", {name: value.detach().abs().sum().item() for name, value in net.state_dict().items()}, *drawn)
"""
PROGRAMS = {
    "complex": """
net = nn.Sequential(nn.Linear(6, 4, dtype=torch.cfloat), nn.Linear(4, 2, dtype=torch.cfloat))
train(net, x.to(torch.cfloat), loss=lambda outputs: outputs.abs().square().mean())
""",
    "float64": """
torch.set_default_dtype(torch.float64)
net = train(layers(), x.double())
""",
    "half": """
net = train(layers().to(torch.bfloat16), x.bfloat16(), loss=lambda outputs: F.cross_entropy(outputs, y))
""",
    "lazy": """
net = train(nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(2)))
""",
    "traced": """
net = train(layers(), steps=6)
torch.jit.trace(net, x)
train(net)
""",
    "sparse": """
class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(6, 16)), nn.Parameter(torch.randn(16, 2))
    def forward(self, rows):
        return torch.mm(near, torch.relu(torch.mm(near, torch.mm(rows, self.first))) @ self.second)
near = torch.eye(64).to_sparse()
net = train(Graph(), (x * (x > 0.5)).to_sparse())
train(net, (x * (x > 0.5)).to_sparse_csr())
""",
    "spectral": """
net = train(nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 16)), nn.ReLU(), nn.Linear(16, 2)))
""",
    "weight-norm": """
net = train(nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 16)), nn.ReLU(), nn.Linear(16, 2)))
""",
    "checkpointed": """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.act, self.down = nn.Linear(6, 16), nn.LeakyReLU(0.17), nn.Linear(16, 6)
    def forward(self, rows):
        return rows + self.down(self.act(self.up(rows)))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks, self.out = nn.ModuleList([Block(), Block()]), nn.Linear(6, 2)
    def forward(self, rows):
        for block in self.blocks:
            rows = checkpoint(block, rows, use_reentrant=False)
        return self.out(rows)
net = train(Net())
""",
    "random": """
class Noisy(nn.Module):
    def forward(self, rows):
        return F.relu(rows) + 0.01 * torch.randn_like(rows) * random.random()
net = train(nn.Sequential(layers(Noisy()), nn.RReLU(), nn.Dropout(0.2)))
""",
    "stateful": """
class Counts(nn.ReLU):
    def __init__(self):
        super().__init__()
        self.p = 0.5
        self.register_buffer("calls", torch.zeros(1))
    def forward(self, rows):
        self.calls += 1
        self.p = max(0.0, self.p - 0.01)
        return F.dropout(F.relu(rows), self.p, self.training)
net = train(layers(Counts()))
""",
    "thread": """
net = layers()
thread = threading.Thread(target=train, args=(net,), kwargs={"steps": 40})
thread.start()
thread.join()
""",
    "thread-pool": """
net = layers()
with ThreadPoolExecutor(1) as pool:
    list(pool.map(train, [net]))
""",
    "closure": """
net = layers()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
def closure():
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    return loss
for _ in range(30):
    optimizer.step(closure)
""",
    "raising": """
class Refusing(nn.Module):
    def forward(self, rows):
        if len(rows) < 64:
            raise ValueError("too few rows")
        return F.relu(rows)
net = layers(Refusing())
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(20):
    rows = slice(0, 8 if step % 3 == 1 else 64)
    try:
        F.cross_entropy(net(x[rows]), y[rows]).backward()
    except ValueError as error:
        assert str(error) == "too few rows"
    optimizer.step()
""",
    "meddling": """
net = layers()
kept = []
net[0].register_forward_hook(lambda module, inputs, outputs: kept.append(outputs.sum().item()) or outputs * 1.1)
net[2].weight.register_hook(lambda gradient: gradient * 0.5)
train(net)
assert len(kept) == 12
""",
}
# The others take their time.
FAST = {"complex", "float64", "lazy", "traced", "sparse", "spectral", "checkpointed", "stateful", "thread"}
WATCHED = """
from babysit import watch
from babysit.record import silent
def watched(net, optimizer):
    return watch(net, optimizer, progress=silent, overhead=None)
"""
# Everything that the user's program calls, directly or not, where an error may be babysit's own.
OURS = [
    (AnswersSeen, "begin_evaluation"),
    (EpochsSeen, "stepped"),
    (FaultsSeen, "backward_begins"),
    (FaultsSeen, "before_step"),
    (FaultsSeen, "evaluates"),
    (FaultsSeen, "loss_computed"),
    (FaultsSeen, "passing"),
    (FaultsSeen, "trains_on"),
    (ForwardProbe, "_function_called"),
    (ForwardProbe, "_left"),
    (ForwardProbe, "_returned"),
    (ForwardProbe, "begin"),
    (Modes, "trained"),
    (Pending, "add"),
    (Pending, "rows"),
    (StepLosses, "take"),
    (StepProbe, "after_step"),
    (StepProbe, "end"),
    (StepProbe, "first_backward"),
    (StepProbe, "loss_computed"),
    (WeightProbe, "before_step"),
    (WeightProbe, "begin"),
]


@pytest.fixture(autouse=True)
def default_type() -> Iterator[None]:
    usual = torch.get_default_dtype()
    yield
    torch.set_default_dtype(usual)


def last_line(text: str, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> str:
    path = folder / "plain.py"
    path.write_text(text)
    usual = torch.get_default_dtype()
    ended = run_script(Script(str(path)))
    torch.set_default_dtype(usual)
    assert ended.how == "finished", ended.traceback
    return capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in PROGRAMS]
)
def test_an_unusual_program_is_left_alone(
    name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = last_line(HEAD + PROGRAMS[name] + TAIL, tmp_path, capsys)
    assert last_line(HEAD + WATCHED + PROGRAMS[name] + TAIL, tmp_path, capsys) == plain
    path = tmp_path / "train.py"
    path.write_text(HEAD + PROGRAMS[name] + TAIL)
    done = babysit.run(path, progress=silent)
    assert (done.ended, done.code) == ("finished", 0), done.traceback
    assert capsys.readouterr().out.splitlines()[-1] == plain
    assert done.steps
    assert "babysit itself failed" not in " ".join(event.text for event in done.trace.happened("unseen"))


FAILING = """
net = layers(nn.Sequential(nn.Dropout(0.1), nn.Tanh()))
train(net)
with torch.no_grad():
    F.cross_entropy(net.eval()(x), y)
train(net.train(), steps=3)
"""


@pytest.mark.parametrize(("owner", "name"), OURS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("watched", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["run", "watch"])
def test_an_error_of_our_own_stays_out_of_the_training(
    owner: type,
    name: str,
    watched: bool,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = last_line(HEAD + FAILING + TAIL, tmp_path, capsys)
    called = False

    def fail(*_: Any, **__: Any) -> None:
        nonlocal called
        called = True
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(owner, name, fail)
    if watched:
        assert last_line(HEAD + WATCHED + FAILING + TAIL, tmp_path, capsys) == plain
        return
    (tmp_path / "train.py").write_text(HEAD + FAILING + TAIL)
    done = babysit.run(tmp_path / "train.py", progress=silent, overhead=None)
    assert called
    assert (done.ended, done.code) == ("finished", 0), done.traceback
    assert capsys.readouterr().out.splitlines()[-1] == plain
    assert "babysit itself failed: RuntimeError: a fault of ours" in " ".join(
        event.text for event in done.trace.happened("unseen")
    )


def test_a_trace_is_written_by_one_thread_and_read_by_another() -> None:
    from babysit.record import Row

    store = TraceStore(None)

    def write(thread: int) -> None:
        for step in range(200):
            store.add([Row(step, "train", "", f"loss-{thread}", float(step))])
            store.flush()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trace = store.read()
    assert [len(trace.series(f"loss-{number}").values) for number in range(4)] == [200] * 4
