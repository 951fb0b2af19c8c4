"""Streaming statistics: all that preprocessing needs to know about the training rows, from reading them once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from babysit.data._covariance import RunningCovariance
from babysit.data._moments import RunningMoments, as_numbers
from babysit.record import DataError

# Values that differ by this share of their size differ by rounding alone.
ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of D features over N rows, in float64.

    A missing value (NaN) is skipped by all but the covariance, which takes it for the mean. A feature with no value at
    all has mean, variance, minimum and maximum 0.

    Attributes:
        rows: N.
        count: int64 [D] how many values are present.
        mean: [D].
        variance: [D] over the present values (population form); exactly 0 for a feature with one value.
        minimum: [D].
        maximum: [D].
        dtype: Type of the raw numbers.
        covariance: [D, D] over N of the rows with missing values filled by the mean; None when not asked for.
    """

    rows: int
    count: Tensor
    mean: Tensor
    variance: Tensor
    minimum: Tensor
    maximum: Tensor
    dtype: torch.dtype
    covariance: Tensor | None = None

    @property
    def std(self) -> Tensor:
        """[D] standard deviations (population form)."""
        return self.variance.sqrt()

    @property
    def divisor(self) -> Tensor:
        """[D] what standardising divides by: the standard deviation, or 1 for a feature with no variance."""
        return torch.where(self.variance > 0, self.std, 1.0)

    @property
    def missing_share(self) -> Tensor:
        """[D] which share of the rows lacks a value."""
        return 1 - self.count.double() / max(1, self.rows)

    def standardised(self) -> ColumnStatistics:
        """The statistics that the same rows would have after standardising, without reading them again.

        The covariance of standardised features is their correlation matrix (times the share of rows in which both are
        present, where values are missing).
        """
        divisor = self.divisor
        covariance = None if self.covariance is None else self.covariance / torch.outer(divisor, divisor)
        return dataclasses.replace(
            self,
            mean=torch.zeros_like(self.mean),
            variance=self.variance / divisor.square(),
            minimum=(self.minimum - self.mean) / divisor,
            maximum=(self.maximum - self.mean) / divisor,
            dtype=torch.float64,
            covariance=covariance,
        )


class RunningStatistics:
    """Statistics gathered piece by piece, in one pass and O(D) memory; O(D^2) with the covariance.

    Args:
        features: D, how many numbers a row holds.
        covariance: Whether pairs of features are wanted too.

    Example:
        >>> running = RunningStatistics(features=2)
        >>> _ = running.update(torch.tensor([[1.0, 5.0], [3.0, 5.0]])).update(torch.tensor([[float("nan"), 5.0]]))
        >>> found = running.result()
        >>> found.count.tolist(), found.mean.tolist(), found.variance.tolist()
        ([2, 3], [2.0, 5.0], [1.0, 0.0])
    """

    def __init__(self, features: int, *, covariance: bool = False) -> None:
        self.features = features
        self._moments = RunningMoments(features)
        self._covariance = RunningCovariance(features) if covariance else None
        self._dtype: torch.dtype | None = None

    def update(self, chunk: Tensor) -> Self:
        """Take in rows [n, ...] with D numbers each, of any real type; n may be 0.

        Raises:
            DataError: The rows hold another number of numbers, or the numbers are complex.
        """
        numbers = as_numbers(chunk, self.features)
        self._saw(chunk.dtype)
        self._moments.update(numbers)
        if self._covariance is not None:
            self._covariance.update(numbers)
        return self

    def merge(self, other: RunningStatistics) -> Self:
        """Take in what another has seen, as if its rows had come here.

        Raises:
            DataError: The other has seen other features, or only one of the two gathers the covariance.
        """
        if self.features != other.features or (self._covariance is None) != (other._covariance is None):
            raise DataError(
                f"statistics of {other.features} features cannot be joined with those of {self.features}",
                legal="the same number of features, both with or both without the covariance",
            )
        if other._dtype is not None:
            self._saw(other._dtype)
        self._moments.merge(other._moments)
        if self._covariance is not None and other._covariance is not None:
            self._covariance.merge(other._covariance)
        return self

    def result(self) -> ColumnStatistics:
        """The statistics of all rows so far.

        Raises:
            DataError: There were no rows, or a value was infinite.
        """
        moments = self._moments
        if moments.rows == 0 or self._dtype is None:
            raise DataError("there are no rows to compute statistics from", cause="the stream or the split is empty")
        finite = np.isfinite(moments.mean) & np.isfinite(moments.squares)
        if not finite.all():
            columns = np.flatnonzero(~finite)
            named = ", ".join(str(column) for column in columns[:5]) + (", ..." if len(columns) > 5 else "")
            raise DataError(
                f"{len(columns)} of {self.features} features hold infinity or numbers too large to square: {named}",
                legal="finite numbers; NaN where a value is missing",
                cause="a division by zero, or a marker for missing values such as inf",
            )
        none = moments.count == 0
        minimum = np.where(none, 0.0, moments.minimum)
        maximum = np.where(none, 0.0, moments.maximum)
        size = np.maximum(np.abs(minimum), np.abs(maximum))
        constant = maximum - minimum <= ROUNDING * size
        variance = np.where(constant, 0.0, moments.squares / np.maximum(moments.count, 1))
        covariance = None
        if self._covariance is not None:
            pairs = self._covariance.result(moments.mean)
            pairs[constant] = 0.0
            pairs[:, constant] = 0.0
            covariance = torch.from_numpy(pairs)
        return ColumnStatistics(
            rows=moments.rows,
            count=torch.from_numpy(moments.count.copy()),
            mean=torch.from_numpy(np.where(constant, minimum, moments.mean)),
            variance=torch.from_numpy(variance),
            minimum=torch.from_numpy(minimum),
            maximum=torch.from_numpy(maximum),
            dtype=self._dtype,
            covariance=covariance,
        )

    def _saw(self, dtype: torch.dtype) -> None:
        if self._dtype is None:
            self._dtype = dtype
        elif self._dtype != dtype:
            self._dtype = torch.promote_types(self._dtype, dtype)


def statistics_of(chunks: Iterable[Tensor], features: int, *, covariance: bool = False) -> ColumnStatistics:
    """Statistics of a stream, read once.

    Args:
        chunks: Pieces [n, ...] of the rows.
        features: D, how many numbers a row holds.
        covariance: Whether pairs of features are wanted too.

    Raises:
        DataError: No rows, rows of another width, or an infinite value.

    Example:
        >>> found = statistics_of([torch.tensor([[0, 2], [4, 6]], dtype=torch.uint8)], 2, covariance=True)
        >>> found.covariance.tolist()
        [[4.0, 4.0], [4.0, 4.0]]
    """
    running = RunningStatistics(features, covariance=covariance)
    for chunk in chunks:
        running.update(chunk)
    return running.result()
