"""Slow and readable: what the fast streaming statistics must equal. Everything in memory, float64, two passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TwoPasses:
    count: npt.NDArray[np.int64]
    mean: Floats
    variance: Floats
    minimum: Floats
    maximum: Floats
    covariance: Floats


def two_passes(rows: npt.NDArray[Any]) -> TwoPasses:
    """Statistics of rows [N, D]; NaN is skipped, and filled by the mean for the covariance over N."""
    wide = rows.astype(np.float64)
    features = wide.shape[1]
    count = np.array([np.sum(~np.isnan(wide[:, j])) for j in range(features)])
    present = [wide[~np.isnan(wide[:, j]), j] for j in range(features)]
    mean = np.array([values.mean() if len(values) else 0.0 for values in present])
    # The first pass's rounding error is taken out by centring once more.
    mean = mean + np.array([(v - m).mean() if len(v) else 0.0 for v, m in zip(present, mean, strict=True)])
    variance = np.array([((v - m) ** 2).mean() if len(v) else 0.0 for v, m in zip(present, mean, strict=True)])
    minimum = np.array([values.min() if len(values) else 0.0 for values in present])
    maximum = np.array([values.max() if len(values) else 0.0 for values in present])
    centred = np.where(np.isnan(wide), mean, wide) - mean
    return TwoPasses(count, mean, variance, minimum, maximum, centred.T @ centred / len(wide))
