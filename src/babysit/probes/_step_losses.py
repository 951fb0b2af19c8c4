"""The losses of the step under way, read as they come or left on their device."""

from __future__ import annotations

import torch
from torch import Tensor


class StepLosses:
    """Of each backward pass of a step its loss; of all of them the mean.

    A loss on a CPU is read at once, so that the first bad one is known before weights are changed by it. One
    on a GPU stays there: to read it is to wait for the device. None holds a graph.

    Attributes:
        finite: Whether the last loss is a number, as a truth on its device; None where it was read.

    Example:
        >>> losses = StepLosses()
        >>> losses.take(torch.tensor(2.0, requires_grad=True)), losses.take(4.0), losses.mean(), losses.mean()
        (2.0, 4.0, 3.0, None)
    """

    def __init__(self) -> None:
        self.finite: Tensor | None = None
        self._values: list[float | Tensor] = []

    def take(self, loss: Tensor | float, scale: float | Tensor = 1.0) -> float | None:
        """Keep a loss that was multiplied by `scale`. Returns its number, None where it was not read."""
        if isinstance(loss, Tensor):
            if isinstance(scale, Tensor):
                loss = loss.detach().reshape(()) / scale
            if loss.is_cuda:
                loss = loss.detach()
                self.finite = torch.isfinite(loss)
                self._values.append(loss)
                return None
            loss = loss.item()
        number = float(loss)
        self.finite = None
        self._values.append(number)
        return number

    def mean(self) -> float | Tensor | None:
        """Of those taken since the last call; None of none."""
        if not self._values:
            return None
        values, self._values = self._values, []
        return values[0] if len(values) == 1 else sum(values[1:], values[0]) / len(values)

    def forget(self) -> None:
        """They were not the network's."""
        self._values = []
