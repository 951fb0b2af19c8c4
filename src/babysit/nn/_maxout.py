"""Maxout: each unit is the largest of several linear pieces (Goodfellow et al. 2013, arXiv:1302.4389).

What PyTorch's own formulations keep for the backward pass is the layer's whole output, or int64 indices. Only one
byte a unit is needed: which piece won. Neither linear nor convolution keeps its output, so with the winner kept
instead, that output is freed as soon as the maximum is taken. `benchmarks/maxout.py` measures it beside the others.

Ties give the whole gradient to the first of the equal pieces, so that the gradients of a unit's pieces always add up
to the unit's gradient, and two equal pieces part at the first step instead of moving together for ever.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from babysit.record import InputError

MOST_PIECES = 255  # the winner is kept in one byte
# Numbers for each piece after the first, up to which PyTorch's own maximum is faster on a CPU: a Python function in
# the backward graph costs some 50 microseconds. Measured with 2 and 4 pieces on two cores.
SMALL = 2**16


class _LargestPiece(torch.autograd.Function):
    """Maximum over `dim`, the winner kept as one byte for the backward pass."""

    @staticmethod
    def forward(ctx: Any, apart: Tensor, dim: int) -> Tensor:
        largest, winner = _largest_and_winner(apart, dim)
        ctx.dim, ctx.pieces = dim, apart.shape[dim]
        ctx.save_for_backward(winner)
        ctx.save_for_forward(winner)
        return largest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (winner,) = ctx.saved_tensors
        # Scattering fills the result once; multiplying by a mask would make inf * 0 a NaN.
        nothing = gradient.new_zeros(_with_pieces(gradient, ctx.pieces, ctx.dim))
        return nothing.scatter_(ctx.dim, winner.long().unsqueeze(ctx.dim), gradient.unsqueeze(ctx.dim)), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _dim: None) -> Tensor:
        (winner,) = ctx.saved_tensors
        return tangent.gather(ctx.dim, winner.long().unsqueeze(ctx.dim)).squeeze(ctx.dim)


class _TransformablePiece(torch.autograd.Function):
    """The same under torch.func: PyTorch asks for a separate context there, which costs some 60 microseconds a call."""

    generate_vmap_rule = True

    @staticmethod
    def forward(apart: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        return _largest_and_winner(apart, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: tuple[Tensor, Tensor]) -> None:
        apart, ctx.dim = inputs
        ctx.pieces = apart.shape[ctx.dim]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])
        ctx.save_for_forward(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _winner: Tensor) -> tuple[Tensor, None]:
        (winner,) = ctx.saved_tensors
        # Stacked gradients cannot be written into a result that is not stacked: here nothing is written in place.
        nothing = gradient.new_zeros(()).expand(_with_pieces(gradient, ctx.pieces, ctx.dim))
        return nothing.scatter(ctx.dim, winner.long().unsqueeze(ctx.dim), gradient.unsqueeze(ctx.dim)), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _dim: None) -> tuple[Tensor, None]:
        return _LargestPiece.jvp(ctx, tangent, _dim), None


def _largest_and_winner(apart: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The maximum over the pieces, and the number of the piece that has it, in one byte."""
    pieces = apart.unbind(dim)
    largest = _largest(pieces)
    if len(pieces) == 2:
        return largest, pieces[1] > pieces[0]
    # Codes count from the last piece, so that among equal pieces the first has the highest code and wins.
    # Nothing equals a NaN; the code 1 that all begin with then gives its gradient to the last piece.
    code = torch.ones_like(largest, dtype=torch.uint8)
    for number, piece in enumerate(pieces):
        code = torch.maximum(code, (piece == largest).view(torch.uint8) * (len(pieces) - number))
    return largest, len(pieces) - code


def _with_pieces(gradient: Tensor, pieces: int, dim: int) -> tuple[int, ...]:
    return (*gradient.shape[:dim], pieces, *gradient.shape[dim:])


def _largest(pieces: Sequence[Tensor]) -> Tensor:
    return functools.reduce(torch.maximum, pieces)


