"""Preprocessing in NumPy, rows [N, D]: what readers see. Statistics come from the training rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
