"""What a loss written by hand compares, read from the graph that computed it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

HOPS = 6  # functions looked through on the way from the loss to its mean: a root, a factor, a penalty
Shape = tuple[int, ...]


def averaged_shape(loss: Tensor) -> Shape | None:
    """Shape of the numbers that the loss averages or sums; None where it does neither in sight.

    Example:
        >>> import torch
        >>> outputs = torch.zeros(4, 1, requires_grad=True)
        >>> averaged_shape(((outputs - torch.zeros(4)) ** 2).mean().sqrt())
        (4, 4)
    """
    function: Any = loss.grad_fn
    for _ in range(HOPS):
        if function is None:
            return None
        sizes = getattr(function, "_saved_self_sym_sizes", None)
        if sizes is not None and type(function).__name__ in ("MeanBackward0", "SumBackward0"):
            return tuple(int(size) for size in sizes)
        function = next((before for before, _ in function.next_functions if before is not None), None)
    return None


def crossed_target(outputs: Shape, averaged: Shape | None) -> Shape | None:
    """The targets' shape when every output was compared with every target; None when it was not.

    Example:
        >>> crossed_target((32, 1), (32, 32)), crossed_target((32,), (32, 32)), crossed_target((32, 1), (32, 1))
        ((32,), (32, 1), None)
    """
    if averaged is None or len(averaged) != 2 or averaged[0] != averaged[1] or averaged[0] < 2:
        return None
    rows = averaged[0]
    if outputs == (rows, 1):
        return (rows,)
    return (rows, 1) if outputs == (rows,) else None
