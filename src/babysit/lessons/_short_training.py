"""Real rows and short trainings for figures: scikit-learn's bundled sets, nothing to download."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from babysit.training import take_step

Floats = NDArray[np.float64]


@functools.cache
def two_columns() -> Floats:
    """Radius and texture of 569 tumours [569, 2]: real, of different scale, correlated."""
    from sklearn.datasets import load_breast_cancer

    inputs: Floats = load_breast_cancer(return_X_y=True)[0][:, [0, 3]]
    return inputs


@functools.cache
def digit_rows() -> Floats:
    """Handwritten digits [1797, 64], 0 to 16."""
    from sklearn.datasets import load_digits

    inputs: Floats = load_digits(return_X_y=True)[0]
    return inputs


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """Standardised digits float32 [1797, 64] and their classes."""
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    values = torch.from_numpy(inputs).float()
    return (values - values.mean()) / values.std(), torch.from_numpy(labels)


HELD = 400  # rows to score on
BATCH = 64

Make = Callable[..., Optimizer]


@dataclass(frozen=True)
class Short:
    """A short training.

    Attributes:
        losses: Of each step.
        accuracy: On rows held out, in evaluation mode.
        held_losses: On rows held out, every tenth step.
        ratios: Length of each step over that of the first layer's weights.
    """

    losses: tuple[float, ...]
    accuracy: float
    held_losses: tuple[float, ...]
    ratios: tuple[float, ...]


def train_a_little(
    network: Callable[[], nn.Module],
    optimizer: Make,
    lr: float,
    steps: int,
    *,
    rows: int | None = None,
    seed: int = 0,
    held: bool = False,
    **options: float,
) -> Short:
    """Train on the digits; global random streams are as before afterwards.

    Args:
        network: Makes it: 64 inputs, 10 outputs.
        optimizer: PyTorch's.
        lr: Its rate.
        steps: How many.
        rows: Of the training rows, only the first so many.
        seed: Of weights and order.
        held: Whether the loss on held-out rows is wanted.
        **options: The optimizer's.
    """
    inputs, labels = digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(1))
        test, train = order[:HELD], order[HELD:][:rows]
        made = network()
        weights: Iterable[Tensor] = made.parameters()
        stepper = optimizer(weights, lr=lr, **options)
        first = next(iter(made.parameters()))
        losses, held_losses, ratios = [], [], []
        for step in range(steps):
            chosen = train[torch.randint(len(train), (min(BATCH, len(train)),))]
            before = first.detach().clone()
            batch_loss = functools.partial(_loss_of, made, inputs[chosen], labels[chosen])
            losses.append(float(take_step(made, [stepper], batch_loss).loss))
            ratios.append(float((first.detach() - before).norm() / before.norm()))
            if held and step % 10 == 0:
                held_losses.append(_measured(made, inputs[test], labels[test])[0])
        _, accuracy = _measured(made, inputs[test], labels[test])
    return Short(tuple(losses), accuracy, tuple(held_losses), tuple(ratios))


def _loss_of(network: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(network(inputs), labels)


@torch.no_grad()
def _measured(network: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    network.eval()
    outputs = network(inputs)
    network.train()
    return float(functional.cross_entropy(outputs, labels)), float((outputs.argmax(1) == labels).float().mean())


def small_network(hidden: int = 64) -> nn.Module:
    """64-hidden-10 with ReLU."""
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
