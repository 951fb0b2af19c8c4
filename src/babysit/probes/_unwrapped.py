"""The network itself, within what trains it in parallel."""

from __future__ import annotations

from torch import nn


def unwrapped(network: nn.Module) -> nn.Module:
    """The network within `DataParallel` and `DistributedDataParallel`."""
    while isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        network = network.module
    return network
