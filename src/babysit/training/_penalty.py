"""What keeps weights small: L2, L1, decoupled decay, longest norm. On weights alone, never biases or normalisation.

A penalty in the loss needs no autograd: its gradient is written down and added to the gradients, which costs one pass
over the weights. `value()` is what the penalty adds to the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from babysit.record import RegularisationSection


def weights_of(network: nn.Module) -> list[Tensor]:
    """The parameters that penalties act on: matrices and kernels, that is everything with two or more axes."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2 and parameter.requires_grad]


class Penalty:
    """The penalties of a recipe on a network.

    Half l2 w^2 (so that the gradient is l2 w) and l1 |w|, as in CS231n's notes 2.
    """

    def __init__(self, section: RegularisationSection, network: nn.Module) -> None:
        self._weights = weights_of(network)
        self._l2 = section.l2 if section.l2_mode == "loss" else 0.0
        self._l1 = section.l1
        self._decay = section.l2 if section.l2_mode == "decoupled" else 0.0
        self._max_norm = section.max_norm

    @property
    def in_loss(self) -> bool:
        """Whether anything is added to the loss."""
        return bool(self._weights and (self._l2 or self._l1))

    @property
    def decays(self) -> bool:
        """Whether `before_step` does anything."""
        return bool(self._weights and self._decay)

    @property
    def limits(self) -> bool:
        """Whether `after_step` does anything."""
        return bool(self._weights and self._max_norm is not None)

    @torch.no_grad()
    def value(self) -> Tensor:
        """What is added to the loss: a scalar."""
        total = torch.zeros((), device=self._weights[0].device if self._weights else None)
        for weight in self._weights:
            if self._l2:
                flat = weight.flatten()
                total = total + 0.5 * self._l2 * torch.dot(flat, flat)  # one pass, where squares would be a second
            if self._l1:
                total = total + self._l1 * weight.abs().sum()
        return total

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add the penalty's gradient to the gradients of the batch; at |w| = 0 the L1 gradient is taken as 0."""
        pairs = [(weight, weight.grad) for weight in self._weights if weight.grad is not None]
        if not pairs:
            return
        weights, gradients = [weight for weight, _ in pairs], [gradient for _, gradient in pairs]
        if self._l2:
            torch._foreach_add_(gradients, weights, alpha=self._l2)
        if self._l1:
            torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=self._l1)

    @torch.no_grad()
    def before_step(self, lr: float) -> None:
        """Decoupled decay: w <- (1 - lr l2) w (Loshchilov and Hutter 2019, algorithm 2)."""
        if self.decays:
            torch._foreach_mul_(self._weights, 1 - lr * self._decay)

    @torch.no_grad()
    def after_step(self) -> None:
        """Scale back each unit whose incoming weights are longer than max_norm (Srivastava et al. 2014)."""
        if self._max_norm is not None:
            for weight in self._weights:
                weight.copy_(weight.flatten(1).renorm(2, 0, self._max_norm).view_as(weight))
