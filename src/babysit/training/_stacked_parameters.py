"""Parameters of many members in one piece of memory: a pass over all of them is one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

LINE = 16  # floats: every parameter begins at a boundary of 64 bytes, as vector instructions like it


class StackedParameters:
    """Values and gradients of P members, parameter after parameter, within each member after member.

    Matrices and kernels come first, so that what penalties act on lies side by side.

    Args:
        members: Parameters of each member by name; all of the same names and shapes.
        device: Where they are kept.

    Attributes:
        members: P.
        names: Of the parameters, in their order in memory.
        shapes: Of one member's parameter, by name.
        values: All of them, flat.
        gradients: Of the batch, laid out like the values.
        value: [P, *shape] by name, views of `values`.
        gradient: [P, *shape] by name, views of `gradients`.

    Example:
        >>> stacked = StackedParameters([{"w": torch.ones(2, 3)}, {"w": torch.zeros(2, 3)}], torch.device("cpu"))
        >>> stacked.value["w"].shape, stacked.value["w"].sum(dim=(1, 2)).tolist()
        (torch.Size([2, 2, 3]), [6.0, 0.0])
    """

    def __init__(self, members: Sequence[Mapping[str, Tensor]], device: torch.device) -> None:
        first = members[0]
        self.members = len(members)
        self.device = device
        self.names = sorted(first, key=lambda name: first[name].ndim < 2)  # sorts are stable: else the module's order
        self.shapes = {name: tuple(first[name].shape) for name in self.names}
        self._starts: dict[str, int] = {}
        size = 0
        for name in self.names:
            self._starts[name] = size
            size += -(-self.members * math.prod(self.shapes[name]) // LINE) * LINE
        self.values = torch.zeros(size, device=device)
        self.gradients = torch.zeros(size, device=device)
        self.value = self.views(self.values)
        self.gradient = self.views(self.gradients)
        for name in self.names:
            torch.stack([member[name].detach() for member in members], out=self.value[name])

    @property
    def penalised(self) -> list[str]:
        """Matrices and kernels: what penalties act on."""
        return [name for name in self.names if len(self.shapes[name]) >= 2]

    def zeros(self) -> Tensor:
        """A piece of memory laid out like the values."""
        return torch.zeros_like(self.values)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """[P, *shape] by name of something laid out like the values."""
        return {name: self._view(flat, name, 0) for name in self.names}

    def _view(self, flat: Tensor, name: str, before: int) -> Tensor:
        shape = (self.members, *self.shapes[name])
        start = self._starts[name] - before
        return flat[start : start + math.prod(shape)].view(shape)

    def spread(self, of_members: Tensor, since: str) -> Tensor:
        """A number for each member [P] as one for each element, laid out like the values from parameter `since` on."""
        begin = self._starts[since]
        flat = torch.zeros_like(self.values[begin:])
        for name in self.names[self.names.index(since) :]:
            view = self._view(flat, name, begin)
            view.copy_(along(of_members, view).expand_as(view))
        return flat

    def since(self, flat: Tensor, name: str) -> Tensor:
        """What is laid out like the values, from that parameter on."""
        return flat[self._starts[name] :]

    def element_count(self) -> int:
        """Parameters of one member."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def along(of_members: Tensor, like: Tensor) -> Tensor:
    """[P] with as many axes as `like` [P, ...], for broadcasting."""
    return of_members.view(-1, *[1] * (like.ndim - 1))
