"""Real problems whose best constant rate can be found by brute force: data, network, optimizer, length of training."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

Make = Callable[[Iterable[nn.Parameter]], Optimizer]
Rows = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        data: Gives inputs and targets, shuffled.
        network: Makes the network, from the global random stream.
        optimizer: From parameters; its rate is set later.
        epochs: Of a full training.
        batch_size: Rows a batch.
        low: Lowest rate worth trying in full.
        high: Highest.
    """

    data: Callable[[], Rows]
    network: Callable[[], nn.Module]
    optimizer: Make
    epochs: int
    batch_size: int = 64
    low: float = 1e-5
    high: float = 10.0


def _rows(inputs: object, targets: object, most: int = 6000) -> Rows:
    values = torch.tensor(np.asarray(inputs), dtype=torch.float32)
    wanted = torch.tensor(np.asarray(targets))
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))[:most]
    values, wanted = values[order], wanted[order]
    flat = values.flatten(1)
    values = ((flat - flat.mean(0)) / flat.std(0).clamp_min(1e-6)).reshape(values.shape)
    if wanted.is_floating_point():
        wanted = ((wanted - wanted.mean()) / wanted.std()).float()[:, None]
    return values, wanted


def _mnist() -> Rows:
    with np.load(_folder() / "mnist70k.npz") as content:
        return _rows(content["x_train"][:6000, None] / 255, content["y_train"][:6000].astype(np.int64))


def _california() -> Rows:
    import polars

    table = polars.read_csv(_folder() / "california_housing.csv").drop_nulls()
    target = table["median_house_value"].cast(polars.Float64).to_numpy()
    return _rows(table.select(polars.selectors.numeric()).drop("median_house_value").to_numpy(), target)


def _folder() -> pathlib.Path:
    return pathlib.Path(os.environ["BABYSIT_DATA"])


def mlp(inputs: int, outputs: int, *, norm: bool = False, act: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Two hidden layers of 64."""
    layers: list[nn.Module] = [nn.Flatten()]
    for wide in (inputs, 64):
        layers += [nn.Linear(wide, 64), *[nn.BatchNorm1d(64)] * norm, act()]
    return nn.Sequential(*layers, nn.Linear(64, outputs))


def cnn(channels: int = 1) -> nn.Module:
    """Two convolutions, pooled to a mean."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


def digits() -> Rows:
    return _rows(*load_digits(return_X_y=True))


def digit_images() -> Rows:
    inputs, labels = load_digits(return_X_y=True)
    return _rows(inputs.reshape(-1, 1, 8, 8), labels)


def digits_again() -> Rows:
    """Digits as inputs and as targets."""
    inputs, _ = digits()
    return inputs, inputs


class RowsReader(nn.Module):
    """A GRU that reads a picture row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(8, 48, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, 8, 8] to [N, 10]."""
        outputs, _ = self.recurrent(images[:, 0])
        return self.head(outputs[:, -1])  # type: ignore[no-any-return]


def bottleneck(width: int) -> nn.Module:
    """Down to eight numbers and up again."""
    return nn.Sequential(
        nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, width)
    )


def sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return SGD(parameters, lr=0.01)


def momentum(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return SGD(parameters, lr=0.01, momentum=0.9)


PROBLEMS: dict[str, Problem] = {
    "digits, MLP, SGD": Problem(digits, lambda: mlp(64, 10), sgd, 20),
    "digits, MLP, momentum": Problem(digits, lambda: mlp(64, 10), momentum, 20),
    "digits, MLP, Adam": Problem(digits, lambda: mlp(64, 10), Adam, 20),
    "digits, tanh MLP, AdamW": Problem(digits, lambda: mlp(64, 10, act=nn.Tanh), AdamW, 20),
    "digits, MLP with batch norm, SGD": Problem(digits, lambda: mlp(64, 10, norm=True), sgd, 20),
    "digits, CNN, Adam": Problem(digit_images, cnn, Adam, 20),
    "wine, MLP, Adam": Problem(lambda: _rows(*load_wine(return_X_y=True)), lambda: mlp(13, 3), Adam, 40, 16),
    "breast-cancer, MLP, momentum": Problem(
        lambda: _rows(*load_breast_cancer(return_X_y=True)), lambda: mlp(30, 2), momentum, 30, 32
    ),
    "diabetes, MLP, Adam": Problem(lambda: _rows(*load_diabetes(return_X_y=True)), lambda: mlp(10, 1), Adam, 40, 32),
    "california, MLP, RMSprop": Problem(_california, lambda: mlp(8, 1), RMSprop, 10, 64),
    "MNIST, CNN, Adam": Problem(_mnist, cnn, Adam, 5),
    "MNIST, MLP, momentum": Problem(_mnist, lambda: mlp(784, 10), momentum, 6),
    "iris, MLP, Adam": Problem(lambda: _rows(*load_iris(return_X_y=True)), lambda: mlp(4, 3), Adam, 40, 16),
    "iris, linear, SGD": Problem(lambda: _rows(*load_iris(return_X_y=True)), lambda: nn.Linear(4, 3), sgd, 40, 16),
    "breast-cancer, linear, SGD": Problem(
        lambda: _rows(*load_breast_cancer(return_X_y=True)), lambda: nn.Linear(30, 2), sgd, 30, 32
    ),
    "diabetes, MLP, SGD": Problem(lambda: _rows(*load_diabetes(return_X_y=True)), lambda: mlp(10, 1), sgd, 40, 32),
    "breast-cancer, tanh MLP, AdamW": Problem(
        lambda: _rows(*load_breast_cancer(return_X_y=True)), lambda: mlp(30, 2, act=nn.Tanh), AdamW, 30, 32
    ),
    "digits, linear, momentum": Problem(digits, lambda: nn.Linear(64, 10), momentum, 20),
    "digits, GRU, Adam": Problem(digit_images, RowsReader, Adam, 15),
    "digits, bottleneck, Adam": Problem(digits_again, lambda: bottleneck(64), Adam, 20),
}
