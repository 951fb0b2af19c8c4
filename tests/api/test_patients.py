"""Patients: real trainings with one fault each, which must be named, beside healthy ones, which must not."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import babysit
from babysit.api import Watch
from babysit.record import silent
from tests.api.test_watch import digits, names

# One seed in the quick gate, five by `make test-slow`.
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
Change = Callable[[nn.Sequential], None]


class Patient(NamedTuple):
    """How a training differs from the sound one: 64-64-64-10 on the digits, batches of 64, SGD with momentum."""

    disease: str
    network: Change | None = None
    activation: type[nn.Module] = nn.ReLU
    depth: int = 2
    inputs: Callable[[Tensor], Tensor] = lambda inputs: inputs
    lr: float = 0.05
    batch: int = 64
    epochs: int = 3
    rows: int = 1797
    shuffled: bool = True
    classes: tuple[int, ...] = tuple(range(10))
    batch_norm: bool = False
    dropout: float = 0.0


def weights(change: Callable[[Tensor], object]) -> Change:
    def changed(net: nn.Sequential) -> None:
        with torch.no_grad():
            for layer in net:
                if isinstance(layer, nn.Linear):
                    change(layer.weight)

    return changed


def last(change: Callable[[nn.Linear], object]) -> Change:
    def changed(net: nn.Sequential) -> None:
        layer = net[-1]
        assert isinstance(layer, nn.Linear)
        with torch.no_grad():
            change(layer)

    return changed


def dead(net: nn.Sequential) -> None:
    layer = net[0]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.bias[:56] = -50.0


def symmetric(net: nn.Sequential) -> None:
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.weight, 0.05)
            nn.init.zeros_(layer.bias)


def broken(inputs: Tensor) -> Tensor:
    inputs = inputs.clone()
    inputs[::50, 3] = torch.nan
    return inputs


PATIENTS = [
    Patient("inputs-not-finite", inputs=broken),
    Patient("inputs-badly-scaled", inputs=lambda inputs: inputs * 1600),
    Patient("inputs-not-centred", inputs=lambda inputs: inputs + 20),
    Patient("batches-not-shuffled", shuffled=False),
    Patient("labels-imbalanced", classes=(0, 1), rows=300, inputs=lambda inputs: inputs * 0 + torch.rand_like(inputs)),
    Patient("batch-too-small", batch=2, batch_norm=True, rows=300, epochs=1),
    Patient("weights-symmetric", symmetric),
    Patient("activations-vanish", weights(lambda weight: nn.init.normal_(weight, std=0.01)), nn.Tanh, depth=8),
    Patient("activations-explode", weights(lambda weight: nn.init.normal_(weight, std=1.0)), depth=6, lr=1e-9),
    Patient("gradients-vanish", activation=nn.Sigmoid, depth=8),
    Patient("units-saturated", weights(lambda weight: nn.init.normal_(weight, std=1.0)), nn.Tanh, depth=6),
    Patient("units-dead", dead),
    Patient("initial-loss-off", last(lambda layer: layer.weight.mul_(200))),
    Patient("dropout-too-high", dropout=0.97, epochs=6),
    Patient("learning-rate-too-high", lr=20.0),
    Patient("learning-rate-too-low", lr=1e-7),
    Patient("diverged", lr=1e4),
    Patient("stuck-at-chance", weights(lambda weight: nn.init.zeros_(weight)), epochs=8),
    Patient("nonlinearity-missing", activation=nn.Identity),
]


def train(patient: Patient, seed: int) -> Watch:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for _ in range(patient.depth):
        layers += [nn.Linear(64, 64), *([nn.BatchNorm1d(64)] if patient.batch_norm else []), patient.activation()]
        layers += [nn.Dropout(patient.dropout)] if patient.dropout else []
    net = nn.Sequential(*layers, nn.Linear(64, 10))
    if patient.network is not None:
        patient.network(net)
    inputs, labels = digits()
    inputs = patient.inputs(inputs[: patient.rows])
    labels = labels[: patient.rows]
    if len(patient.classes) == 2:
        labels = (torch.rand(len(labels)) < 0.03).long()
    optimizer = torch.optim.SGD(net.parameters(), lr=patient.lr, momentum=0.9)
    with babysit.watch(net, optimizer, overhead=0.3, progress=silent, on_not_finite="stop") as w:
        for _ in range(patient.epochs):
            order = torch.randperm(len(inputs)) if patient.shuffled else labels.argsort()
            for rows in order.split(patient.batch):
                optimizer.zero_grad()
                functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
                optimizer.step()
    return w


HEALTHY = {
    "as it is": Patient(""),
    "tanh": Patient("", activation=nn.Tanh),
    "batch norm, deep": Patient("", batch_norm=True, depth=8),
    "batches of 16": Patient("", batch=16, epochs=1),
    "dropout": Patient("", dropout=0.3, epochs=5),
    "whole numbers from 0 to 16": Patient("", inputs=lambda inputs: inputs * 16, lr=0.005),
    "standardised": Patient("", inputs=lambda inputs: (inputs - inputs.mean(0)) / (inputs.std(0) + 0.1)),
    "He": Patient("", weights(lambda weight: nn.init.kaiming_normal_(weight)), depth=5),
    "full batch": Patient("", batch=1797, epochs=60),
    "ELU": Patient("", activation=nn.ELU),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.disease)
def test_the_fault_is_named(patient: Patient, seed: int) -> None:
    findings = train(patient, seed).findings
    assert patient.disease in {finding.name for finding in findings}, [finding.name for finding in findings]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_twin_is_let_be(name: str, seed: int) -> None:
    assert names(train(HEALTHY[name], seed).findings) == set()
