"""The rate of a training that changes its weights by hand: how far they move, over their gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from babysit.probes import leaves_of

LOOKS = 5  # steps that are looked at: each costs a copy of the weights
MOST = 3  # weights that are looked at
ALIKE = 1e-2  # of a movement: what may be left of it beside the rate times the gradient


class HandStepsSeen:
    """Looks at the first steps.

    Example:
        >>> weight, seen = torch.ones(2, requires_grad=True), HandStepsSeen()
        >>> rates = []
        >>> for _ in range(2):
        ...     loss = weight.square().sum()
        ...     rates.append(seen.backward_begins(loss))
        ...     loss.backward()
        ...     weight.data -= 0.25 * weight.grad
        ...     weight.grad = None
        >>> rates
        [None, 0.25]
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Tensor, Tensor, list[Tensor], Any]] = []  # a leaf, its value, its gradient, a hook
        self._looks = 0

    def backward_begins(self, loss: Tensor) -> float | None:
        """The rate of the step before; None where it was not a rate times the gradient, or is not looked at."""
        rates = [rate for one in self._kept if (rate := _rate(*one[:3])) is not None]
        self.close()
        if self._looks < LOOKS and isinstance(loss, Tensor):
            self._looks += 1
            for leaf in leaves_of(loss)[:MOST]:
                given: list[Tensor] = []
                hook = leaf.register_post_accumulate_grad_hook(lambda leaf, given=given: _keep(leaf, given))
                self._kept.append((leaf, leaf.detach().clone(), given, hook))
        if not rates or max(rates) > (1 + ALIKE) * min(rates):
            return None
        return rates[0]

    def close(self) -> None:
        """Take the hooks off."""
        for _, _, _, hook in self._kept:
            hook.remove()
        self._kept = []


def _keep(leaf: Tensor, given: list[Tensor]) -> None:
    if leaf.grad is not None:
        given[:] = [leaf.grad.detach().clone()]


@torch.no_grad()
def _rate(leaf: Tensor, before: Tensor, given: list[Tensor]) -> float | None:
    if not given:
        return None
    moved, gradient = (before - leaf).double().flatten(), given[0].double().flatten()
    length = float(gradient.dot(gradient))
    rate = float(moved.dot(gradient)) / length if length else 0.0
    if not rate > 0 or float((moved - rate * gradient).norm()) > ALIKE * float(moved.norm()):
        return None
    return float(f"{rate:.4g}")
