"""Loader workers, and a process of its own that trains, too: both forked."""

import multiprocessing
import sys
import warnings

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# Forking a process with threads is what this program is about.
warnings.simplefilter("ignore", DeprecationWarning)


def steps(number: int) -> float:
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 3), torch.randn(64, 1)
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=16, num_workers=number)
    for rows, wanted in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(net(rows), wanted).backward()
        optimizer.step()
    return float(net.weight.detach().sum())


def child(pipe: "multiprocessing.connection.Connection") -> None:
    torch.set_num_threads(1)
    pipe.send((steps(0), type(nn.Module).__name__, nn.Module.__call__.__module__))


if __name__ == "__main__":
    print(steps(2))
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(there,))
    process.start()
    print(here.recv())
    process.join()
    print(process.exitcode)
    sys.exit(3)
