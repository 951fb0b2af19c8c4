"""Workers of a loader that draw the same random numbers or give the same rows, and live objects that are tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from babysit.rehearsal import Examination, LiveObjects
from tests.scripts.test_dependence import LENGTH, Attention, seen, tokens
from tests.scripts.test_perturbed import Texts, padded_rows


class Noisy(Dataset[tuple[Tensor, Tensor]]):
    """Rows with noise, drawn in different ways."""

    def __init__(self, how: str) -> None:
        self.rows, self.how = torch.randn(16, 3), how
        self.generator = np.random.default_rng(0)

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row = self.rows[index]
        if self.how == "a generator of its own":
            row = row + torch.as_tensor(self.generator.normal(size=3), dtype=torch.float32)
        elif self.how == "numpy":
            row = row + torch.as_tensor(np.random.normal(size=3), dtype=torch.float32)  # noqa: NPY002  users do
        elif self.how == "torch":
            row = row + torch.randn(3)
        elif self.how == "by the row's number":
            row = row + torch.as_tensor(np.random.default_rng(index).normal(size=3), dtype=torch.float32)
        return row, row[:2].clone()


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    def __init__(self, *, shared: bool) -> None:
        self.rows, self.shared = torch.randn(64, 3), shared

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        apart = (worker.id, worker.num_workers) if worker is not None and self.shared else (0, 1)
        for row in self.rows[apart[0] :: apart[1]]:
            yield row, row[:2]


def one_seed(number: int) -> None:
    torch.manual_seed(0)


def seed_by_worker(number: int) -> None:
    np.random.seed(torch.initial_seed() % 2**32)  # noqa: NPY002  users do


LOADERS: dict[str, tuple[Callable[[], DataLoader[Any]], bool]] = {
    "a generator of its own": (lambda: DataLoader(Noisy("a generator of its own"), 4, num_workers=2), True),
    "one seed for all": (lambda: DataLoader(Noisy("torch"), 4, num_workers=2, worker_init_fn=one_seed), True),
    "a stream, whole": (lambda: DataLoader(Stream(shared=False), 4, num_workers=2), True),
    "numpy": (lambda: DataLoader(Noisy("numpy"), 4, num_workers=2), False),
    "numpy, seeded": (lambda: DataLoader(Noisy("numpy"), 4, num_workers=2, worker_init_fn=seed_by_worker), False),
    "torch": (lambda: DataLoader(Noisy("torch"), 4, shuffle=True, num_workers=2), False),
    "by the row's number": (lambda: DataLoader(Noisy("by the row's number"), 4, num_workers=2), False),
    "no noise": (lambda: DataLoader(Noisy(""), 4, num_workers=2, worker_init_fn=one_seed), False),
    "a stream, shared out": (lambda: DataLoader(Stream(shared=True), 4, num_workers=2), False),
    "one process": (lambda: DataLoader(Noisy("a generator of its own"), 4), False),
}


@pytest.mark.parametrize(("make", "sick"), LOADERS.values(), ids=LOADERS)
def test_workers(make: Callable[[], DataLoader[Any]], sick: bool) -> None:
    def program() -> None:
        net = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for rows, wanted in make():
            optimizer.zero_grad()
            functional.mse_loss(net(rows), wanted).backward()
            optimizer.step()

    assert set(seen(program)) == ({"workers-repeat"} if sick else set())


# Live objects.


class Dropping(nn.Module):
    def __init__(self, *, by_mode: bool) -> None:
        super().__init__()
        self.first, self.last, self.by_mode = nn.Linear(3, 16), nn.Linear(16, 2), by_mode

    def forward(self, rows: Tensor) -> Tensor:
        answers: Tensor = self.last(functional.dropout(self.first(rows), 0.4, self.training or not self.by_mode))
        return answers


def flat(answers: Tensor, wanted: Tensor) -> Tensor:
    return functional.cross_entropy(answers.reshape(-1, answers.shape[-1]), wanted.reshape(-1))


def languages(causal: bool) -> tuple[nn.Module, Callable[..., Tensor], Any]:
    batches = [(ids[:, :-1], ids[:, 1:]) for ids in (tokens(12, LENGTH) for _ in range(4))]
    return Attention(causal=causal), flat, batches


def texts(how: str) -> tuple[nn.Module, Callable[..., Tensor], Any]:
    batches = [(ids, ids[:, 0] % 3) for ids, _ in (padded_rows() for _ in range(4))]
    return Texts(how), nn.CrossEntropyLoss(), batches


def conflicting(honest: bool) -> tuple[nn.Module, Callable[..., Tensor], Any]:
    rows = torch.randn(32, 20)
    labels = torch.randint(0, 2, (4, 32))
    batches = [(rows[at : at + 16], labels[0 if honest else turn][at : at + 16]) for turn in range(4) for at in (0, 16)]
    return nn.Linear(20, 2), nn.CrossEntropyLoss(), batches


LIVE: dict[str, tuple[Callable[[], tuple[nn.Module, Callable[..., Tensor], Any]], set[str]]] = {
    "no mask": (lambda: languages(False), {"future-leaks"}),
    "causal": (lambda: languages(True), set()),
    "attention without a mask": (lambda: texts("attention, first"), {"padding-counts"}),
    "attention with a mask": (lambda: texts("attention, masked, first"), set()),
    "labels that conflict": (lambda: conflicting(False), {"targets-conflict"}),
    "labels": (lambda: conflicting(True), set()),
    "dropout that is never off": (
        lambda: (Dropping(by_mode=False), nn.MSELoss(), [(torch.randn(16, 3), torch.randn(16, 2))]),
        {"evaluation-not-repeatable"},
    ),
    "dropout": (lambda: (Dropping(by_mode=True), nn.MSELoss(), [(torch.randn(16, 3), torch.randn(16, 2))]), set()),
    "workers": (
        lambda: (nn.Linear(3, 2), nn.MSELoss(), LOADERS["a generator of its own"][0]()),
        {"workers-repeat"},
    ),
}


@pytest.mark.parametrize(("make", "wanted"), LIVE.values(), ids=LIVE)
def test_live_objects(make: Callable[[], tuple[nn.Module, Callable[..., Tensor], Any]], wanted: set[str]) -> None:
    torch.manual_seed(0)
    network, loss, loader = make()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    examination = Examination(LiveObjects(network, loss, loader, optimizer), steps=3)
    found = {one.name for one in examination.findings}
    known = {"future-leaks", "padding-counts", "targets-conflict", "evaluation-not-repeatable", "workers-repeat"}
    assert found & known == wanted
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network._forward_hooks
    assert not network._forward_pre_hooks
