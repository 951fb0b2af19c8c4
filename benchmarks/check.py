"""How long does a check take, and where does the time go?

`babysit.check` on live objects, step by step, on sound trainings: an MLP and a small CNN on the digits, and a ResNet-18
(He et al. 2016; the variant for 32x32 images: 3x3 stem, no pooling before the blocks) on images of 32x32 pixels. There
is no peer that does these eight steps; what is compared is the time with the promise: under 20 s for the small CNN and
under 3 min for the ResNet on two cores.

    python benchmarks/check.py [--rounds 3] [--only mlp cnn resnet]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import babysit
from _measure import quartiles, store


class Block(nn.Module):
    """Two convolutions and the way around them."""

    def __init__(self, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, wide, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(wide)
        self.second = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(wide)
        self.around: nn.Module = nn.Identity()
        if stride > 1 or channels != wide:
            self.around = nn.Sequential(nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to [N, wide, H / stride, W / stride]."""
        outputs = functional.relu(self.first_norm(self.first(inputs)))
        return functional.relu(self.second_norm(self.second(outputs)) + self.around(inputs))


def resnet() -> tuple[nn.Module, DataLoader[Any]]:
    """ResNet-18 on 32x32 images: noise around a mean image for each class."""
    widths = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
              (512, 512, 1))  # fmt: skip
    network = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *(Block(*one) for one in widths),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip
    labels = torch.arange(4000) % 10
    images = torch.randn(4000, 3, 32, 32) + 0.3 * torch.randn(10, 3, 32, 32)[labels]
    return network, DataLoader(TensorDataset(images, labels), 64, shuffle=True)


def digits() -> tuple[Tensor, Tensor]:
    """The bundled digits, standardised."""
    inputs, labels = load_digits(return_X_y=True)
    values = torch.from_numpy(inputs.astype(np.float32))
    return (values - values.mean()) / values.std(), torch.from_numpy(labels)


def mlp() -> tuple[nn.Module, DataLoader[Any]]:
    """64-100-100-10 on the digits."""
    network = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))
    return network, DataLoader(TensorDataset(*digits()), 64, shuffle=True)


def cnn() -> tuple[nn.Module, DataLoader[Any]]:
    """Two convolutions with batch norm and a hidden layer on the digits."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    inputs, labels = digits()
    return network, DataLoader(TensorDataset(inputs.reshape(-1, 1, 8, 8), labels), 64, shuffle=True)


NETWORKS: dict[str, tuple[Callable[[], tuple[nn.Module, DataLoader[Any]]], float, float]] = {
    # how it is made, the seconds that a check may take, the seconds promised
    "mlp": (mlp, 60.0, 20.0),
    "cnn": (cnn, 60.0, 20.0),
    "resnet": (resnet, 150.0, 180.0),
}


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Check one network several times, each time afresh."""
    make, seconds, promised = NETWORKS[name]
    whole: list[float] = []
    steps: dict[str, list[float]] = {}
    for number in range(rounds):
        torch.manual_seed(number)
        network, loader = make()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        start = time.perf_counter()
        report = babysit.check(network, nn.CrossEntropyLoss(), loader, optimizer, seconds=seconds, seed=number)
        whole.append(time.perf_counter() - start)
        for done in report.pre_flight.steps:
            steps.setdefault(done.name, []).append(done.seconds)
        names = [f"{finding.severity} {finding.name}" for finding in report.findings]
        print(f"{name}: {whole[-1]:.1f} s, {', '.join(names) or 'nothing found'}", flush=True)
    found = quartiles(whole)
    print(f"{name}: {found['median']:.1f} s (promised {promised:g})")
    for step, values in steps.items():
        print(f"    {step:16} {quartiles(values)['median']:6.2f} s")
    return {
        "seconds": found, "n": rounds, "promised": promised, "kept": found["median"] <= promised,
        "by step": {step: quartiles(values) for step, values in steps.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    results = {name: measure(name, arguments.rounds) for name in arguments.only}
    if arguments.only == list(NETWORKS):
        store("check", results)


if __name__ == "__main__":
    main()
