"""Losses: the mean over the batch, and what the network's outputs mean under each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.data import Task
from babysit.record import LossSection, RecipeError

FOR_CLASSES = ("cross-entropy", "bce-with-logits", "hinge")
FOR_NUMBERS = ("mse", "huber", "poisson-nll")


class MultiClassHinge(nn.Module):
    """Weston and Watkins' SVM loss as CS231n teaches it: sum over wrong classes of max(0, s_wrong - s_right + 1).

    `nn.MultiMarginLoss` divides that by the number of classes; the lecture does not, so that equal scores cost C - 1.

    Shapes:
        Scores [N, C], targets int64 [N], result a scalar.
    """

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.weight: Tensor | None

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over the batch."""
        rows = functional.multi_margin_loss(outputs, targets, reduction="none") * outputs.shape[1]
        if self.weight is None:
            return rows.mean()
        weights = self.weight[targets]
        return (rows * weights).sum() / weights.sum()


class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy on one logit a row, for two classes.

    Shapes:
        Logits [N, 1], targets int64 [N] of 0 and 1, result a scalar.
    """

    def __init__(self, weight: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.weight: Tensor | None
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over the batch."""
        wanted = targets.to(outputs.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.weight is None:
            return functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted)
        weights = self.weight[targets]
        rows = functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted, reduction="none")
        return (rows * weights).sum() / weights.sum()


class OnColumn(nn.Module):
    """A loss for one number a row: outputs [N, 1] against targets [N], never [N, N]."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over the batch."""
        result: Tensor = self.loss(outputs[:, 0], targets)
        return result


def build_loss(section: LossSection, task: Task, class_counts: Sequence[int] = ()) -> nn.Module:
    """The loss a recipe asks for: a module of (outputs, targets) giving a scalar.

    Args:
        section: The recipe's, its name decided.
        task: What is learned.
        class_counts: Training rows of each class; read when weights are balanced.

    Raises:
        RecipeError: The loss does not fit the task.
    """
    check_loss_fits(section, task)
    if section.name in FOR_NUMBERS:
        loss = {
            "mse": nn.MSELoss(),
            "huber": nn.HuberLoss(delta=section.delta),
            "poisson-nll": nn.PoissonNLLLoss(log_input=True),
        }[section.name]
        return OnColumn(loss)
    weight = None
    if section.class_weights == "balanced":
        counts = torch.tensor(class_counts, dtype=torch.float32).clamp(min=1)
        weight = counts.sum() / (len(counts) * counts)
    if section.name == "cross-entropy":
        return nn.CrossEntropyLoss(weight=weight, label_smoothing=section.label_smoothing)
    if section.name == "bce-with-logits":
        return BinaryCrossEntropy(weight, section.label_smoothing)
    return MultiClassHinge(weight)


def check_loss_fits(section: LossSection, task: Task) -> None:
    """Refuse a loss that cannot learn the task.

    Raises:
        RecipeError: It does not fit.
    """
    legal = FOR_CLASSES if task.kind == "classification" else FOR_NUMBERS
    if section.name not in legal:
        raise RecipeError(
            f"loss '{section.name}' does not fit {task.kind}",
            legal=", ".join(legal),
            write=f"--set loss.name={legal[0]}",
        )
    if section.name == "bce-with-logits" and len(task.classes) != 2:
        raise RecipeError(
            f"loss 'bce-with-logits' is for two classes, and '{task.target}' has {len(task.classes)}",
            legal="cross-entropy, hinge",
            write="--set loss.name=cross-entropy",
        )
    if section.label_smoothing and section.name not in ("cross-entropy", "bce-with-logits"):
        raise RecipeError(f"label_smoothing has no meaning for loss '{section.name}'", write="--set label_smoothing=0")
    if section.class_weights == "balanced" and task.kind == "regression":
        raise RecipeError("class_weights need classes", write="--set class_weights=none")


def outputs_needed(section: LossSection, task: Task) -> int:
    """Numbers the network gives for one row."""
    return len(task.classes) if section.name in ("cross-entropy", "hinge") else 1
