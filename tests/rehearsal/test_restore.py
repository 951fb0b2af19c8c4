"""Whatever happens within a rehearsal, everything is afterwards as it was."""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from babysit.record import InputError, NotAppliedError, RehearsalError, Remedy
from babysit.rehearsal import KINDS, LiveObjects, restored

ROWS = (torch.randn(96, 8, generator=torch.Generator().manual_seed(0)), torch.arange(96) % 3)


class Counting(nn.Module):
    """Keeps a count, a list, a tensor that is not a buffer and a cache that appears later."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 3)
        self.calls = 0
        self.seen: list[float] = []
        self.last = torch.zeros(3)

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(float(inputs.sum()))
        self.cache = inputs
        outputs: Tensor = self.layer(inputs)
        self.last.copy_(outputs[0].detach())
        return outputs


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.second.weight = self.first.weight

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(torch.relu(self.second(torch.relu(self.first(inputs)))))
        return outputs


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.out = nn.GRU(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(self.recurrent(inputs.reshape(-1, 2, 4))[0][:, -1])
        return outputs


def frozen() -> nn.Module:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    network[0].requires_grad_(False)
    network[0].eval()
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)),
    "cnn": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 2, 4)), nn.Conv2d(1, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)
    ),
    "recurrent": Recurrent,
    "tied": Tied,
    "counting": Counting,
    "frozen": frozen,
    "spectral norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 3)),
    "weight norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 3)),
    "half in double": lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)),
}


def in_groups(network: nn.Module) -> Optimizer:
    first, *others = network.parameters()
    groups: list[dict[str, Any]] = [{"params": [first], "lr": 1e-2}, {"params": others}]
    return AdamW(groups, lr=1e-3)


OPTIMIZERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "sgd": lambda network: SGD(network.parameters(), lr=0.05, momentum=0.9),
    "adam": lambda network: Adam(network.parameters(), lr=1e-3),
    "groups": lambda network: in_groups(network),
    "amsgrad": lambda network: Adam(network.parameters(), lr=torch.tensor(1e-3), amsgrad=True),
}


def loader(shuffle: bool = True, **options: Any) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(3) if shuffle else None
    return DataLoader(TensorDataset(*ROWS), 16, shuffle=shuffle, generator=generator, **options)


def train(network: nn.Module, optimizer: Optimizer, batches: Any, scheduler: Any = None) -> None:
    for inputs, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


PLAIN = (int, float, list, Tensor)


def everything(network: nn.Module, optimizer: Optimizer, batches: Any) -> dict[str, Any]:
    return copy.deepcopy(
        {
            "weights": {name: value.clone() for name, value in network.state_dict().items()},
            "gradients": [one.grad for one in network.parameters()],
            "asks": [one.requires_grad for one in network.parameters()],
            "modes": [module.training for module in network.modules()],
            "optimizer": optimizer.state_dict(),
            "torch": torch.get_rng_state(),
            "python": random.getstate(),
            "numpy": np.random.get_state()[1],  # type: ignore[index]  # noqa: NPY002
            "generator": batches.generator.get_state() if getattr(batches, "generator", None) is not None else None,
            "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()],
            "plain": [
                {
                    name: value
                    for name, value in vars(module).items()
                    if isinstance(value, PLAIN) and not name.startswith("_flat")
                }
                for module in network.modules()
            ],
            "names": [sorted(vars(module)) for module in network.modules()],
        }
    )


def same(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor):
        return isinstance(second, Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, np.ndarray):
        return bool(np.array_equal(first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(value, second[name]) for name, value in first.items())
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return bool(first == second)


def in_midst(network_name: str, optimizer_name: str) -> tuple[nn.Module, Optimizer, DataLoader[Any]]:
    torch.manual_seed(0)
    network = NETWORKS[network_name]()
    optimizer = OPTIMIZERS[optimizer_name](network)
    batches = loader()
    train(network, optimizer, batches)
    return network, optimizer, batches


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_rehearsal_leaves_no_trace(network: str, optimizer: str) -> None:
    net, opt, batches = in_midst(network, optimizer)
    before, memory = everything(net, opt, batches), [one.data_ptr() for one in net.parameters()]
    LiveObjects(net, nn.CrossEntropyLoss(), batches, opt).rehearse(8)
    assert same(before, everything(net, opt, batches))
    assert memory == [one.data_ptr() for one in net.parameters()]


@pytest.mark.parametrize("network", ["mlp", "recurrent"])
def test_training_goes_on_as_if_nobody_had_rehearsed(network: str) -> None:
    ends = []
    for rehearse in (False, True):
        net, opt, batches = in_midst(network, "adam")
        if rehearse:
            subject = LiveObjects(net, nn.CrossEntropyLoss(), batches, opt)
            subject.rehearse(5)
            subject.rehearse(5, [Remedy("tiny-batch")], probes="losses")
        train(net, opt, batches)
        ends.append(everything(net, opt, batches))
    assert same(*ends)


VALUES = {
    "activation": "tanh",
    "batch-size": "8",
    "clip-norm": "1",
    "dropout": "0.1",
    "epochs": "3",
    "initialise": "he",
    "insert-activation": "relu",
    "loss": "nll",
    "lr": "0.1",
    "lr-sweep": "1e-5:1:10",
    "lr-times": "2",
    "optimizer": "sgd",
    "tiny-batch": "8",
    "weight-decay": "0.1",
    "wider": "2",
}


@pytest.mark.parametrize("name", KINDS)
def test_every_remedy_is_taken_back(name: str) -> None:
    net, opt, batches = in_midst("mlp", "groups")
    before = everything(net, opt, batches)
    hooks = [len(module._forward_pre_hooks) + len(module._forward_hooks) for module in net.modules()]
    with contextlib.suppress(NotAppliedError):
        trace = LiveObjects(net, nn.CrossEntropyLoss(), batches, opt).rehearse(4, [Remedy(name, VALUES.get(name))])
        assert trace.series("loss").values
    assert hooks == [len(module._forward_pre_hooks) + len(module._forward_hooks) for module in net.modules()]
    assert same(before, everything(net, opt, batches))


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_also_when_it_ends_by_an_error(error: BaseException) -> None:
    net, opt, batches = in_midst("mlp", "sgd")
    before = everything(net, opt, batches)
    calls = 0

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error
        return nn.functional.cross_entropy(outputs, labels)

    kind = RehearsalError if isinstance(error, Exception) else KeyboardInterrupt
    with pytest.raises(kind) as caught:
        LiveObjects(net, loss, batches, opt).rehearse(6)
    if isinstance(caught.value, RehearsalError):
        assert caught.value.trace is not None
        assert caught.value.trace.happened("failed")[0].step == 2
        assert caught.value.__cause__ is error
    assert same(before, everything(net, opt, batches))


@pytest.mark.parametrize(
    "make",
    [lambda opt: StepLR(opt, 2), lambda opt: OneCycleLR(opt, 0.1, total_steps=50), lambda opt: ReduceLROnPlateau(opt)],
)
def test_schedulers(make: Callable[[Optimizer], LRScheduler]) -> None:
    net, opt, batches = in_midst("mlp", "sgd")
    scheduler = make(opt)
    if not isinstance(scheduler, ReduceLROnPlateau):
        train(net, opt, batches, scheduler)
    before, told = everything(net, opt, batches), copy.deepcopy(scheduler.state_dict())
    LiveObjects(net, nn.CrossEntropyLoss(), batches, opt, scheduler=scheduler).rehearse(4)
    assert same(before, everything(net, opt, batches))
    assert same(told, scheduler.state_dict())


class Stream(IterableDataset[Any]):
    def __init__(self) -> None:
        self.given = 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for row in zip(*ROWS, strict=True):
            self.given += 1
            yield row


@pytest.mark.parametrize("kind", ["workers", "persistent", "stream", "list", "sequential"])
def test_loaders_of_every_kind(kind: str) -> None:
    made: dict[str, Any] = {
        "workers": lambda: loader(num_workers=2),
        "persistent": lambda: loader(num_workers=1, persistent_workers=True),
        "stream": lambda: DataLoader(Stream(), 16),
        "list": lambda: list(loader()),
        "sequential": lambda: loader(shuffle=False),
    }
    batches = made[kind]()
    net = NETWORKS["mlp"]()
    opt = OPTIMIZERS["sgd"](net)
    running = iter(batches)
    first = next(running)
    before = everything(net, opt, batches)
    subject = LiveObjects(net, nn.CrossEntropyLoss(), batches, opt)
    once, again = (subject.rehearse(9, probes="losses").series("loss") for _ in range(2))
    assert once == again
    assert len(once.values) == 9
    assert same(before, everything(net, opt, batches))
    rest = [first, *running]  # whoever was reading goes on reading
    assert sum(len(part[1]) for part in rest) == 96
    if kind == "stream":
        assert batches.dataset.given == 96


def test_an_optimizer_with_closures_is_restored_too() -> None:
    net = NETWORKS["mlp"]()
    opt = LBFGS(net.parameters())
    with restored([net], [opt]):
        opt.step(lambda: nn.functional.mse_loss(net(ROWS[0][:8]), torch.zeros(8, 3)))
    assert not opt.state


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    net, opt, batches = in_midst("mlp", "adam")
    subject = LiveObjects(net, nn.CrossEntropyLoss(), batches, opt)
    first, second, other = (subject.rehearse(9, seed=seed, probes="losses").series("loss") for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (torch.zeros(4, 8), "does not say what the loss compares"),
        ((torch.zeros(4, 8),), "does not say"),
        ({"inputs": torch.zeros(4, 8)}, "does not say"),
    ],
)
def test_batches_that_say_too_little(batch: Any, words: str) -> None:
    net = NETWORKS["mlp"]()
    with pytest.raises(InputError, match=words):
        LiveObjects(net, nn.CrossEntropyLoss(), [batch], OPTIMIZERS["sgd"](net)).rehearse(1)


def test_batches_of_other_shapes() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(16, 3)

        def forward(self, one: Tensor, two: Tensor, labels: Tensor | None = None) -> Any:
            outputs = self.layer(torch.cat([one, two], 1))
            return outputs if labels is None else {"loss": nn.functional.cross_entropy(outputs, labels)}

    one, labels = ROWS[0][:16], ROWS[1][:16]
    net = Pair()
    opt = SGD(net.parameters(), lr=0.1)
    three = LiveObjects(net, nn.CrossEntropyLoss(), [(one, one, labels)], opt).rehearse(3)
    named = LiveObjects(net, None, [{"one": one, "two": one, "labels": labels}], opt).rehearse(3)
    own = LiveObjects(
        net, None, [labels], opt, step=lambda network, batch: nn.functional.cross_entropy(network(one, one), batch)
    ).rehearse(3)
    assert three.series("loss").values == named.series("loss").values == own.series("loss").values


def test_losses_that_are_no_number_and_no_scalar() -> None:
    net = NETWORKS["mlp"]()
    opt = SGD(net.parameters(), lr=1e30)
    trace = LiveObjects(net, nn.CrossEntropyLoss(), loader(), opt).rehearse(30, probes="losses")
    assert not np.isfinite(trace.series("loss").values[-1])
    assert all(np.isfinite(trace.series("loss").values[:-1]))
    with pytest.raises(InputError, match="the loss is 16, not one number"):
        LiveObjects(net, nn.CrossEntropyLoss(reduction="none"), loader(), opt).rehearse(1)
    with pytest.raises(InputError, match="a rehearsal of live objects always steps"):
        LiveObjects(net, nn.CrossEntropyLoss(), loader(), opt).rehearse(1, [Remedy("call-step")])
