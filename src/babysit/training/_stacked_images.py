"""Layers of convolutional networks for one member of many, forward and backward written out.

Convolutions of one member fill a core: members are computed one after the other, with channels last in memory (on CPUs
a third to a half faster than channels first, by the measurements in `_layouts.py`), without a graph of operations, and
with what they share fetched once: the batch, and the patches that a first convolution takes from it.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

_aten = torch.ops.aten
CHANNELS_LAST = torch.channels_last


class Unit(Protocol):
    """A layer of one member. `backward` may overwrite the gradient it is given."""

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[rows, channels, height, width], or [rows, features]."""

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """To the inputs' gradient, if it is `needed`; parameters' on the way."""


class Patches:
    """What a 3x3 (or other) kernel sees at each place of a batch, cut once for all members.

    Worth it for images of few channels, which convolution kernels made for many compute slowly.

    Args:
        layer: The network's first.

    Attributes:
        layer: The same.
        sides: Height and width of what it gives.
    """

    FEW = 4  # channels

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer
        self._of: Tensor | None = None
        self._rows = torch.empty(0)
        self.sides = (0, 0)

    @classmethod
    def suit(cls, layer: nn.Module) -> bool:
        """Whether a layer's patches are worth cutting."""
        return isinstance(layer, nn.Conv2d) and layer.in_channels <= cls.FEW and layer.dilation == (1, 1)

    def of(self, inputs: Tensor) -> Tensor:
        """[rows * places, kernel height * kernel width * channels]."""
        if self._of is inputs:
            return self._rows
        (high, wide), (down, right) = self.layer.kernel_size, self.layer.stride
        up, left = (int(side) for side in self.layer.padding)
        padded = functional.pad(inputs.permute(0, 2, 3, 1), (0, 0, left, left, up, up))
        windows = padded.unfold(1, high, down).unfold(2, wide, right)  # [rows, h, w, channels, high, wide]
        self.sides = (windows.shape[1], windows.shape[2])
        self._of = inputs
        self._rows = windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, high * wide * inputs.shape[1])
        return self._rows


class Convolution:
    """`nn.Conv2d`.

    Args:
        layer: Its options.
        weight: [units, channels, height, width].
        bias: [units], or None.
        weight_gradient: Where the weights' gradient goes.
        bias_gradient: Where the biases' goes.
        patches: Of the batch that all members share, for a first layer.
    """

    def __init__(
        self, layer: nn.Conv2d, weight: Tensor, bias: Tensor | None, weight_gradient: Tensor,
        bias_gradient: Tensor | None, patches: Patches | None,
    ) -> None:  # fmt: skip
        self._options = (layer.stride, layer.padding, layer.dilation)
        self._weight, self._bias = weight, bias
        self._weight_gradient, self._bias_gradient = weight_gradient, bias_gradient
        self._patches = patches
        self._inputs = weight

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """The kernel at each place."""
        self._inputs = inputs
        if self._patches is None:
            stride, padding, dilation = self._options
            return torch.conv2d(inputs, self._weight, self._bias, stride, padding, dilation)
        rows = self._patches.of(inputs)
        kernel = self._weight.permute(2, 3, 1, 0).reshape(rows.shape[1], -1)
        made = rows @ kernel if self._bias is None else torch.addmm(self._bias, rows, kernel)
        return made.view(inputs.shape[0], *self._patches.sides, -1).permute(0, 3, 1, 2)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """As PyTorch computes it, or from the patches."""
        if self._patches is not None and not needed:
            flat = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])
            units, channels, high, wide = self._weight.shape
            found = flat.t() @ self._patches.of(self._inputs)
            self._weight_gradient.copy_(found.view(units, high, wide, channels).permute(0, 3, 1, 2))
            if self._bias_gradient is not None:
                torch.sum(flat, dim=0, out=self._bias_gradient)
            return None
        stride, padding, dilation = self._options
        given, weight, bias = _aten.convolution_backward(
            gradient, self._inputs, self._weight, [len(self._weight)], stride, padding, dilation, False, [0, 0], 1,
            [needed, True, self._bias is not None],
        )  # fmt: skip
        self._weight_gradient.copy_(weight)
        if self._bias_gradient is not None:
            self._bias_gradient.copy_(bias)
        result: Tensor | None = given if needed else None
        return result


