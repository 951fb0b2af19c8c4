"""Losses of many members and their gradients, written out.

Outputs are [P, outputs, rows], targets [rows] where members share their rows and [P, rows] where they do not. Each
function gives the losses [P] and the gradient of each with respect to the member's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from babysit.record import LossSection

Losses = tuple[Tensor, Tensor]
StackedLoss = Callable[[Tensor, Tensor], Losses]


def stacked_loss(sections: Sequence[LossSection], weight: Tensor | None, device: torch.device) -> StackedLoss:
    """The loss of members whose sections name the same one; smoothing and delta are each member's own.

    Args:
        sections: Of each member.
        weight: Of the classes, the same for all; None weighs them alike.
        device: Where outputs are.
    """
    name = sections[0].name
    smoothing = torch.tensor([section.label_smoothing for section in sections], device=device).view(-1, 1, 1)
    smooth = any(section.label_smoothing for section in sections)
    if name == "cross-entropy":
        return _CrossEntropy(smoothing if smooth else None, weight)
    if name == "bce-with-logits":
        return lambda outputs, targets: _binary(outputs, targets, smoothing.squeeze(1), weight)
    if name == "hinge":
        return lambda outputs, targets: _hinge(outputs, targets, weight)
    if name == "huber":
        delta = torch.tensor([section.delta for section in sections], device=device).view(-1, 1)
        return lambda outputs, targets: _huber(outputs, targets, delta)
    return _squared if name == "mse" else _poisson


class _CrossEntropy:
    def __init__(self, smoothing: Tensor | None, weight: Tensor | None) -> None:
        self._smoothing, self._weight = smoothing, weight

    def __call__(self, outputs: Tensor, targets: Tensor) -> Losses:
        members, classes, rows = outputs.shape
        wanted = targets.expand(members, rows).unsqueeze(1)
        logs = torch.log_softmax(outputs, dim=1)
        of_wanted = logs.gather(1, wanted)  # [P, 1, rows]
        gradient = logs.exp()
        if self._smoothing is None and self._weight is None:
            gradient.scatter_add_(1, wanted, gradient.new_full((1, 1, 1), -1.0).expand_as(of_wanted))
            return -of_wanted.mean(dim=(1, 2)), gradient.div_(rows)
        weight = outputs.new_ones(classes) if self._weight is None else self._weight
        smoothing = outputs.new_zeros(members, 1, 1) if self._smoothing is None else self._smoothing
        of_row = weight[wanted]  # [P, 1, rows]
        total = of_row.sum(dim=2, keepdim=True)
        right = (1 - smoothing) * of_row
        others = smoothing / classes * weight.view(1, classes, 1)  # [P, classes, 1]
        losses = -((right * of_wanted).sum(dim=(1, 2)) + (others * logs).sum(dim=(1, 2))) / total.flatten()
        gradient *= right + others.sum(dim=1, keepdim=True)
        gradient -= others
        gradient.scatter_add_(1, wanted, -right)
        return losses, gradient.div_(total)


def _binary(outputs: Tensor, targets: Tensor, smoothing: Tensor, weight: Tensor | None) -> Losses:
    logits = outputs[:, 0]
    rows = logits.shape[1]
    wanted = (targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2).expand_as(logits)
    each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    gradient = logits.sigmoid() - wanted
    return _weighed(each, gradient, None if weight is None else weight[targets].expand(len(logits), rows))


def _weighed(each: Tensor, gradient: Tensor, weights: Tensor | None) -> Losses:
    """Means over rows of [P, rows], and the gradient as [P, 1, rows]."""
    if weights is None:
        return each.mean(dim=1), gradient.div_(each.shape[1]).unsqueeze(1)
    total = weights.sum(dim=1, keepdim=True)
    return (each * weights).sum(dim=1) / total.squeeze(1), (gradient * weights / total).unsqueeze(1)


def _hinge(outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Losses:
    members, _, rows = outputs.shape
    wanted = targets.expand(members, rows).unsqueeze(1)
    margins = outputs - outputs.gather(1, wanted) + 1
    margins.scatter_(1, wanted, torch.zeros_like(margins[:, :1]))
    # A NaN must stay one: it is neither above nor below.
    each = margins.clamp(min=0).sum(dim=1)
    gradient = (margins > 0).to(outputs.dtype)
    gradient.scatter_(1, wanted, -gradient.sum(dim=1, keepdim=True))
    if weight is None:
        return each.mean(dim=1), gradient.div_(rows)
    weights = weight[targets].expand(members, rows)
    total = weights.sum(dim=1, keepdim=True)
    return (each * weights).sum(dim=1) / total.squeeze(1), gradient * (weights / total).unsqueeze(1)


def _squared(outputs: Tensor, targets: Tensor) -> Losses:
    errors = outputs[:, 0] - targets
    return _weighed(errors.square(), errors * 2, None)


def _huber(outputs: Tensor, targets: Tensor, delta: Tensor) -> Losses:
    errors = outputs[:, 0] - targets
    size = errors.abs()
    each = torch.where(size <= delta, 0.5 * errors.square(), delta * (size - 0.5 * delta))
    return _weighed(each, torch.maximum(torch.minimum(errors, delta), -delta), None)


def _poisson(outputs: Tensor, targets: Tensor) -> Losses:
    logs = outputs[:, 0]
    rates = logs.exp()
    return _weighed(rates - targets * logs, rates - targets, None)
