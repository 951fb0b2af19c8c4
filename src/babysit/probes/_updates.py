"""The true update: what the optimizer's step did to the weights, from the weights before and after it.

Nothing is assumed of the optimizer: momentum, Adam's scaling, weight decay, clipping and loss scaling are in the
weights already. The copy of the weights is also the last good one, should the next loss be no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from babysit.probes._numbers import as_float


class Snapshot:
    """Copies of tensors, made into the same memory again and again."""

    def __init__(self) -> None:
        self._copies: dict[str, Tensor] = {}

    def __bool__(self) -> bool:
        return bool(self._copies)

    def take(self, tensors: Mapping[str, Tensor], when: Tensor | None = None) -> None:
        """Copy them; tensors that were copied before and are not given now are forgotten.

        Args:
            tensors: By name.
            when: A boolean on the device, which is not waited for: where it is false the old copies stay.
        """
        kept = {}
        for name, tensor in tensors.items():
            new, old = tensor.detach(), self._copies.get(name)
            if old is None or (old.shape, old.dtype, old.device) != (new.shape, new.dtype, new.device):
                kept[name] = new.clone()
            else:
                kept[name] = old.copy_(new if when is None else torch.where(when.to(new.device), new, old))
        self._copies = kept

    def get(self, name: str) -> Tensor | None:
        """The copy of that name."""
        return self._copies.get(name)

    def tensors(self) -> dict[str, Tensor]:
        """Clones of all of them."""
        return {name: tensor.clone() for name, tensor in self._copies.items()}


def measure_update(before: Tensor, after: Tensor) -> dict[str, Tensor]:
    """Length of the weights and of their change, and its ratio to the weights before.

    The ratio is infinite for weights that were zero and moved, and 0 for weights that were zero and did not.

    Example:
        >>> found = measure_update(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5]))
        >>> float(found["update-ratio"])
        0.10000000149011612
    """
    after, before = as_float(after.detach()), as_float(before)
    change = torch.dist(after, before)
    length = torch.linalg.vector_norm(before)
    return {
        "update-norm": change,
        "update-ratio": torch.where(change == 0, torch.zeros_like(change), change / length),
        "weight-norm": torch.linalg.vector_norm(after),
    }


def descent_cosine(before: Sequence[Tensor], after: Sequence[nn.Parameter], gradients: Sequence[Tensor]) -> Tensor:
    """Cosine between the change of the weights and the negative gradient, over all of them together."""
    products, changes, lengths = [], [], []
    for old, new, gradient in zip(before, after, gradients, strict=True):
        # Half precision holds neither the squares of small numbers nor sums of many.
        change = (as_float(new.detach()) - as_float(old)).flatten()
        flat = as_float(gradient.detach()).flatten().to(change.dtype)
        products.append(torch.dot(change, flat))
        changes.append(torch.linalg.vector_norm(change))
        lengths.append(torch.linalg.vector_norm(flat))
    # The product of two squared lengths would vanish where each length is a fair number.
    scale: Tensor = torch.linalg.vector_norm(torch.stack(changes)) * torch.linalg.vector_norm(torch.stack(lengths))
    return -torch.stack(products).sum() / scale.clamp_min(torch.finfo(scale.dtype).tiny)
