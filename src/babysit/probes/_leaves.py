"""The leaves of a graph of gradients: the tensors that a backward pass gives gradients to."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def leaves_of(loss: Tensor) -> list[Tensor]:
    """The tensors that gradients of a loss flow to, each once.

    Example:
        >>> import torch
        >>> weight, data = torch.ones(2, requires_grad=True), torch.ones(2)
        >>> [leaf is weight for leaf in leaves_of((weight * data).sum())]
        [True]
    """
    found: list[Tensor] = []
    waiting: list[Any] = [loss.grad_fn]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            found.append(leaf)
        waiting += [one for one, _ in node.next_functions]
    return found
