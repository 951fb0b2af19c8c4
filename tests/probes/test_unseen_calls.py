"""What a forward pass does that no layer's hook shows: and that a linear network is claimed of linear ones alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.diseases import DISEASES
from babysit.probes import Observer
from babysit.record import Trace, TraceStore


class Straight(torch.autograd.Function):
    """A sign forwards, the identity backwards: no mode of PyTorch sees it."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return values.sign()

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        return gradients[0]


def rectified_in_place(values: Tensor) -> Tensor:
    values = values.clone()
    values[values < 0] = 0
    return values


BENT: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "times its own sign": lambda values: values * (values > 0),
    "masked": lambda values: values.masked_fill(values < 0, 0),
    "set to zero": rectified_in_place,
    "largest of a pair": lambda values: values.view(-1, 8, 2).max(2).values.repeat(1, 2),
    "a function of one's own": lambda values: Straight.apply(values),  # type: ignore[no-untyped-call]
    "squared": lambda values: values**2,
    "normed": lambda values: functional.normalize(values, dim=1),
}
LINEAR: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda values: values,
    "scaled": lambda values: 0.5 * values + 1,
    "reshaped": lambda values: values.view(-1, 4, 4).flatten(1),
    "averaged": lambda values: values - values.mean(1, keepdim=True),
}


class Between(nn.Module):
    def __init__(self, call: Callable[[Tensor], Tensor], frozen: bool) -> None:
        super().__init__()
        self.first, self.last, self.call = nn.Linear(6, 16), nn.Linear(16, 3), call
        self.first.requires_grad_(not frozen)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.call(self.first(inputs)))  # type: ignore[no-any-return]


def watched(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 12, more: Any = None) -> Trace:
    store = TraceStore(None)
    with Observer(network, [optimizer], store, overhead=None):
        for _ in range(steps):
            inputs, targets = torch.randn(16, 6), torch.randint(0, 3, (16,))
            optimizer.zero_grad()
            functional.cross_entropy(network(inputs), targets).backward()
            optimizer.step()
        if more is not None:
            more()
    store.flush()
    return store.read()


def trained(call: Callable[[Tensor], Tensor], frozen: bool) -> Trace:
    torch.manual_seed(0)
    network = Between(call, frozen)
    return watched(network, torch.optim.SGD([one for one in network.parameters() if one.requires_grad], lr=0.01))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", BENT)
def test_what_bends_is_seen_behind_trained_and_frozen_layers(name: str, frozen: bool) -> None:
    assert DISEASES["nonlinearity-missing"].find(trained(BENT[name], frozen)) == []


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_network_stays_one(name: str, frozen: bool) -> None:
    (finding,) = DISEASES["nonlinearity-missing"].find(trained(LINEAR[name], frozen))
    assert finding.severity == "sick"


class InAList(nn.Module):
    """Layers that PyTorch is not told of."""

    def __init__(self, known: bool) -> None:
        super().__init__()
        layers = [nn.Linear(6, 16), nn.Linear(16, 16)]
        self.hidden = nn.ModuleList(layers) if known else layers
        self.last = nn.Linear(16, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.hidden:
            inputs = layer(inputs).relu()
        return self.last(inputs)  # type: ignore[no-any-return]


def test_layers_in_a_plain_list_are_in_no_optimizer() -> None:
    torch.manual_seed(0)
    network = InAList(known=False)
    (finding,) = DISEASES["parameters-not-optimised"].find(watched(network, torch.optim.SGD(network.parameters(), 0.1)))
    assert finding.evidence["parameters in no optimizer"] == 4
    assert finding.severity == "warning"


def test_unless_the_optimizer_was_given_them_or_the_list_is_one_of_modules() -> None:
    torch.manual_seed(0)
    for network in (InAList(known=False), InAList(known=True)):
        parameters = [*network.last.parameters(), *(one for layer in network.hidden for one in layer.parameters())]
        trace = watched(network, torch.optim.SGD(parameters, 0.1))
        assert DISEASES["parameters-not-optimised"].find(trace) == []


@pytest.mark.parametrize("stepped", [True, False])
def test_a_head_that_is_replaced_and_has_an_optimizer_of_its_own(stepped: bool) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    first = torch.optim.SGD(network.parameters(), lr=0.1)

    def second_phase() -> None:
        network[2] = nn.Linear(16, 3)
        second = torch.optim.SGD(network[2].parameters(), lr=0.1) if stepped else first
        for _ in range(12):
            second.zero_grad()
            functional.cross_entropy(network(torch.randn(16, 6)), torch.randint(0, 3, (16,))).backward()
            second.step()

    found = DISEASES["parameters-not-optimised"].find(watched(network, first, more=second_phase))
    assert [finding.severity for finding in found] == ([] if stepped else ["warning"])


def test_nothing_that_could_be_learned_is_in_the_optimizer() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network[0].requires_grad_(False)
    network[2] = nn.Linear(16, 3)
    (finding,) = DISEASES["parameters-not-optimised"].find(watched(network, optimizer))
    assert finding.severity == "sick"


@pytest.mark.parametrize(("momentum", "expected"), [(0.1, ""), (0.0005, "sick")])
def test_running_statistics_are_compared_with_the_batches_own(momentum: float, expected: str) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(16, momentum=momentum)
    network = nn.Sequential(nn.Linear(6, 16), norm, nn.ReLU(), nn.Linear(16, 3))
    with torch.no_grad():
        network[0].weight.mul_(20)  # type: ignore[operator]
    trace = watched(network, torch.optim.SGD(network.parameters(), lr=0.01), steps=110)
    found = DISEASES["batch-norm-statistics-stale"].find(trace)
    assert [finding.severity for finding in found] == ([expected] if expected else [])
    ratio = trace.series("running-std-ratio", layer="1").values
    assert (0.7 < ratio[-1] < 1.4) == (not expected)
