"""Batch norm, layer norm and dropout in NumPy, forwards and back: what readers see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
