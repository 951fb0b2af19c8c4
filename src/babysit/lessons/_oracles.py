"""What pages compute, in NumPy: readers see this source, and tests hold it against the fast version.

Losses and their gradients, optimizers' steps, preprocessing, initialisations, normalisation and dropout, checks.
Gradients of activations stand in `_activation_oracles.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
State = dict[str, Any]
Stream = np.random.Generator


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


def sgd(w: Floats, g: Floats, lr: float, state: State) -> Floats:
    return w - lr * g


def momentum(w: Floats, g: Floats, lr: float, state: State, mu: float = 0.9) -> Floats:
    state["v"] = mu * state.get("v", 0) + g  # a ball that rolls: gradients add up
    return w - lr * state["v"]


def nesterov(w: Floats, g: Floats, lr: float, state: State, mu: float = 0.9) -> Floats:
    state["v"] = mu * state.get("v", 0) + g
    return w - lr * (g + mu * state["v"])  # a look ahead to where the ball will be


def adagrad(w: Floats, g: Floats, lr: float, state: State) -> Floats:
    state["s"] = state.get("s", 0) + g**2  # never forgets: rates only fall
    return w - lr * g / (np.sqrt(state["s"]) + 1e-10)


def rmsprop(w: Floats, g: Floats, lr: float, state: State, decay: float = 0.99) -> Floats:
    state["s"] = decay * state.get("s", 0) + (1 - decay) * g**2  # forgets
    return w - lr * g / (np.sqrt(state["s"]) + 1e-8)


def adam(w: Floats, g: Floats, lr: float, state: State, b1: float = 0.9, b2: float = 0.999) -> Floats:
    t = state["t"] = state.get("t", 0) + 1
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["s"] = b2 * state.get("s", 0) + (1 - b2) * g**2
    mean, square = state["m"] / (1 - b1**t), state["s"] / (1 - b2**t)  # averages that began at zero, corrected
    return w - lr * mean / (np.sqrt(square) + 1e-8)


def adamw(w: Floats, g: Floats, lr: float, state: State, decay: float = 0.01) -> Floats:
    return adam(w * (1 - lr * decay), g, lr, state)  # the pull to zero beside the gradient, not within it


def l2(w: Floats, strength: float) -> float:
    return float(strength * (w**2).sum() / 2)


def l2_gradient(w: Floats, strength: float) -> Floats:
    return strength * w


def cosine(lr: float, done: float) -> float:
    return float(lr * (1 + np.cos(np.pi * done)) / 2)  # done: share of the training, 0 to 1


def centre(x: Floats, train: Floats) -> Floats:
    return x - train.mean(axis=0)


def centre_gradient(gradient: Floats, train: Floats) -> Floats:
    return gradient  # shifting inputs changes no slope


def standardise(x: Floats, train: Floats) -> Floats:
    return (x - train.mean(axis=0)) / train.std(axis=0)


def standardise_gradient(gradient: Floats, train: Floats) -> Floats:
    return gradient / train.std(axis=0)


def scale_to_range(x: Floats, train: Floats) -> Floats:
    low, high = train.min(axis=0), train.max(axis=0)
    return (x - low) / (high - low)


def scale_to_range_gradient(gradient: Floats, train: Floats) -> Floats:
    return gradient / (train.max(axis=0) - train.min(axis=0))


def axes(train: Floats) -> tuple[Floats, Floats]:
    """Variances, largest first, and the directions they lie along, as columns."""
    centred = train - train.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(train))
    return variances[::-1], directions[:, ::-1]


def pca(x: Floats, train: Floats, components: int) -> Floats:
    return (x - train.mean(axis=0)) @ axes(train)[1][:, :components]


def pca_gradient(gradient: Floats, train: Floats, components: int) -> Floats:
    return gradient @ axes(train)[1][:, :components].T


def whiten(x: Floats, train: Floats) -> Floats:
    variances, directions = axes(train)
    return (x - train.mean(axis=0)) @ directions / np.sqrt(variances + 1e-5)


def whiten_gradient(gradient: Floats, train: Floats) -> Floats:
    variances, directions = axes(train)
    return gradient / np.sqrt(variances + 1e-5) @ directions.T


def zca(x: Floats, train: Floats) -> Floats:
    return whiten(x, train) @ axes(train)[1].T  # whitened, then turned back


def zca_gradient(gradient: Floats, train: Floats) -> Floats:
    return whiten_gradient(gradient @ axes(train)[1], train)


def impute(x: Floats, train: Floats) -> Floats:
    return np.where(np.isnan(x), np.nanmean(train, axis=0), x)


def impute_gradient(gradient: Floats, x: Floats) -> Floats:
    return np.where(np.isnan(x), 0, gradient)


def mean_image(x: Floats, train: Floats) -> Floats:
    return x - train.mean(axis=0)  # images [N, H, W, C]: one mean for each pixel


def channel_mean(x: Floats, train: Floats) -> Floats:
    return x - train.mean(axis=(0, 1, 2))  # images [N, H, W, C]: one mean for each channel


def channel_mean_std(x: Floats, train: Floats) -> Floats:
    return (x - train.mean(axis=(0, 1, 2))) / train.std(axis=(0, 1, 2))


def small_random(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    return 0.01 * stream.standard_normal((fan_in, fan_out))


def xavier(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    return stream.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)


def xavier_uniform(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    bound = np.sqrt(6 / (fan_in + fan_out))
    return stream.uniform(-bound, bound, (fan_in, fan_out))


def he(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    return stream.standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)


def orthogonal(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    q, r = np.linalg.qr(stream.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out))))
    q = q * np.sign(np.diag(r))  # else the signs would not be random
    return q if fan_in >= fan_out else q.T


def pytorch(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    bound = 1 / np.sqrt(fan_in)  # of the uniform draw: its std is 1 / sqrt(3 fan_in)
    return stream.uniform(-bound, bound, (fan_in, fan_out))


def constant(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    return np.full((fan_in, fan_out), 0.01)


def zero(stream: Stream, fan_in: int, fan_out: int) -> Floats:
    return np.zeros((fan_in, fan_out))


def lsuv(stream: Stream, inputs: Floats, fan_out: int) -> Floats:
    weights = orthogonal(stream, inputs.shape[1], fan_out)
    return weights / (inputs @ weights).std()  # so that outputs have variance 1 on these inputs


def forward(inputs: Floats, weights: list[Floats], tanh: bool) -> list[Floats]:
    layers = [inputs]
    for weight in weights:
        sums = layers[-1] @ weight
        layers.append(np.tanh(sums) if tanh else np.maximum(0, sums))
    return layers[1:]


def backward(layers: list[Floats], weights: list[Floats], tanh: bool, gradient: Floats) -> list[Floats]:
    found = []
    for outputs, weight in zip(reversed(layers), reversed(weights), strict=True):
        found.append(gradient)  # of the loss by this layer's outputs
        slope = 1 - outputs**2 if tanh else (outputs > 0).astype(float)
        gradient = (gradient * slope) @ weight.T
    return found[::-1]


def batch_norm(x: Floats, scale: Floats, shift: Floats, eps: float = 1e-5) -> Floats:
    normal = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)  # each unit over the rows of the batch
    return scale * normal + shift


def batch_norm_gradient(gradient: Floats, x: Floats, scale: Floats, eps: float = 1e-5) -> tuple[Floats, Floats, Floats]:
    root = np.sqrt(x.var(axis=0) + eps)
    normal = (x - x.mean(axis=0)) / root
    inner = gradient * scale
    inputs = (inner - inner.mean(axis=0) - normal * (inner * normal).mean(axis=0)) / root
    return inputs, (gradient * normal).sum(axis=0), gradient.sum(axis=0)  # of inputs, scale, shift


def batch_norm_evaluation(x: Floats, scale: Floats, shift: Floats, mean: Floats, var: Floats) -> Floats:
    return scale * (x - mean) / np.sqrt(var + 1e-5) + shift  # running averages: rows no longer depend on each other


def layer_norm(x: Floats, scale: Floats, shift: Floats, eps: float = 1e-5) -> Floats:
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return scale * (x - mean) / np.sqrt(var + eps) + shift  # each row over its own units


def layer_norm_gradient(gradient: Floats, x: Floats, scale: Floats, eps: float = 1e-5) -> Floats:
    root = np.sqrt(x.var(axis=1, keepdims=True) + eps)
    normal = (x - x.mean(axis=1, keepdims=True)) / root
    inner = gradient * scale
    means = inner.mean(axis=1, keepdims=True), (inner * normal).mean(axis=1, keepdims=True)
    return (inner - means[0] - normal * means[1]) / root


def dropout(x: Floats, kept: Floats, share: float) -> Floats:
    return x * kept / (1 - share)  # kept: 1 or 0 at random; divided, so that the mean stays


def dropout_gradient(gradient: Floats, kept: Floats, share: float) -> Floats:
    return gradient * kept / (1 - share)


def first_loss(shares: Floats) -> tuple[float, float]:
    """Of outputs that are all zero, and of the best constant answer, for classes of these shares."""
    known = shares[shares > 0]
    return float(np.log(len(shares))), float(-(known * np.log(known)).sum())


def scales(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column."""
    return rows.mean(axis=0), rows.std(axis=0)


def shared_rows(train: Floats, held: Floats) -> float:
    """Share of the held-out rows that stand among the training rows, too."""
    known = {row.tobytes() for row in train}
    return float(np.mean([row.tobytes() in known for row in held]))


def penalty(weights: list[Floats], strength: float) -> float:
    return float(sum(strength * (w**2).sum() / 2 for w in weights))


def update_ratio(before: Floats, after: Floats) -> float:
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


def numeric_gradient(loss: Callable[[Floats], float], w: Floats, h: float = 1e-5) -> Floats:
    found = np.zeros_like(w)
    for place in np.ndindex(w.shape):
        kept = w[place]
        w[place] = kept + h
        above = loss(w)
        w[place] = kept - h
        found[place] = (above - loss(w)) / (2 * h)  # centred: its error falls with h squared
        w[place] = kept
    return found


def relative_error(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).max() / np.maximum(np.abs(a), np.abs(b)).max())


def steepest(rates: Floats, losses: Floats) -> float:
    slopes = np.diff(losses) / np.diff(np.log(rates))  # by log rate: by rate, noise at tiny rates would win
    return float(rates[np.argmin(slopes)])
