"""Nonlinearities of many members: what differs by element alone, so that stacked tensors need no thought.

Backward passes are PyTorch's own, written into the gradient they are given.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from babysit.nn import MaxPieces
from babysit.training._stacked_layer import Memory

_aten = torch.ops.aten
# From (gradient, inputs, outputs, module) to the gradient of the inputs, in place where PyTorch can.
Backward = Callable[[Tensor, Tensor, Tensor, nn.Module], Tensor]
Forward = Callable[[Tensor, nn.Module], Tensor]


def _relu(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.threshold_backward.grad_input(gradient, outputs, 0, grad_input=gradient)
    return result


def _tanh(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.tanh_backward.grad_input(gradient, outputs, grad_input=gradient)
    return result


def _sigmoid(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.sigmoid_backward.grad_input(gradient, outputs, grad_input=gradient)
    return result


def _leaky(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    slope = module.negative_slope
    result: Tensor = _aten.leaky_relu_backward.grad_input(gradient, inputs, slope, False, grad_input=gradient)
    return result


def _elu(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.elu_backward(gradient, module.alpha, 1.0, 1.0, False, inputs)
    return result


def _selu(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.elu_backward(gradient, SELU_ALPHA, SELU_SCALE, 1.0, False, inputs)
    return result


def _gelu(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.gelu_backward(gradient, inputs, approximate=module.approximate)
    return result


def _silu(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.silu_backward.grad_input(gradient, inputs, grad_input=gradient)
    return result


def _mish(gradient: Tensor, inputs: Tensor, outputs: Tensor, module: nn.Module) -> Tensor:
    result: Tensor = _aten.mish_backward(gradient, inputs)
    return result


# Klambauer et al. 2017, appendix A1, as PyTorch writes them.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
BACKWARD: dict[type[nn.Module], Backward] = {
    nn.ReLU: _relu, nn.Tanh: _tanh, nn.Sigmoid: _sigmoid, nn.LeakyReLU: _leaky, nn.ELU: _elu, nn.SELU: _selu,
    nn.GELU: _gelu, nn.SiLU: _silu, nn.Mish: _mish,
}  # fmt: skip
# The outputs alone tell the gradient: the inputs may be overwritten.
IN_PLACE: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: torch.relu_, nn.Tanh: torch.tanh_, nn.Sigmoid: torch.sigmoid_,
}  # fmt: skip


class StackedActivation:
    """A nonlinearity without parameters.

    Args:
        module: Of any member: all have the same.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._in_place = IN_PLACE.get(type(module))
        self._backward = BACKWARD[type(module)]
        self._inputs = self._outputs = torch.empty(0)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Element by element."""
        self._inputs = inputs
        outputs: Tensor = self._in_place(inputs) if self._in_place is not None else self._module(inputs)
        self._outputs = outputs
        return self._outputs

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Times the slope."""
        return self._backward(gradient, self._inputs, self._outputs, self._module)


class StackedPReLU:
    """`nn.PReLU` of P members with one slope each.

    Args:
        slope: [P, 1].
        gradient: Where its gradient goes.
    """

    def __init__(self, slope: Tensor, gradient: Tensor) -> None:
        self._slope, self._gradient = slope, gradient
        self._inputs = slope

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """x, or slope x below 0."""
        self._inputs = inputs
        slope = self._slope.view(-1, *[1] * (inputs.ndim - 1))
        return torch.where(inputs > 0, inputs, inputs * slope)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """The slope's gradient is the sum of those that came through below 0."""
        slope = self._slope.view(-1, *[1] * (gradient.ndim - 1))
        below = self._inputs <= 0
        parts = torch.where(below, self._inputs * gradient, 0.0)
        torch.sum(parts.flatten(1), dim=1, keepdim=True, out=self._gradient)
        return torch.where(below, gradient * slope, gradient)


class StackedMaxPieces:
    """`MaxPieces` of P members: the largest of each unit's pieces; of equal ones the first.

    Args:
        module: Of any member.
    """

    def __init__(self, module: MaxPieces) -> None:
        self._pieces: int = module.pieces
        self._winner = torch.empty(0)
        self._memory: Memory | None = None

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[P, pieces * units, ...] to [P, units, ...]."""
        apart = inputs.unflatten(1, (self._pieces, -1))
        largest: Tensor = apart[:, 0]
        for piece in range(1, self._pieces):
            largest = torch.maximum(largest, apart[:, piece])
        if training:
            # argmax would take any of equal pieces.
            winner = torch.full(largest.shape, self._pieces - 1, dtype=torch.int64, device=inputs.device)
            for piece in reversed(range(self._pieces - 1)):
                winner.masked_fill_(apart[:, piece] == largest, piece)
            self._winner = winner
        return largest

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """The whole gradient to the piece that won."""
        shape = (gradient.shape[0], self._pieces, *gradient.shape[1:])
        if self._memory is None:
            self._memory = Memory(gradient.device)
        spread = self._memory.get("gradient", shape).zero_()
        spread.scatter_(1, self._winner.unsqueeze(1), gradient.unsqueeze(1))
        return spread.flatten(1, 2)
