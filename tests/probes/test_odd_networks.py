"""Networks and loops of unusual make: all work, or are named as unseen."""

import gc
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from babysit.probes import Observer
from babysit.record import Trace, TraceStore


def observe(net: nn.Module, forward: Callable[[], Tensor], steps: int = 8, **options: object) -> Trace:
    """SGD on whatever the forward pass gives."""
    store = TraceStore(None)
    optimizer = torch.optim.SGD([found for found in net.parameters() if found.requires_grad], lr=0.01)
    with Observer(net, [optimizer], store, overhead=None):
        for _ in range(steps):
            optimizer.zero_grad()
            forward().backward()
            optimizer.step()
    store.flush()
    return store.read()


class Pair(NamedTuple):
    logits: Tensor
    extra: Tensor


class TuplesAndDicts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, batch: dict[str, Tensor], *, scale: Tensor) -> Pair:
        hidden = self.inner(batch["inputs"]).relu()
        return Pair(self.out(hidden) * scale, hidden)


def test_tuples_dicts_and_keywords() -> None:
    net = TuplesAndDicts()
    trace = observe(net, lambda: net({"inputs": torch.randn(8, 4)}, scale=torch.ones(1)).logits.square().mean())
    assert [layer.name for layer in trace.layers] == ["inner", "relu", "out"]
    assert trace.facts["batch-size"] == "8"
    assert trace.facts["loss"] == "other"


def test_data_parallel_is_looked_through() -> None:
    net = nn.DataParallel(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)))
    trace = observe(net, lambda: net(torch.randn(8, 4)).square().mean())
    assert [layer.name for layer in trace.layers] == ["0", "1", "2"]


def test_sparse_gradients() -> None:
    net = nn.Sequential(nn.Embedding(50, 4, sparse=True), nn.Flatten(), nn.Linear(12, 1))
    trace = observe(net, lambda: net(torch.randint(0, 50, (8, 3))).square().mean())
    assert trace.series("update-ratio", layer="0").values[-1] > 0
    assert trace.series("gradient-norm", layer="0").values[-1] > 0


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_blocks(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.block = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Dropout(0.5))

        def forward(self, inputs: Tensor) -> Tensor:
            found = checkpoint(self.block, self.first(inputs), use_reentrant=reentrant)
            assert isinstance(found, Tensor)
            return found

    weights = []
    for watched in (False, True):
        torch.manual_seed(0)
        net = Checkpointed()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        observer = Observer(net, [optimizer], TraceStore(None), overhead=None)
        if watched:
            observer.attach()
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
        observer.detach()
        weights.append([parameter.detach().clone() for parameter in net.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_a_scripted_network_is_named() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.out = torch.jit.script(nn.Linear(4, 4)), nn.Linear(4, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.out(self.inner(inputs))
            return outputs

    with pytest.warns(DeprecationWarning, match="script"):
        net = Outer()
    trace = observe(net, lambda: net(torch.randn(8, 4)).square().mean())
    assert [event.layer for event in trace.happened("unseen")] == ["inner"]


def test_frozen_forgotten_and_unreached_parameters() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 1))
    next(net.parameters()).requires_grad_(False)
    store = TraceStore(None)
    kept = [found for name, found in net.named_parameters() if not name.startswith("1.")]
    optimizer = torch.optim.SGD(kept, lr=0.01)
    second = torch.optim.SGD([kept[2]], lr=0.01)
    with Observer(net, [optimizer, second], store, overhead=None):
        for _ in range(8):
            optimizer.zero_grad()
            net(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
            second.step()
    store.flush()
    trace = store.read()
    assert [event.layer for event in trace.happened("parameter-frozen")] == ["0.weight"]
    assert {event.layer for event in trace.happened("parameter-not-optimised")} == {"1.weight", "1.bias"}
    assert [event.layer for event in trace.happened("parameter-in-two-optimizers")] == ["2.weight"]
    assert len(trace.series("loss").steps) == 8


def test_left_over_gradients_and_missing_steps() -> None:
    net, store = nn.Sequential(nn.Linear(4, 1)), TraceStore(None)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with Observer(net, [optimizer], store, overhead=None):
        for _ in range(4):
            net(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
    store.flush()
    assert all(length > 0 for length in store.read().series("left-over-gradient").values)
    store = TraceStore(None)
    with Observer(net, [optimizer], store, overhead=None):
        for _ in range(4):
            net(torch.randn(8, 4)).square().mean().backward()
    store.flush()
    assert len(store.read().happened("step-missing")) == 1


def test_modes_are_noticed() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    net.eval()
    trace = observe(net, lambda: net(torch.randn(8, 4)).square().mean())
    assert trace.series("evaluation-mode-share").values[-1] == 1.0
    net.train()

    def evaluated_first() -> Tensor:
        with torch.no_grad():
            net(torch.randn(8, 4))
        outputs: Tensor = net(torch.randn(8, 4))
        return outputs.square().mean()

    assert observe(net, evaluated_first).series("training-mode-evaluations").values[-1] > 0


def test_memory_does_not_grow_with_steps() -> None:
    net = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(net.parameters())

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(found), Tensor) for found in gc.get_objects())

    def train(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            functional.cross_entropy(net(torch.randn(8, 16)), torch.randint(0, 3, (8,))).backward()
            optimizer.step()

    with Observer(net, [optimizer], TraceStore(None), overhead=None):
        train(250)  # the windows over batches are full by then
        before = tensors()
        train(100)
        assert tensors() <= before + 2


def test_two_networks_watched_at_once() -> None:
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)) for _ in range(2)]
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in nets]
    stores = [TraceStore(None), TraceStore(None)]
    generator, critic = nets

    def rounds() -> Iterator[None]:
        for _ in range(4):
            for net, optimizer in zip(nets, optimizers, strict=True):
                optimizer.zero_grad()
                net(torch.randn(8, 4)).square().mean().backward()
                optimizer.step()
            yield

    with (
        Observer(generator, [optimizers[0]], stores[0], overhead=None),
        Observer(critic, [optimizers[1]], stores[1], overhead=None),
    ):
        for _ in rounds():
            pass
    for store in stores:
        store.flush()
        assert store.read().series("update-ratio", layer="0").steps == (0, 1, 2, 3)
