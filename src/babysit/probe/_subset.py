"""A part of a tensor that is large enough to measure and small enough to be cheap.

Means, shares and standard deviations of 32,768 numbers are within a percent of those of all numbers (the standard error
of a standard deviation is 1/sqrt(2n)); reading more would cost time and tell nothing new. Lengths of weights, gradients
and updates are never taken from a part: they are exact.
"""

from __future__ import annotations

import torch
from torch import Tensor

MOST = 2**15  # numbers read for a mean, a share or a standard deviation
MOST_ROWS = 1024  # rows read for what is said about units


def some_rows(values: Tensor, most: int = MOST) -> Tensor:
    """Evenly spaced rows (first dimension) of a tensor [N, ...], all of them when there are at most `most` numbers.

    A view, never a copy; no random numbers are drawn. At least two rows are kept.
    """
    rows = values.shape[0] if values.ndim else 1
    if values.ndim < 2 or rows < 3:
        return values
    a_row = max(1, values.numel() // rows)
    kept = max(2, min(MOST_ROWS, most // a_row))
    return values if rows <= kept else values[:: -(-rows // kept)]


def some_numbers(values: Tensor, most: int = MOST) -> Tensor:
    """A flat tensor of at most about `most` evenly spaced numbers; in float32 where they come in half precision."""
    flat = values.reshape(-1)
    if flat.numel() > most:
        flat = flat[:: -(-flat.numel() // most) | 1]  # an odd stride does not fall in step with even widths
    return flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat


def as_float(values: Tensor) -> Tensor:
    """Half precision widened: its sums overflow at 65,504."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
