"""Inputs brought to scale on their way into the network, in training and in evaluation alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from babysit.record import InputError, Remedy

IMAGE = 4  # dimensions from which on the second one holds channels
TINY = 1e-8
ROWS = 2048  # that statistics are taken from; of smaller batches, several


class InputChanges:
    """Centres, standardises, scales or completes the first input of the network.

    Statistics come from the first rows that are trained on, and stand once there are enough of them.
    """

    takes = frozenset({"centre-inputs", "standardise-inputs", "scale-inputs", "impute-inputs"})

    def __init__(self) -> None:
        self._names: list[str] = []
        self._seen: list[Tensor] = []
        self._rows = 0
        self._shift: Tensor | None = None
        self._scale: Tensor | None = None
        self._mean: Tensor | None = None

    def add(self, remedy: Remedy) -> None:
        """Take one."""
        self._names.append(remedy.name)

    def begin(self, network: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """At the first pass: every later one goes through a hook.

        Raises:
            InputError: What enters the network is no floating tensor.
        """
        if not self._names:
            return None
        if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].is_floating_point():
            raise InputError("the network is not given numbers that could be scaled")
        changed = self._changed(network, arguments)
        network.register_forward_pre_hook(self._changed)
        return changed

    def _changed(self, network: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        if not arguments or not isinstance(arguments[0], Tensor):
            return arguments
        inputs = arguments[0]
        with torch.no_grad():
            if torch.is_grad_enabled() or self._shift is None:
                self._learn(inputs)
        if "impute-inputs" in self._names and self._mean is not None:
            inputs = torch.where(inputs.isfinite(), inputs, self._mean)
        if self._shift is not None and self._scale is not None:
            inputs = (inputs - self._shift) / self._scale
        return (inputs, *arguments[1:])

    def _learn(self, inputs: Tensor) -> None:
        if self._rows >= ROWS:
            return
        self._seen.append(inputs.detach())
        self._rows += len(inputs)
        values = torch.cat(self._seen).double()
        axes = [axis for axis in range(values.ndim) if axis != (1 if values.ndim >= IMAGE else values.ndim - 1)]
        axes = axes if values.ndim > 1 else [0]
        finite = values.isfinite()
        count = finite.sum(axes, keepdim=True).clamp_min(1)
        known = torch.where(finite, values, 0.0)
        mean = known.sum(axes, keepdim=True) / count
        std = (torch.where(finite, values - mean, 0.0).square().sum(axes, keepdim=True) / count).sqrt()
        low = torch.where(finite, values, torch.inf).amin(axes, keepdim=True)
        high = torch.where(finite, values, -torch.inf).amax(axes, keepdim=True)
        self._mean = mean.to(inputs.dtype)
        if "standardise-inputs" in self._names:
            shift, scale = mean, torch.where(std > TINY, std, 1.0)
        elif "scale-inputs" in self._names:
            shift, scale = low, torch.where(high - low > TINY, high - low, 1.0)
        elif "centre-inputs" in self._names:
            shift, scale = mean, torch.ones_like(mean)
        else:
            return
        self._shift, self._scale = shift.to(inputs.dtype), scale.to(inputs.dtype)
        if self._rows >= ROWS:
            self._seen.clear()