class Normalisation:
    """`nn.BatchNorm2d`.

    Args:
        layer: Its options.
        scale: [channels].
        shift: [channels].
        scale_gradient: Where the scale's gradient goes.
        shift_gradient: Where the shift's goes.
        running_mean: Brought up to date.
        running_variance: Brought up to date.
        batches: Counted up; int64 with one element.
    """

    def __init__(
        self, layer: nn.BatchNorm2d, scale: Tensor, shift: Tensor, scale_gradient: Tensor, shift_gradient: Tensor,
        running_mean: Tensor, running_variance: Tensor, batches: Tensor,
    ) -> None:  # fmt: skip
        self._momentum, self._epsilon = layer.momentum, layer.eps
        self._scale, self._shift = scale, shift
        self._gradients = (scale_gradient, shift_gradient)
        self._mean, self._variance, self._batches = running_mean, running_variance, batches
        self._kept: tuple[Tensor, Tensor, Tensor] = (scale, scale, scale)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Normalised over the batch, or by the running statistics."""
        result, mean, deviation = _aten.native_batch_norm(
            inputs, self._scale, self._shift, self._mean, self._variance, training, self._momentum, self._epsilon
        )
        if training:
            self._batches += 1
            self._kept = (inputs, mean, deviation)
        outputs: Tensor = result
        return outputs

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Through scale and shift, mean and variance."""
        inputs, mean, deviation = self._kept
        given, scale, shift = _aten.native_batch_norm_backward(
            gradient, inputs, self._scale, self._mean, self._variance, mean, deviation, True, self._epsilon,
            [True, True, True],
        )  # fmt: skip
        for place, found in zip(self._gradients, (scale, shift), strict=True):
            place.copy_(found)
        result: Tensor = given
        return result


class LargestOfWindow:
    """`nn.MaxPool2d`."""

    def __init__(self, layer: nn.MaxPool2d) -> None:
        pairs = [
            (side, side) if isinstance(side, int) else tuple(side)
            for side in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        ]
        self._options = (*pairs, layer.ceil_mode)
        self._inputs = self._places = torch.empty(0)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """The largest of each window."""
        result, places = _aten.max_pool2d_with_indices(inputs, *self._options)
        self._inputs, self._places = inputs, places
        outputs: Tensor = result
        return outputs

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """To the place that was largest."""
        result: Tensor = _aten.max_pool2d_with_indices_backward(gradient, self._inputs, *self._options, self._places)
        return result


class MeanOfImage:
    """`nn.AdaptiveAvgPool2d(1)`."""

    def __init__(self) -> None:
        self._shape = torch.Size()

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[rows, channels, 1, 1]."""
        self._shape = inputs.shape
        return inputs.mean(dim=(2, 3), keepdim=True)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """The same share to each place."""
        share = gradient / (self._shape[2] * self._shape[3])
        return share.expand(self._shape).contiguous(memory_format=CHANNELS_LAST)


class Flat:
    """`nn.Flatten`."""

    def __init__(self) -> None:
        self._shape = torch.Size()

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[rows, channels * height * width], channels first as in PyTorch."""
        self._shape = inputs.shape
        return inputs.flatten(1)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Back to the image's shape."""
        return gradient.reshape(self._shape).contiguous(memory_format=CHANNELS_LAST)


class Dense:
    """`nn.Linear`.

    Args:
        weight: [units, features].
        bias: [units], or None.
        weight_gradient: Where the weights' gradient goes.
        bias_gradient: Where the biases' goes.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, weight_gradient: Tensor, bias_gradient: Tensor | None
    ) -> None:
        self._weight, self._bias = weight, bias
        self._weight_gradient, self._bias_gradient = weight_gradient, bias_gradient
        self._inputs = weight

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """x W' + b."""
        self._inputs = inputs
        return functional.linear(inputs, self._weight, self._bias)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """dW = g' x, db = g summed over rows, dx = g W."""
        torch.mm(gradient.t(), self._inputs, out=self._weight_gradient)
        if self._bias_gradient is not None:
            torch.sum(gradient, dim=0, out=self._bias_gradient)
        return gradient @ self._weight if needed else None


class Chain:
    """Layers one after the other; nothing before the first with parameters needs a gradient, if it is the network's.

    Args:
        units: In their order.
    """

    def __init__(self, units: list[Unit]) -> None:
        self._units = units

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Through all."""
        for unit in self._units:
            inputs = unit.forward(inputs, training)
        return inputs

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Through all, from the last."""
        for place in range(len(self._units) - 1, -1, -1):
            result = self._units[place].backward(gradient, needed or place > 0)
            if result is None:
                return None
            gradient = result
        return gradient


class Sum:
    """A branch beside a short cut, added before a nonlinearity: `ResidualBlock`.

    Args:
        branch: The long way.
        shortcut: The short one; None passes the inputs.
        after: The nonlinearity.
    """

    def __init__(self, branch: Unit, shortcut: Unit | None, after: Unit) -> None:
        self._branch, self._shortcut, self._after = branch, shortcut, after

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """The sum through the nonlinearity."""
        beside = inputs if self._shortcut is None else self._shortcut.forward(inputs, training)
        return self._after.forward(self._branch.forward(inputs, training) + beside, training)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Both ways."""
        given = self._after.backward(gradient, True)
        assert given is not None
        beside = given.clone() if self._shortcut is None else self._shortcut.backward(given.clone(), needed)
        through = self._branch.backward(given, needed)
        return None if through is None or beside is None else through.add_(beside)
