"""Real rows for figures: scikit-learn's bundled sets, nothing to download."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor

Floats = NDArray[np.float64]


@functools.cache
def two_columns() -> Floats:
    """Radius and texture of 569 tumours [569, 2]: real, of different scale, correlated."""
    inputs: Floats = load_breast_cancer(return_X_y=True)[0][:, [0, 3]]
    return inputs


@functools.cache
def digit_rows() -> Floats:
    """Handwritten digits [1797, 64], 0 to 16."""
    inputs: Floats = load_digits(return_X_y=True)[0]
    return inputs


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """Standardised digits float32 [1797, 64] and their classes."""
    inputs, labels = load_digits(return_X_y=True)
    values = torch.from_numpy(inputs).float()
    return (values - values.mean()) / values.std(), torch.from_numpy(labels)
