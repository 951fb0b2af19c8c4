"""Count, mean and variance of numbers that come in pieces and are seen once; and least and greatest of each feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from babysit.record import DataError

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[Any]
Number = TypeVar("Number", float, Floats, Tensor)

NUMBERS_PER_BLOCK = 2**16  # half a MiB of float64: the passes over a block find it in a core's own cache
# Of uint8: 256 numbers up to 255 add up within 16 bits, a square fits 16 bits too, and 256 squares add up within 32.
ROWS_PER_BYTE_BLOCK = 256
ROWS_PER_EXACT_SUM = 2**20  # rows^2 * 255^2 stays within 63 bits, so the variance of bytes is exact integer arithmetic


@dataclass(frozen=True)
class Moments(Generic[Number]):
    """Count, mean and squared distances of numbers: floats, arrays [D] or tensors [D] on any device.

    Two of them are joined by the pairwise update of Chan, Golub and LeVeque (1979), "Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances". No sum of raw squares is ever formed, so numbers far from zero lose no
    digits of their variance.

    Attributes:
        count: How many numbers there were.
        mean: Their mean; 0 where there were none.
        squares: Sum of their squared distances from the mean.

    Example:
        >>> both = Moments(2.0, 1.5, 0.5).joined(Moments(1.0, 6.0, 0.0))  # 1 and 2, then 6
        >>> both.mean, both.squares
        (3.0, 14.0)
    """

    count: Number
    mean: Number
    squares: Number

    def joined(self, other: Moments[Number]) -> Moments[Number]:
        """The moments of both parts together."""
        total = self.count + other.count
        share = other.count / (total + (total == 0))
        shift = other.mean - self.mean
        # Where one part is empty the product is 0 before the second factor could make it infinite.
        between = shift * (self.count * share) * shift
        return Moments(total, self.mean + shift * share, self.squares + other.squares + between)

    @property
    def variance(self) -> Number:
        """Mean squared distance from the mean (over N); 0 where there were no numbers."""
        variance: Number = self.squares / (self.count + (self.count == 0))
        return variance


def moments_of(values: Tensor, present: Tensor | None = None) -> Moments[Tensor]:
    """The moments of one piece, over its first dimension, found in two passes; waits for no device.

    Args:
        values: [n, ...] in float64, or in float32 where the device has no float64.
        present: bool [n, ...], which values count; None for all.

    Example:
        >>> found = moments_of(torch.tensor([[1.0, 5.0], [3.0, 9.0]]), torch.tensor([[True, True], [True, False]]))
        >>> found.count.tolist(), found.mean.tolist(), found.squares.tolist()
        ([2.0, 1.0], [2.0, 5.0], [2.0, 0.0])
    """
    if present is None:
        mean = values.mean(0) if len(values) else values.new_zeros(values.shape[1:])
        return Moments(torch.full_like(mean, len(values)), mean, (values - mean).square_().sum(0))
    count = present.sum(0, dtype=values.dtype)
    mean = torch.where(present, values, 0.0).sum(0) / count.clamp_min(1)
    return Moments(count, mean, torch.where(present, values - mean, 0.0).square_().sum(0))


class RunningMoments:
    """Moments and ends of each feature over pieces; NaN means missing and is skipped.

    A block's own moments are found in two passes while it is in the cache, and joined to those before. Means are
    kept as distances from a shift, the mean of the first values, so a mean of 1e8 costs a standard deviation of 1 no
    digits. Bytes are summed as integers, exactly.

    Args:
        features: How many features a row has.

    Attributes:
        rows: How many rows were seen.
        shift: float64 [D] the mean of the first values; 0 where no value was present.
        minimum: float64 [D]; infinity where no value was present.
        maximum: float64 [D]; minus infinity where no value was present.
    """

    def __init__(self, features: int) -> None:
        self.features = features
        self.rows = 0
        self.shift = np.zeros(features)
        self.minimum = np.full(features, np.inf)
        self.maximum = np.full(features, -np.inf)
        self._about_shift = Moments(np.zeros(features), np.zeros(features), np.zeros(features))

    @property
    def count(self) -> npt.NDArray[np.int64]:
        """[D] how many values were present."""
        return self._about_shift.count.astype(np.int64)

    @property
    def mean(self) -> Floats:
        """[D] mean of the present values; 0 where no value was present."""
        mean: Floats = self.shift + self._about_shift.mean
        return mean

    @property
    def squares(self) -> Floats:
        """[D] sums of squared distances from the mean."""
        return self._about_shift.squares

    @property
    def std(self) -> Floats:
        """[D] standard deviations (over N); 0 where no value was present."""
        std: Floats = np.sqrt(self._about_shift.variance)
        return std

    def update(self, numbers: Numbers) -> None:
        """Take in rows [n, D] of any real type; n may be 0."""
        if numbers.dtype == np.uint8:
            for start in range(0, len(numbers), ROWS_PER_EXACT_SUM):
                self._add_bytes(numbers[start : start + ROWS_PER_EXACT_SUM])
            return
        rows_per_block = max(1, NUMBERS_PER_BLOCK // max(1, self.features))
        for start in range(0, len(numbers), rows_per_block):
            self._add_block(numbers[start : start + rows_per_block].astype(np.float64))

    def merge(self, other: RunningMoments) -> None:
        """Take in what another has seen."""
        theirs = other._about_shift
        self._shift_new(other.shift, theirs.count > 0)
        away = theirs.mean + (other.shift - self.shift)
        self._join(other.rows, Moments(theirs.count, away, theirs.squares), other.minimum, other.maximum)

    def _add_bytes(self, numbers: Numbers) -> None:
        rows = len(numbers)
        total, square = np.zeros(self.features, np.int64), np.zeros(self.features, np.int64)
        low, high = np.full(self.features, 255, np.uint8), np.zeros(self.features, np.uint8)
        room = np.empty((min(rows, ROWS_PER_BYTE_BLOCK), self.features), np.uint16)
        for start in range(0, rows, ROWS_PER_BYTE_BLOCK):
            block = numbers[start : start + ROWS_PER_BYTE_BLOCK]
            wide = room[: len(block)]
            wide[...] = block
            total += wide.sum(0, dtype=np.uint16)
            np.multiply(wide, wide, out=wide)
            square += wide.sum(0, dtype=np.uint32)
            np.minimum(low, block.min(0), out=low)
            np.maximum(high, block.max(0), out=high)
        count = np.full(self.features, float(rows))
        squares = (rows * square - total * total) / rows
        self._shift_new(np.rint(total / rows), count > 0)
        found = Moments(count, total / rows - self.shift, squares)
        self._join(rows, found, low.astype(np.float64), high.astype(np.float64))

    def _add_block(self, block: Floats) -> None:
        rows = len(block)
        # Infinities are let through to the mean, where the result is checked once.
        with np.errstate(invalid="ignore", over="ignore"):
            mean = block.sum(0) / rows
            missing = None if np.isfinite(mean).all() else np.isnan(block)
            if missing is None:
                count = np.full(self.features, float(rows))
                minimum, maximum = block.min(0), block.max(0)
            else:
                count = (rows - missing.sum(0)).astype(np.float64)
                mean = np.where(missing, 0.0, block).sum(0) / np.maximum(count, 1)
                minimum = np.fmin.reduce(block, axis=0, initial=np.inf)
                maximum = np.fmax.reduce(block, axis=0, initial=-np.inf)
            self._shift_new(mean, count > 0)
            block -= mean
            if missing is not None:
                block[missing] = 0.0
            # The mean's own rounding error, found by centring again: the corrected two-pass algorithm of the paper.
            slip = block.sum(0) / np.maximum(count, 1)
            np.multiply(block, block, out=block)
            squares = block.sum(0) - slip * slip * count
            away = (mean - self.shift) + slip
        self._join(rows, Moments(count, away, np.maximum(squares, 0.0)), minimum, maximum)

    def _shift_new(self, mean: Floats, present: npt.NDArray[np.bool_]) -> None:
        new = present & (self._about_shift.count == 0)
        self.shift[new] = mean[new]

    def _join(self, rows: int, moments: Moments[Floats], minimum: Floats, maximum: Floats) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            self._about_shift = self._about_shift.joined(moments)
        self.rows += rows
        np.minimum(self.minimum, minimum, out=self.minimum)
        np.maximum(self.maximum, maximum, out=self.maximum)


def as_numbers(chunk: Tensor, features: int) -> Numbers:
    """A piece of the data as rows [n, D] that NumPy can count with, without a copy where it can be.

    Args:
        chunk: [n, ...] of any real type, on any device.
        features: D, how many numbers a row must hold.

    Raises:
        DataError: The rows hold another number of numbers, or the numbers are complex.
    """
    row = tuple(chunk.shape[1:])
    if chunk.ndim == 0 or torch.Size(row).numel() != features:
        raise DataError(
            f"a piece of the data has shape {tuple(chunk.shape)}",
            legal=f"rows first, then {features} numbers for each row",
            cause="these rows have other columns or another image size than the rows before",
        )
    if chunk.is_complex():
        raise DataError("the data holds complex numbers", legal="real numbers")
    if chunk.dtype in (torch.float16, torch.bfloat16):
        chunk = chunk.float()
    elif chunk.dtype == torch.bool:
        chunk = chunk.to(torch.uint8)
    numbers: Numbers = chunk.detach().cpu().reshape(len(chunk), features).numpy()
    return numbers
