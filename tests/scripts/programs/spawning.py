"""Processes that import this file anew: loader workers and one that trains."""

import sys

import torch
import torch.multiprocessing as multiprocessing
from torch import nn
from torch.utils.data import DataLoader, Dataset

print("imported as", "main" if __name__ == "__main__" else __name__, file=sys.stderr)


class Rows(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([float(index % 5), 1.0]), torch.tensor([float(index % 2)])


def train(net: nn.Module, workers: int) -> float:
    torch.set_num_threads(1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    context = "spawn" if workers else None
    for rows, wanted in DataLoader(Rows(), batch_size=8, num_workers=workers, multiprocessing_context=context):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(rows), wanted).backward()
        optimizer.step()
    return float(sum(parameter.detach().sum() for parameter in net.parameters()))


def child(rank: int, net: nn.Module) -> None:
    train(net, 0)


if __name__ == "__main__":
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    print(train(net, 1))
    net.share_memory()
    multiprocessing.spawn(child, (net,), nprocs=1)  # type: ignore[attr-defined, no-untyped-call]
    print(float(sum(parameter.detach().sum() for parameter in net.parameters())))
