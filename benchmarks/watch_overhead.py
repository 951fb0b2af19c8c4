"""What does watching a training cost? Pair by pair in one run, beside other ways to look inside.

Every contender trains the same network on the same batches; they take turns, a chunk of steps each, and the cost is
the median over rounds of its seconds over those of training unwatched in the same round.

- `unwatched, again`: the same as what all are compared with: how far the machine's noise alone goes.
- `watch`: `babysit.watch` as it comes, with a budget of one percent.
- `watch, every step`: the same measurements at each step (overhead=None): what a sample costs.
- `gradient histograms`: as Weights & Biases' `watch` does it: a hook on every parameter that counts a 64-bin histogram
  of its gradient, each step (its own default is one step in a thousand; own formulation of what its page says).
- `forward hooks`: a hook on every layer that takes mean and standard deviation at each step and reads them.

cockpit-for-pytorch is not among them: its last release (1.0.2, 2021) asks for torchvision and, installed with today's
setuptools, does not import (`No module named 'pkg_resources'`).

    python benchmarks/watch_overhead.py [--rounds 15] [--seconds 1.0]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import babysit
from _measure import Seconds, quartiles, ratio, store
from babysit.record import silent


class Transformer(nn.Module):
    """A small causal language model on characters."""

    def __init__(self, width: int = 128, layers: int = 4, vocabulary: int = 65, length: int = 64) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.zeros(length, width))
        block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.out = nn.Linear(width, vocabulary)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T] characters to [N, C, T] logits."""
        outputs: Tensor = self.out(self.blocks(self.tokens(tokens) + self.places, mask=self.mask))
        return outputs.transpose(1, 2)


def mlp() -> tuple[nn.Module, Tensor, Tensor]:
    """784-256-128-10 with dropout, batches of 128."""
    net = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )  # fmt: skip
    return net, torch.rand(128, 784), torch.randint(0, 10, (128,))


def convnet() -> tuple[nn.Module, Tensor, Tensor]:
    """Six convolutions with batch norm on 32x32 images, batches of 64."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (32, 32, 64, 64, 128, 128):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if len(layers) % 6 == 0 or len(layers) % 7 == 6 else []
        channels = width
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    return net, torch.randn(64, 3, 32, 32), torch.randint(0, 10, (64,))


def transformer() -> tuple[nn.Module, Tensor, Tensor]:
    """Four blocks of width 128, batches of 16 x 64 characters."""
    return Transformer(), torch.randint(0, 65, (16, 64)), torch.randint(0, 65, (16, 64))


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Tensor, Tensor]]] = {
    "MLP": mlp,
    "ConvNet": convnet,
    "transformer": transformer,
}


class Trainee:
    """One contender's network with its optimizer, and whatever looks at it."""

    def __init__(self, make: Callable[[], tuple[nn.Module, Tensor, Tensor]], device: torch.device) -> None:
        torch.manual_seed(0)
        net, inputs, targets = make()
        self.net, self.inputs, self.targets = net.to(device), inputs.to(device), targets.to(device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-3)
        self.device = device

    def train(self, steps: int) -> None:
        """So many steps, and a wait for the device."""
        for _ in range(steps):
            loss = functional.cross_entropy(self.net(self.inputs), self.targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def count_gradients(trainee: Trainee) -> None:
    """A histogram of each parameter's gradient at each step."""

    def counted(gradient: Tensor) -> None:
        flat = gradient.detach().flatten().float()
        low, high = flat.min().item(), flat.max().item()
        torch.histc(flat, bins=64, min=low, max=high).tolist()

    for parameter in trainee.net.parameters():
        parameter.register_hook(counted)


def hook_layers(trainee: Trainee) -> None:
    """Mean and standard deviation of each layer's outputs at each step."""

    def measured(module: nn.Module, inputs: Any, outputs: Any) -> None:
        if isinstance(outputs, Tensor) and outputs.is_floating_point():
            values = outputs.detach()
            values.mean().item()
            values.std().item()

    for module in trainee.net.modules():
        if not list(module.children()):
            module.register_forward_hook(measured)


def contenders(make: Callable[[], tuple[nn.Module, Tensor, Tensor]], device: torch.device) -> dict[str, Trainee]:
    """Everybody, attached."""
    found = {
        name: Trainee(make, device)
        for name in (
            "unwatched",
            "unwatched, again",
            "watch",
            "watch, every step",
            "gradient histograms",
            "forward hooks",
        )
    }
    for name, overhead in (("watch", 0.01), ("watch, every step", None)):
        trainee = found[name]
        babysit.watch(trainee.net, trainee.optimizer, overhead=overhead, progress=silent).__enter__()
    count_gradients(found["gradient histograms"])
    hook_layers(found["forward hooks"])
    return found


def measure(name: str, device: torch.device, rounds: int, seconds: float) -> dict[str, Any]:
    """Ratios to training unwatched for one network."""
    trainees = contenders(NETWORKS[name], device)
    for trainee in trainees.values():
        trainee.train(20)  # past the first steps, which are always measured
    start = time.perf_counter()
    trainees["unwatched"].train(20)
    steps = max(10, round(20 * seconds / (time.perf_counter() - start)))
    taken: Seconds = {contender: [] for contender in trainees}
    for number in range(rounds):
        order = list(trainees)
        for contender in order[number % len(order) :] + order[: number % len(order)]:  # nobody is always first
            start = time.perf_counter()
            trainees[contender].train(max(5, steps // 5) if contender == "watch, every step" else steps)
            passed = time.perf_counter() - start
            taken[contender].append(
                passed * (steps / max(5, steps // 5)) if contender == "watch, every step" else passed
            )
    milliseconds = quartiles([1000 * passed / steps for passed in taken["unwatched"]])
    result: dict[str, Any] = {"device": str(device), "steps a round": steps, "n": rounds, "ms a step": milliseconds}
    print(f"{name} on {device}: {milliseconds['median']:.2f} ms a step, {rounds} rounds of {steps} steps")
    for contender in trainees:
        if contender != "unwatched":
            result[contender] = ratio(taken, contender, "unwatched")
            shown = result[contender]
            print(f"  {contender:22} {shown['median']:.4f} ({shown['low']:.4f} to {shown['high']:.4f})")
    return result


def main() -> None:
    """Every network on every device there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round of training unwatched")
    options = parser.parse_args()
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    results = {
        f"{name}, {device.type}": measure(name, device, options.rounds, options.seconds)
        for device in devices
        for name in NETWORKS
    }
    store("watch_overhead", results)


if __name__ == "__main__":
    main()
