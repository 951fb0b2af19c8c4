"""What a layer of many members is: a forward and a backward pass written out, over memory that is kept.

Activations of P members lie as [P, features, rows]: rows last. So the first layer of members that share a batch is one
matrix product [P * units, features] x [features, rows], every other layer a batch of products, all results contiguous
and in one layout; and the statistics of batch normalisation run along memory.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class StackedLayer(Protocol):
    """A layer of P members.

    `backward` may overwrite the gradient it is given and what `forward` returned.
    """

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[P, features, rows] to [P, units, rows]; the first layer is given [features, rows] when rows are shared."""

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """From the gradient of the outputs to that of the inputs, if it is `needed`; parameters' on the way."""


class Memory:
    """Tensors by name and shape that are asked for again at every step and made once.

    An epoch's last batch is smaller than the others: both shapes are kept.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._kept: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def get(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape, with whatever it held before."""
        found = self._kept.get((name, shape))
        if found is None:
            found = self._kept[name, shape] = torch.empty(shape, device=self._device)
        return found
