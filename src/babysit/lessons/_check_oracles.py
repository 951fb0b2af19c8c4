"""What the checks compute, in NumPy: what readers see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
