"""What the gradient of a layer's weights looks like."""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.probes._numbers import MOST, as_float, as_real, not_finite_share, spread


def dense(gradient: Tensor) -> Tensor:
    """The stored numbers of a gradient: a sparse one is told by its values, complex ones are pairs of real ones."""
    if gradient.layout is torch.sparse_coo:
        gradient = gradient.coalesce().values()
    elif gradient.layout is not torch.strided:
        gradient = gradient.values()
    return as_real(gradient)


def gradient_length(gradient: Tensor) -> Tensor:
    """Euclidean length, exact, in float32 at least."""
    values = dense(gradient.detach())
    length: Tensor = torch.linalg.vector_norm(values, dtype=torch.promote_types(values.dtype, torch.float32))
    return length


def measure_gradient(gradient: Tensor) -> dict[str, Tensor | float]:
    """Mean, spread, zeros and non-finite numbers, from at most 32,768 of its numbers.

    Example:
        >>> found = measure_gradient(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
        >>> float(found["gradient-zero-share"]), float(found["gradient-mean"])
        (0.5, 0.0)
    """
    values = as_float(_some(dense(gradient)))
    if not values.numel():
        return {}
    mean, std, largest, *_ = spread(values)
    return {
        "gradient-mean": mean,
        "gradient-std": std,
        "gradient-zero-share": (values == 0).mean(dtype=torch.float32),
        "gradient-not-finite-share": not_finite_share(values, largest),
    }


def sign_share(gradient: Tensor) -> Tensor:
    """Of a unit's weight gradients, the share of the commoner sign, averaged over units that have a gradient.

    With inputs that are all positive, all weight gradients of a row's unit have one sign: the path zig-zags.

    Args:
        gradient: [units, ...].
    """
    rows = dense(gradient).flatten(1)
    if rows.numel() > MOST:
        rows = rows[:: -(-rows.numel() // MOST)]
    positive, negative = (rows > 0).sum(1), (rows < 0).sum(1)
    both = positive + negative
    share = torch.maximum(positive, negative) / both.clamp_min(1)
    felt = both > 0
    return (share * felt).sum() / felt.sum().clamp_min(1)


def _some(gradient: Tensor) -> Tensor:
    """Evenly spaced rows: a view where a flat stride would have to copy."""
    if gradient.numel() <= MOST or gradient.ndim == 0:
        return gradient
    a_row = max(1, gradient.numel() // gradient.shape[0])
    if a_row >= MOST:
        return gradient.reshape(-1)[:: -(-gradient.numel() // MOST) | 1]
    return gradient[:: -(-gradient.shape[0] // max(1, MOST // a_row))]
