"""The wiring diseases in real trainings: the observer measures, the diseases judge, and the sound twin has none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.diseases import DISEASES
from babysit.probes import Observer
from babysit.record import Trace, TraceStore

WIRING = [name for name, disease in DISEASES.items() if disease.group == "wiring"]
Loss = Callable[[Tensor, Tensor], Tensor]

# One seed in the quick gate, five by `make test-slow`.
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]


def read(store: TraceStore) -> Trace:
    store.flush()
    trace = store.read()
    store.close()
    return trace


@dataclass
class Training:
    """A loop that can be wired wrongly in every way."""

    net: Callable[[], nn.Module]
    loss: Loss = field(default_factory=nn.CrossEntropyLoss)
    task: str = "classes"  # or numbers, binary
    steps: int = 60
    rate: float = 0.05
    clear: bool = True
    sign: float = 1.0
    maximize: bool = False
    momentum: float = 0.9
    adam: bool = False
    mode: bool = True
    schedule: Callable[[int], float] = field(default=lambda step: 1.0)
    parameters: Callable[[nn.Module], list[nn.Parameter]] = field(default=lambda net: list(net.parameters()))
    evaluate: Callable[[nn.Module, Tensor], object] = field(default=lambda net, inputs: None)

    def trace(self, seed: int) -> Trace:
        torch.manual_seed(seed)
        inputs = torch.randn(640, 20)
        hidden = torch.tanh(inputs @ torch.randn(20, 10))
        targets = {
            "classes": (hidden @ torch.randn(10, 5)).argmax(1),
            "numbers": (hidden @ torch.randn(10, 1) + 0.1 * torch.randn(640, 1)) / 2,
            "binary": ((hidden @ torch.randn(10, 1)) > 0).float(),
        }[self.task]
        net, store = self.net(), TraceStore(None)
        given = self.parameters(net)
        optimizer: torch.optim.Optimizer = (
            torch.optim.Adam(given, lr=self.rate / 10, maximize=self.maximize)
            if self.adam
            else torch.optim.SGD(given, lr=self.rate, momentum=self.momentum, maximize=self.maximize)
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule)
        net.train(self.mode)
        with Observer(net, [optimizer], store, overhead=None):
            for step in range(self.steps):
                rows = torch.randperm(640)[:64]
                if self.clear:
                    optimizer.zero_grad()
                (self.sign * self.loss(net(inputs[rows]), targets[rows])).backward()
                optimizer.step()
                scheduler.step()
                if step % 10 == 9:
                    with torch.no_grad():
                        self.evaluate(net, inputs)
        return read(store)


def found(training: Training, seed: int) -> dict[str, str]:
    """Names of wiring findings, with their severity."""
    trace = training.trace(seed)
    return {finding.name: finding.severity for name in WIRING for finding in DISEASES[name].find(trace)}


def mlp(*last: nn.Module, units: int = 5, inside: Callable[[], nn.Module] = nn.ReLU) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(20, 32), inside(), nn.Linear(32, units), *last)


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 5)), nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 5),
    )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 16, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.gru(inputs.view(-1, 5, 4))[0][:, -1])  # type: ignore[no-any-return]


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 16)
        self.q, self.k, self.v, self.out = (nn.Linear(16, 16) for _ in range(4))
        self.first, self.second = nn.LayerNorm(16), nn.LayerNorm(16)
        self.up, self.down, self.head = nn.Linear(16, 64), nn.Linear(64, 16), nn.Linear(16, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        rows = self.embed(inputs.view(-1, 5, 4))  # [N, 5, 16]
        normal = self.first(rows)
        weights = torch.softmax(self.q(normal) @ self.k(normal).transpose(1, 2) / 4, dim=-1)
        rows = rows + self.out(weights @ self.v(normal))
        rows = rows + self.down(functional.gelu(self.up(self.second(rows))))
        return self.head(rows.mean(1))  # type: ignore[no-any-return]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(20, 32)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(3))
        self.head = nn.Linear(32, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        rows = self.stem(inputs)
        for block in self.blocks:
            rows = rows + block(rows)
        return self.head(torch.relu(rows))  # type: ignore[no-any-return]


class Bounded(nn.Module):
    """Numbers between -5 and 5, from a tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.act = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1)), nn.Tanh()

    def forward(self, inputs: Tensor) -> Tensor:
        return 5 * self.act(self.body(inputs))  # type: ignore[no-any-return]


