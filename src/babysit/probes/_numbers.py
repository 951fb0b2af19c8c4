"""A part of a tensor that is large enough to measure and small enough to be cheap.

Means, shares and standard deviations of 32,768 independent numbers are within a percent of those of all numbers (the
standard error of a standard deviation is 1/sqrt(2n)); reading more would cost time and tell nothing new. Pixels of one
picture are alike: what is said of pictures is as sure as it is from so many pictures. Whether a unit is ever active is
no mean and needs more rows: see `WIDE`. Lengths of weights, gradients and updates are exact, never taken from a part.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

MOST = 2**15  # numbers read for a mean, a share or a standard deviation
MOST_ROWS = 1024  # rows read at most
# Numbers read for whether a unit is ever active: 1000 rows of 1000 units. Read by maximum and minimum alone, which take
# 0.2 ms for 500,000 numbers where the layer that made them took 15 (one core, measured).
WIDE = 2**20


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
    flat = as_real(values).reshape(-1)
    if flat.numel() > most:
        flat = flat[:: -(-flat.numel() // most) | 1]  # an odd stride does not fall in step with even widths
    return as_float(flat)


def as_float(values: Tensor) -> Tensor:
    """Half precision and less widened: sums overflow at 65,504, and 8 bits have no sums; complex numbers as pairs."""
    if values.is_complex():
        return as_float(as_real(values))
    return values.float() if values.dtype.itemsize < torch.float32.itemsize else values


def as_real(values: Tensor) -> Tensor:
    """Complex numbers [...] as pairs of real ones [..., 2], which have the same length; other numbers as they are."""
    return torch.view_as_real(values.resolve_conj()) if values.is_complex() else values


def plain(values: Tensor) -> bool:
    """Whether operations on a tensor are PyTorch's own: those of some subclasses are the user's, or a library's."""
    return type(values).__torch_dispatch__ is Tensor.__torch_dispatch__


def readable(values: Tensor) -> bool:
    """Whether a tensor's numbers lie in memory one after another: it is neither sparse, nested, meta nor not yet made.

    What a subclass with operations of its own holds is not ours to look at: to look would call them.

    Example:
        >>> readable(torch.ones(2)), readable(torch.eye(2).to_sparse()), readable(torch.ones(2, device="meta"))
        (True, False, False)
    """
    return (
        plain(values)
        and not is_lazy(values)
        and values.layout is torch.strided
        and not values.is_nested
        and values.device.type != "meta"
    )


def as_double(values: Tensor) -> Tensor:
    """In float64, for sums over many batches; in float32 on Apple's devices, which have no float64."""
    return values.float() if values.device.type == "mps" else values.double()


class Spread(NamedTuple):
    """Mean, standard deviation and largest size; `centred` holds the numbers less their mean, in units of `unit`."""

    mean: Tensor
    std: Tensor
    largest: Tensor
    centred: Tensor
    unit: Tensor


def spread(values: Tensor) -> Spread:
    """Of at least one number in float32 or float64; NaN where one of them is not finite.

    Squares of float32 overflow from 1e19 on and vanish below 1e-22, sizes that deep networks do reach. So lengths are
    taken in units of the largest number. PyTorch's own std_mean takes five times as long.

    Example:
        >>> found = spread(torch.tensor([1e30, -1e30]))
        >>> float(found.mean), float(found.std) / 1e30
        (0.0, 1.0000000150474662)
    """
    low, high = values.aminmax()
    largest = torch.maximum(-low, high)
    unit = largest.clamp_min(torch.finfo(values.dtype).tiny)
    scaled = values / unit
    mean = scaled.mean()
    centred = scaled.sub_(mean)
    return Spread(mean * unit, root_mean_square(centred) * unit, largest, centred, unit)


def root_mean_square(values: Tensor) -> Tensor:
    """Square root of the mean square; 0 of no numbers."""
    found: Tensor = torch.linalg.vector_norm(values) / max(1, values.numel()) ** 0.5
    return found


def not_finite_share(values: Tensor, largest: Tensor) -> Tensor | float:
    """Share of values that are NaN or infinite; where the largest size is at hand without waiting, it mostly tells."""
    if largest.device.type == "cpu" and math.isfinite(largest.item()):
        return 0.0
    return 1 - torch.isfinite(values).mean(dtype=torch.float32)
