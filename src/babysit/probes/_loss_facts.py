"""What holds for a whole training, as its first loss tells it."""

from __future__ import annotations

from torch import Tensor

from babysit.probes._loss_shape import averaged_shape, crossed_target


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
        "loss": name, "loss-reduction": reduction, "target-kind": kind,
        "output-shape": "x".join(map(str, outputs.shape)), "target-shape": "x".join(map(str, targets.shape)),
    }  # fmt: skip
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
