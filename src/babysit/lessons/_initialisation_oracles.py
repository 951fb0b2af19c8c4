"""Initialisations in NumPy, with the ten layers that show what they do to activations and gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Stream = np.random.Generator


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
