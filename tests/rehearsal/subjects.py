"""Trainings to check: sound ones, and ones with a known fault, on the digits and the diabetes set."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

CROSS_ENTROPY = nn.CrossEntropyLoss()


@dataclass
class Given:
    """What `babysit.check` is given."""

    network: nn.Module
    loss: Callable[..., Tensor]
    loader: Iterable[Any]
    optimizer: Optimizer | Callable[..., Optimizer]


def digits() -> tuple[Tensor, Tensor]:
    inputs, labels = load_digits(return_X_y=True)
    return torch.tensor(inputs / 16).float(), torch.tensor(labels)


def diabetes(standardised: bool = True) -> tuple[Tensor, Tensor]:
    inputs, targets = (torch.tensor(part).float() for part in load_diabetes(return_X_y=True))
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    return inputs, ((targets - targets.mean()) / targets.std() if standardised else 100 * targets)[:, None]


def loader_of(inputs: Tensor, targets: Tensor, *, shuffle: bool = True, batch_size: int = 64) -> DataLoader[Any]:
    return DataLoader(TensorDataset(inputs, targets), batch_size, shuffle=shuffle)


def mlp(
    inputs: int = 64, outputs: int = 10, *, act: type[nn.Module] = nn.ReLU, dropout: float = 0.0, norm: bool = False
) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(inputs, 100)]
    layers += [nn.BatchNorm1d(100)] * norm + [act(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(100, 100), act(), nn.Linear(100, outputs))


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.ReLU()
        )
        self.out = nn.Linear(512, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        result: Tensor = self.out(self.features(inputs.reshape(-1, 1, 8, 8)).flatten(1))
        return result


class Recurrent(nn.Module):
    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(8, 48, batch_first=batch_first)
        self.out = nn.Linear(48, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs, _ = self.recurrent(inputs.reshape(-1, 8, 8))
        result: Tensor = self.out(outputs[:, -1])
        return result


def with_zeros(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return network


def given(network: nn.Module, *, lr: float = 1e-3, kind: type[Optimizer] = torch.optim.Adam, **options: Any) -> Given:
    make: Any = kind
    loader = options.pop("loader", None) or loader_of(*digits())
    loss = options.pop("loss", CROSS_ENTROPY)
    return Given(network, loss, loader, make(network.parameters(), lr=lr, **options))


SGD, ADAMW = torch.optim.SGD, torch.optim.AdamW

SOUND: dict[str, Callable[[], Given]] = {
    "mlp, adam": lambda: given(mlp()),
    "mlp, sgd": lambda: given(mlp(), lr=0.1, kind=SGD),
    "mlp, momentum": lambda: given(mlp(), lr=0.02, kind=SGD, momentum=0.9),
    "mlp, tanh": lambda: given(mlp(act=nn.Tanh), lr=3e-3),
    "mlp, batch norm, dropout, decay": lambda: given(mlp(norm=True, dropout=0.5), kind=ADAMW, weight_decay=0.01),
    "cnn": lambda: given(Convolutional(), lr=3e-3),
    "lstm": lambda: given(Recurrent(batch_first=True), lr=3e-3),
    "regression": lambda: given(mlp(10, 1), lr=3e-3, loss=nn.MSELoss(), loader=loader_of(*diabetes())),
    "linear regression": lambda: given(
        nn.Linear(10, 1), lr=0.05, kind=SGD, loss=nn.MSELoss(), loader=loader_of(*diabetes())
    ),
    "smoothed labels": lambda: given(mlp(), loss=nn.CrossEntropyLoss(label_smoothing=0.1)),
}


def sorted_rows() -> DataLoader[Any]:
    inputs, labels = digits()
    order = labels.argsort(stable=True)
    return loader_of(inputs[order], labels[order], shuffle=False)


def with_nan() -> DataLoader[Any]:
    inputs, labels = digits()
    inputs[700] = torch.nan
    return loader_of(inputs, labels)


def negative(outputs: Tensor, labels: Tensor) -> Tensor:
    return -nn.functional.cross_entropy(outputs, labels)


def deep_sigmoid() -> nn.Module:
    layers = [layer for _ in range(8) for layer in (nn.Linear(64, 64), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def partly_optimised() -> Given:
    network = mlp()
    return Given(network, CROSS_ENTROPY, loader_of(*digits()), torch.optim.Adam(network[0].parameters()))


# The fault, what is given, and the step that must not pass.
SICK: dict[str, tuple[Callable[[], Given], str]] = {
    "learning-rate-too-high": (lambda: given(mlp(), lr=30.0, kind=SGD), "short-training"),
    "learning-rate-too-low": (lambda: given(mlp(), lr=1e-6, kind=SGD), "short-training"),
    "double-softmax": (lambda: given(nn.Sequential(mlp(), nn.Softmax(1))), "wiring"),
    "weights-symmetric": (lambda: given(with_zeros(mlp())), "init"),
    "activations-vanish": (lambda: given(deep_sigmoid(), lr=0.1, kind=SGD), "init"),
    "batches-not-shuffled": (lambda: given(mlp(), loader=sorted_rows()), "data"),
    "inputs-not-finite": (lambda: given(mlp(), loader=with_nan()), "data"),
    "targets-badly-scaled": (
        lambda: given(mlp(10, 1), lr=1e-2, kind=SGD, loss=nn.MSELoss(), loader=loader_of(*diabetes(False))),
        "data",
    ),
    "loss-broadcasts": (
        lambda: given(mlp(10, 1), loss=nn.MSELoss(), loader=loader_of(diabetes()[0], diabetes()[1][:, 0])),
        "wiring",
    ),
    "rows-mixed": (lambda: given(Recurrent(batch_first=False), lr=3e-3), "wiring"),
    "batch-fails": (lambda: given(mlp(63)), "wiring"),
    "labels-out-of-range": (lambda: given(mlp(outputs=9)), "data"),
    "weight-decay-too-strong": (lambda: given(mlp(), lr=0.1, kind=SGD, weight_decay=1.0), "overfit-tiny"),
    "dropout-too-high": (lambda: given(mlp(dropout=0.97)), "short-training"),
    "gradient-sign-flipped": (lambda: given(mlp(), loss=negative), "wiring"),
    "parameters-not-optimised": (partly_optimised, "wiring"),
}