def max_pieces(inputs: Tensor, pieces: int, dim: int = 1) -> Tensor:
    """The largest of each unit's pieces.

    Args:
        inputs: The pieces along `dim`: all first pieces, then all second ones, [..., pieces * units, ...].
        pieces: How many each unit has.
        dim: Where they lie, counted from the front or the back.

    Returns:
        [..., units, ...].

    Raises:
        InputError: The size along `dim` is not a multiple of `pieces`.

    Example:
        >>> max_pieces(torch.tensor([[1.0, 5.0, 3.0, 2.0]]), pieces=2)
        tensor([[3., 5.]])
    """
    if has_torch_function_unary(inputs):
        return handle_torch_function(max_pieces, (inputs,), inputs, pieces, dim)
    position = dim % inputs.ndim
    if inputs.shape[position] % pieces:
        raise InputError(
            f"{inputs.shape[position]} numbers along dimension {dim} cannot be shared by {pieces} pieces",
            legal=f"a multiple of {pieces}",
        )
    units = inputs.shape[position] // pieces
    apart = inputs.reshape(*inputs.shape[:position], pieces, units, *inputs.shape[position + 1 :])
    if inputs.device.type == "cpu" and inputs.numel() <= SMALL * (pieces - 1):
        return apart.max(position).values  # among equal pieces it, too, takes the first
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        if torch._C._are_functorch_transforms_active():
            return _TransformablePiece.apply(apart, position)[0]  # type: ignore[no-any-return, no-untyped-call]
        return _LargestPiece.apply(apart, position)  # type: ignore[no-any-return, no-untyped-call]
    return _largest(apart.unbind(position))


torch.fx.wrap("max_pieces")  # symbolic tracing takes it as one step


class MaxPieces(nn.Module):
    """The largest of each unit's pieces, as a module to put after a layer that is `pieces` times as wide.

    Args:
        pieces: Linear pieces a unit, 2 to 255.
        dim: Where they lie: 1 for [N, features] and images, -1 for [..., features].

    Shapes:
        Input [..., pieces * units, ...], output [..., units, ...].

    Example:
        >>> MaxPieces(3)(torch.arange(6.0).view(1, 6))
        tensor([[4., 5.]])
    """

    def __init__(self, pieces: int = 2, dim: int = 1) -> None:
        super().__init__()
        self.pieces = checked_pieces(pieces)
        self.dim = dim

    def forward(self, inputs: Tensor) -> Tensor:
        """The largest pieces."""
        return max_pieces(inputs, self.pieces, self.dim)

    def extra_repr(self) -> str:
        """Pieces and dimension."""
        return f"pieces={self.pieces}, dim={self.dim}"


class Maxout(nn.Module):
    """A dense layer of maxout units: max over `pieces` of w x + b.

    Source: Goodfellow et al. 2013, Maxout Networks, arXiv:1302.4389. Ties go to the first of the equal pieces.

    Args:
        in_features: Numbers in.
        out_features: Units out.
        pieces: Linear pieces a unit, 2 to 255.
        bias: Whether the pieces have a b.

    Shapes:
        Input [..., in_features], output [..., out_features]. `linear.weight` is [pieces * out_features, in_features],
        all first pieces before all second ones.

    Raises:
        InputError: Fewer than 2 pieces or more than 255.

    Example:
        >>> Maxout(4, 3, pieces=2)(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2, *, bias: bool = True) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.pieces = checked_pieces(pieces)
        self.linear = nn.Linear(in_features, pieces * out_features, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Units out."""
        return max_pieces(self.linear(inputs), self.pieces, -1)


class MaxoutConv2d(nn.Module):
    """A convolution whose every output channel is the largest of several channels.

    Source: Goodfellow et al. 2013, Maxout Networks, arXiv:1302.4389. Ties go to the first of the equal pieces.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: As `torch.nn.Conv2d` takes it, like `stride`, `padding` and `dilation`.
        stride: Step of the kernel.
        padding: Border added.
        dilation: Step within the kernel.
        pieces: Linear pieces a unit, 2 to 255.
        bias: Whether the pieces have a b.

    Shapes:
        Input [N, in_channels, H, W], output [N, out_channels, H', W'] with H', W' as `torch.nn.Conv2d` gives them.

    Raises:
        InputError: Fewer than 2 pieces or more than 255.

    Example:
        >>> MaxoutConv2d(3, 8, 3, padding=1)(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        pieces: int = 2,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.pieces = checked_pieces(pieces)
        self.conv = nn.Conv2d(in_channels, pieces * out_channels, kernel_size, stride, padding, dilation, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Channels out."""
        return max_pieces(self.conv(inputs), self.pieces, -3)


def checked_pieces(pieces: int) -> int:
    """The number, when a maxout unit can have so many pieces."""
    if not 2 <= pieces <= MOST_PIECES:
        raise InputError(
            f"a maxout unit cannot have {pieces} pieces",
            legal=f"2 to {MOST_PIECES}",
            cause="one piece is a linear unit",
        )
    return pieces
