"""Batch normalisation of many members: statistics of each, along memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from babysit.training._stacked_layer import Memory

_aten = torch.ops.aten


class StackedBatchNorm:
    """`nn.BatchNorm1d` or, on [P, channels, rows * pixels], `nn.BatchNorm2d` of P members.

    With rows last, normalising a feature over the batch is what layer normalisation does to a row: its kernels, which
    pass over memory in order, do the work. The running variance is PyTorch's, over n - 1.

    Args:
        module: Of any member, for its options.
        scale: [P, features].
        shift: [P, features].
        scale_gradient: Where the scale's gradient goes.
        shift_gradient: Where the shift's goes.
        running_mean: [P, features], brought up to date.
        running_variance: [P, features], brought up to date.
        batches: int64 [P], counted up.
    """

    def __init__(
        self, module: nn.BatchNorm1d | nn.BatchNorm2d, scale: Tensor, shift: Tensor,
        scale_gradient: Tensor, shift_gradient: Tensor,
        running_mean: Tensor, running_variance: Tensor, batches: Tensor,
    ) -> None:  # fmt: skip
        assert module.momentum is not None
        self._momentum, self._epsilon = module.momentum, module.eps
        self._scale, self._shift = scale, shift
        self._scale_gradient, self._shift_gradient = scale_gradient, shift_gradient
        self._mean, self._variance, self._batches = running_mean, running_variance, batches
        self._memory = Memory(scale.device)
        self._inputs = self._normalised = self._batch_mean = self._batch_rstd = scale

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[P, features, rows] normalised over the batch, or by the running statistics."""
        if not training:
            factor = self._scale * torch.rsqrt(self._variance + self._epsilon)
            return torch.addcmul((self._shift - self._mean * factor).unsqueeze(2), inputs, factor.unsqueeze(2))
        count = inputs.shape[2]
        shape = tuple(inputs.shape)
        self._inputs = inputs
        normalised, mean, rstd = (
            self._memory.get("normalised", shape),
            self._memory.get("mean", (*shape[:2], 1)),
            self._memory.get("rstd", (*shape[:2], 1)),
        )
        _aten.native_layer_norm.out(inputs, [count], None, None, self._epsilon, out0=normalised, out1=mean, out2=rstd)
        self._normalised, self._batch_mean, self._batch_rstd = normalised, mean, rstd
        self._mean.lerp_(mean.squeeze(2), self._momentum)
        variance = rstd.squeeze(2).pow(-2).sub_(self._epsilon).clamp_(min=0.0)
        self._variance.lerp_(variance.mul_(count / (count - 1)), self._momentum)
        self._batches += 1
        return torch.addcmul(
            self._shift.unsqueeze(2), normalised, self._scale.unsqueeze(2), out=self._memory.get("outputs", shape)
        )

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Through scale and shift, then through mean and variance."""
        torch.sum(gradient, dim=2, out=self._shift_gradient)
        # What was returned is not needed any more: it holds the product.
        product = torch.mul(gradient, self._normalised, out=self._memory.get("outputs", tuple(gradient.shape)))
        torch.sum(product, dim=2, out=self._scale_gradient)
        gradient *= self._scale.unsqueeze(2)
        result: Tensor = _aten.native_layer_norm_backward(
            gradient, self._inputs, [gradient.shape[2]], self._batch_mean, self._batch_rstd, None, None,
            [True, False, False],
        )[0]  # fmt: skip
        return result
