"""What holds for a whole training, as its first loss tells it; of a loss written by hand, its graph tells."""

from __future__ import annotations

from typing import Any

from torch import Tensor

HOPS = 6  # functions looked through on the way from the loss to its mean: a root, a factor, a penalty
Shape = tuple[int, ...]


def loss_facts(name: str, outputs: Tensor, targets: Tensor, reduction: str) -> dict[str, str]:
    """Of a loss function that was called.

    Example:
        >>> import torch
        >>> loss_facts("cross-entropy", torch.zeros(8, 3), torch.zeros(8, dtype=torch.long), "mean")["classes"]
        '3'
    """
    kind = "classes" if not targets.is_floating_point() else "numbers"
    if kind == "numbers" and targets.shape == outputs.shape and name in ("cross-entropy", "kl"):
        kind = "probabilities"
    found = {
        "loss": name,
        "loss-reduction": reduction,
        "target-kind": kind,
        "output-shape": "x".join(map(str, outputs.shape)),
        "target-shape": "x".join(map(str, targets.shape)),
    }
    if name in ("cross-entropy", "nll"):
        found["classes"] = str(outputs.shape[1] if outputs.ndim > 1 else 1)
    return found


def unknown_loss_facts(outputs: Tensor, loss: Tensor) -> dict[str, str]:
    """Of a loss written by hand, whose shape before the mean tells what the targets were."""
    found = {"loss": "other", "output-shape": "x".join(map(str, outputs.shape))}
    target = crossed_target(tuple(outputs.shape), averaged_shape(loss))
    if target is not None:
        found["target-shape"] = "x".join(map(str, target))
    return found


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
