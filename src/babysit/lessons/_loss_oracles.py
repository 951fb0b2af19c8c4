"""Losses and their gradients in NumPy: scores [N, C], labels [N] of whole numbers; answers and targets [N]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def softmax_cross_entropy(scores: Floats, labels: Labels) -> float:
    shifted = scores - scores.max(axis=1, keepdims=True)  # exp of a large number would overflow
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(labels)), labels].mean())


def softmax_cross_entropy_gradient(scores: Floats, labels: Labels) -> Floats:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[np.arange(len(labels)), labels] -= 1  # what was said, less what was true
    return shares / len(labels)


def hinge(scores: Floats, labels: Labels) -> float:
    right = scores[np.arange(len(labels)), labels][:, None]
    return float(np.maximum(0, scores - right + 1).sum(axis=1).mean() - 1)  # the right class itself gives 1


def hinge_gradient(scores: Floats, labels: Labels) -> Floats:
    rows = np.arange(len(labels))
    wrong = (scores - scores[rows, labels][:, None] + 1 > 0).astype(float)
    wrong[rows, labels] = 0
    wrong[rows, labels] = -wrong.sum(axis=1)
    return wrong / len(labels)


def mse(answers: Floats, targets: Floats) -> float:
    return float(((answers - targets) ** 2).mean())


def mse_gradient(answers: Floats, targets: Floats) -> Floats:
    return 2 * (answers - targets) / answers.size


def bce_with_logits(logits: Floats, targets: Floats) -> float:
    return float((np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))).mean())


def bce_with_logits_gradient(logits: Floats, targets: Floats) -> Floats:
    return (1 / (1 + np.exp(-logits)) - targets) / logits.size
