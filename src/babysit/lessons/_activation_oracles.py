"""Every activation and its gradient in NumPy: what readers see, and what tests hold the fast one against."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_erf = np.vectorize(math.erf, otypes=[float])


def identity(x: Floats) -> Floats:
    return 1.0 * x


def identity_gradient(x: Floats) -> Floats:
    return np.ones_like(x)


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def sigmoid_gradient(x: Floats) -> Floats:
    return sigmoid(x) * (1 - sigmoid(x))  # at most a quarter, at x = 0


def tanh(x: Floats) -> Floats:
    return 2 * sigmoid(2 * x) - 1


def tanh_gradient(x: Floats) -> Floats:
    return 1 - tanh(x) ** 2


def relu(x: Floats) -> Floats:
    return np.maximum(0, x)


def relu_gradient(x: Floats) -> Floats:
    return (x > 0).astype(float)


def relu6(x: Floats) -> Floats:
    return np.clip(x, 0, 6)


def relu6_gradient(x: Floats) -> Floats:
    return ((x > 0) & (x < 6)).astype(float)


def leaky_relu(x: Floats, slope: float = 0.01) -> Floats:
    return np.where(x > 0, x, slope * x)


def leaky_relu_gradient(x: Floats, slope: float = 0.01) -> Floats:
    return np.where(x > 0, 1.0, slope)


def prelu(x: Floats, a: float = 0.25) -> Floats:
    return np.where(x > 0, x, a * x)


def prelu_gradient(x: Floats, a: float = 0.25) -> Floats:
    return np.where(x > 0, 1.0, a)  # and by a, which is learned: min(0, x)


def elu(x: Floats, alpha: float = 1.0) -> Floats:
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def elu_gradient(x: Floats, alpha: float = 1.0) -> Floats:
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def celu(x: Floats, alpha: float = 1.0) -> Floats:
    return np.maximum(0, x) + np.minimum(0, alpha * (np.exp(np.minimum(x, 0) / alpha) - 1))


def celu_gradient(x: Floats, alpha: float = 1.0) -> Floats:
    return np.where(x > 0, 1.0, np.exp(np.minimum(x, 0) / alpha))


def selu(x: Floats) -> Floats:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def selu_gradient(x: Floats) -> Floats:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def gelu(x: Floats) -> Floats:
    return x * (1 + _erf(x / math.sqrt(2))) / 2  # x times the share of a normal distribution below x


def gelu_gradient(x: Floats) -> Floats:
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return (1 + _erf(x / math.sqrt(2))) / 2 + x * density


def silu(x: Floats) -> Floats:
    return x * sigmoid(x)


def silu_gradient(x: Floats) -> Floats:
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def softplus(x: Floats) -> Floats:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))  # ln(1 + exp(x)), without overflow


def softplus_gradient(x: Floats) -> Floats:
    return sigmoid(x)


def mish(x: Floats) -> Floats:
    return x * np.tanh(softplus(x))


def mish_gradient(x: Floats) -> Floats:
    gate = np.tanh(softplus(x))
    return gate + x * (1 - gate**2) * sigmoid(x)


def softsign(x: Floats) -> Floats:
    return x / (1 + np.abs(x))


def softsign_gradient(x: Floats) -> Floats:
    return 1 / (1 + np.abs(x)) ** 2


def hardtanh(x: Floats) -> Floats:
    return np.clip(x, -1, 1)


def hardtanh_gradient(x: Floats) -> Floats:
    return (np.abs(x) < 1).astype(float)


def hardsigmoid(x: Floats) -> Floats:
    return np.clip(x / 6 + 0.5, 0, 1)


def hardsigmoid_gradient(x: Floats) -> Floats:
    return (np.abs(x) < 3) / 6


def hardswish(x: Floats) -> Floats:
    return x * hardsigmoid(x)


def hardswish_gradient(x: Floats) -> Floats:
    return hardsigmoid(x) + x * hardsigmoid_gradient(x)


def maxout(x: Floats) -> Floats:
    """Pieces along the last axis: [N, units, pieces] to [N, units]."""
    return np.asarray(x.max(axis=-1))


def maxout_gradient(x: Floats) -> Floats:
    """One for the piece that wins, zero for the others."""
    return (x == x.max(axis=-1, keepdims=True)).astype(float)