def nll(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.nll_loss(outputs.log_softmax(1), targets)


def two_heads(outputs: Tensor, targets: Tensor) -> Tensor:
    """A binary loss of one head and a squared error of the other, whose targets are not probabilities."""
    binary = functional.binary_cross_entropy_with_logits(outputs[:, :1], (targets > 0).float())
    return binary + functional.mse_loss(outputs[:, 1:2], 100 * targets)


HEALTHY = {
    "mlp": Training(mlp()),
    "short": Training(mlp(), steps=3),
    "one step": Training(mlp(), steps=1),
    "adam": Training(mlp(), adam=True),
    "no momentum": Training(mlp(), momentum=0.0, steps=200),
    "too slow": Training(mlp(), rate=1e-5),
    "diverges": Training(mlp(units=1), nn.MSELoss(), "numbers", rate=50.0),
    "convolutional": Training(convolutional),
    "recurrent": Training(Recurrent, adam=True),
    "transformer": Training(Transformer, adam=True),
    "residual": Training(Residual, adam=True),
    "softmax regression": Training(lambda: nn.Linear(20, 5)),
    "dropout": Training(mlp(nn.Dropout(0.2)), evaluate=lambda net, inputs: net.eval()(inputs) + bool(net.train())),
    "regression": Training(mlp(units=1), nn.MSELoss(), "numbers"),
    "huber": Training(mlp(units=1, inside=nn.Tanh), nn.SmoothL1Loss(), "numbers"),
    "binary": Training(mlp(units=1), nn.BCEWithLogitsLoss(), "binary"),
    "sigmoid and bce": Training(mlp(nn.Sigmoid(), units=1), nn.BCELoss(), "binary"),
    "log-softmax and nll": Training(mlp(nn.LogSoftmax(1)), nn.NLLLoss()),
    "log-softmax outside": Training(mlp(), nll),
    "scaled tanh": Training(Bounded, nn.MSELoss(), "numbers"),
    "two heads": Training(mlp(units=2), two_heads, "numbers", rate=1e-4),
    "several outputs on one target": Training(mlp(units=3), lambda o, t: functional.mse_loss(o, t.expand(-1, 3)),
                                              "numbers"),
    "cosine": Training(mlp(), schedule=lambda step: (1 + math.cos(math.pi * step / 60)) / 2),
    "warm-up": Training(mlp(), schedule=lambda step: min(1.0, step / 20)),
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_trainings_have_no_wiring_disease(name: str, seed: int) -> None:
    assert found(HEALTHY[name], seed) == {}


def detached() -> nn.Module:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(20, 32), nn.Linear(32, 5)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(torch.relu(self.body(inputs)).detach())  # type: ignore[no-any-return]

    return Detached()


def frozen() -> nn.Module:
    net = nn.Sequential(nn.Linear(20, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 5))
    for part in (net[0], net[3]):
        part.requires_grad_(False)
    return net


BINARY = nn.BCEWithLogitsLoss()
SQUARED: Loss = nn.MSELoss()
SICK: dict[str, tuple[str, str, Training]] = {
    "softmax": ("double-softmax", "sick", Training(mlp(nn.Softmax(1)))),
    "softmax outside": ("double-softmax", "sick", Training(
        mlp(), lambda o, t: functional.cross_entropy(o.softmax(1), t))),
    "log-softmax": ("double-softmax", "note", Training(mlp(nn.LogSoftmax(1)))),
    "softmax, log-softmax": ("double-softmax", "sick", Training(
        mlp(nn.Softmax(1), nn.LogSoftmax(1)), nn.NLLLoss())),
    "sigmoid": ("sigmoid-before-logits-loss", "sick", Training(mlp(nn.Sigmoid(), units=1), BINARY, "binary")),
    "sigmoid outside": ("sigmoid-before-logits-loss", "sick", Training(
        mlp(units=1), lambda o, t: BINARY(o.sigmoid(), t), "binary")),
    "softmax over one": ("softmax-over-one-unit", "sick", Training(
        mlp(nn.Softmax(1), units=1), nn.BCELoss(), "binary")),
    "softmax over rows": ("softmax-wrong-axis", "sick", Training(mlp(nn.Softmax(0)))),
    "relu outputs": ("wrong-output-activation", "sick", Training(mlp(nn.ReLU(), units=1), SQUARED, "numbers")),
    "tanh outputs": ("wrong-output-activation", "sick", Training(
        mlp(nn.Tanh(), units=1), lambda o, t: SQUARED(o, 9 * t), "numbers")),
    "sigmoid logits": ("wrong-output-activation", "sick", Training(mlp(nn.Sigmoid()))),
    "sigmoid logits outside": ("wrong-output-activation", "sick", Training(
        mlp(), lambda o, t: functional.cross_entropy(torch.sigmoid(o), t))),
    "relu logits": ("wrong-output-activation", "warning", Training(mlp(nn.ReLU()))),
    "softmax, nll": ("wrong-output-activation", "sick", Training(mlp(nn.Softmax(1)), nn.NLLLoss())),
    "labels as numbers": ("wrong-loss", "sick", Training(
        mlp(), lambda o, t: SQUARED(o, t[:, None].float().expand(-1, 1).clone()))),
    "one-hot": ("wrong-loss", "warning", Training(
        mlp(), lambda o, t: SQUARED(o, functional.one_hot(t, 5).float()))),
    "one output": ("wrong-loss", "sick", Training(
        mlp(units=1), lambda o, t: functional.cross_entropy(o, t[:, 0].long() * 0), "binary")),
    "numbers under bce": ("wrong-loss", "sick", Training(mlp(units=1), BINARY, "numbers")),
    "raw nll": ("wrong-loss", "sick", Training(mlp(), nn.NLLLoss(), steps=20)),
    "columns and rows": ("loss-broadcasts", "sick", Training(
        mlp(units=1), lambda o, t: SQUARED(o, t[:, 0]), "numbers")),
    "no activation": ("nonlinearity-missing", "sick", Training(mlp(inside=nn.Identity))),
    "in no optimizer": ("parameters-not-optimised", "warning", Training(
        mlp(), parameters=lambda net: list(net.parameters())[:2])),
    "detached": ("parameters-frozen", "sick", Training(detached)),
    "frozen": ("parameters-frozen", "sick", Training(
        frozen, parameters=lambda net: list(net[3].parameters()))),  # type: ignore[index]
    "never cleared": ("gradients-not-cleared", "sick", Training(mlp(), clear=False, rate=0.001)),
    "evaluation mode": ("evaluation-mode-in-training", "warning", Training(mlp(nn.Dropout(0.2)), mode=False)),
    "training mode": ("training-mode-in-evaluation", "warning", Training(
        mlp(nn.Dropout(0.2)), evaluate=lambda net, inputs: net(inputs))),
    "negated": ("gradient-sign-flipped", "sick", Training(mlp(), sign=-1.0)),
    "uphill": ("gradient-sign-flipped", "sick", Training(mlp(), maximize=True)),
    "uphill with adam": ("gradient-sign-flipped", "sick", Training(mlp(), maximize=True, adam=True)),
    "rate to nothing": ("scheduler-misused", "sick", Training(mlp(), schedule=lambda step: 0.5**step, rate=0.01)),
    "rate of zero": ("scheduler-misused", "sick", Training(mlp(), schedule=lambda step: 0.0)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SICK)
def test_sick_trainings_are_found(name: str, seed: int) -> None:
    disease, severity, training = SICK[name]
    assert found(training, seed).get(disease) == severity


def test_a_step_that_is_never_taken_is_found() -> None:
    net, store = mlp()(), TraceStore(None)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with Observer(net, [optimizer], store):
        for _ in range(20):
            functional.cross_entropy(net(torch.randn(8, 20)), torch.randint(5, (8,))).backward()
    assert [finding.severity for finding in DISEASES["step-missing"].find(read(store))] == ["sick"]
