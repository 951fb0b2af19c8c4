"""What is done to the inputs on their way into the network, in training and in evaluation alike."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from babysit.record import InputError
from babysit.remedies._application import Application
from babysit.remedies._hooks import Hooks

Scaling = Literal["centre", "standardise", "range", "varying"]
IMAGE = 4  # dimensions from which on the second one holds channels
TINY = 1e-8
ROWS = 2048  # that statistics are taken from; of smaller batches, several


class AtInputs:
    """Centres, standardises, scales or completes the first input of the network.

    Statistics come from the first rows that are trained on, and stand once there are enough of them.
    """

    def __init__(self) -> None:
        self._scaling: tuple[Scaling, Application] | None = None
        self._imputes: Application | None = None
        self._seen: list[Tensor] = []
        self._rows = 0
        self._shift: Tensor | None = None
        self._scale: Tensor | None = None
        self._mean: Tensor | None = None
        self._constant = False  # whether a feature does not vary
        self._last: tuple[Tensor, Tensor] | None = None  # a batch as it came, and as it was changed

    def scale(self, how: Scaling, application: Application) -> None:
        """Bring every feature to scale: `varying` sets those that do not vary to 0 and leaves the others."""
        self._scaling = how, application

    def impute(self, application: Application) -> None:
        """Put the mean of a feature's finite numbers in the place of what is missing or infinite."""
        self._imputes = application

    def begin(self, network: nn.Module, arguments: tuple[Any, ...], hooks: Hooks) -> None:
        """At the first pass: this one and every later one goes through a hook.

        Raises:
            InputError: What enters the network is not a tensor of floating numbers.
        """
        if self._scaling is None and self._imputes is None:
            return
        if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].is_floating_point():
            raise InputError("the network is not given numbers that could be scaled")
        hooks.before(network, lambda module, given: self.changed(given))

    def changed(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as the network is to have them."""
        if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].is_floating_point():
            return arguments
        inputs = arguments[0]
        if self._last is not None and self._last[0] is inputs:
            return (self._last[1], *arguments[1:])
        if torch.is_grad_enabled() or self._mean is None:
            self.learn(inputs)
        if self._imputes is not None and self._mean is not None:
            finite = inputs.isfinite()
            if not bool(finite.all()):
                self._imputes.took_hold()
            inputs = torch.where(finite, inputs, self._mean)
        if self._scaling is not None and self._shift is not None and self._scale is not None:
            if self._scaling[0] != "varying" or self._constant:
                self._scaling[1].took_hold()
            inputs = (inputs - self._shift) / self._scale
        self._last = arguments[0], inputs
        return (inputs, *arguments[1:])

    @torch.no_grad()
    def learn(self, inputs: Tensor) -> None:
        """Take statistics from a batch, unless there were rows enough."""
        if self._rows >= ROWS or not inputs.ndim:
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
        if self._scaling is not None:
            how = self._scaling[0]
            zero, one = torch.zeros_like(mean), torch.ones_like(mean)
            shift, scale = {
                "centre": (mean, one),
                "standardise": (mean, torch.where(std > TINY, std, 1.0)),
                "range": (low, torch.where(high - low > TINY, high - low, 1.0)),
                "varying": (torch.where(std > TINY, zero, mean), one),
            }[how]
            self._constant = bool((std <= TINY).any())
            self._shift, self._scale = shift.to(inputs.dtype), scale.to(inputs.dtype)
        if self._rows >= ROWS:
            self._seen.clear()
