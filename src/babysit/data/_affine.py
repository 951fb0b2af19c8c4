"""Shifting and scaling each number: zero-centre, standardise, scale to a range; and the same for targets.

Source: Stanford CS231n, course notes 2, "Setting up the data": zero-centre by the mean, normalise by the standard
deviation. Statistics come from the training split only.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Self

import torch
from torch import Tensor

from babysit.data._statistics import ColumnStatistics, statistics_of
from babysit.data._step import WIDE, Step
from babysit.data._wording import counted
from babysit.record import DataError, InputError


class Affine(Step):
    """y = (x - centre) * factor + low for each number, exact also where x is far from zero.

    float64 and long integers are shifted in float64. Others are shifted in float32 by the float32 number nearest to
    the centre, which is exact near it (Sterbenz's lemma), and what that number lacks is put right by the offset.
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        for name, dtype in (
            ("_centre", torch.float64),
            ("_factor", torch.float64),
            ("_near", torch.float32),
            ("_offset", torch.float32),
            ("_factor32", torch.float32),
        ):
            self._working(name, torch.full(self.shape, torch.nan, dtype=dtype))
        self.low = 0.0

    _centre: Tensor
    _factor: Tensor
    _near: Tensor
    _offset: Tensor
    _factor32: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        """Rows [N, *shape] of any real type to float32 [N, *shape]; a missing value (NaN) stays one."""
        self._check(raw)
        if raw.dtype in WIDE:
            return ((raw - self._centre) * self._factor + self.low).to(torch.float32)
        return torch.addcmul(self._offset, raw.to(torch.float32) - self._near, self._factor32)

    @abc.abstractmethod
    def _parts(self) -> tuple[Tensor, Tensor]:
        """Centre and factor, float64, each broadcast to the row's shape."""

    def _derive(self) -> None:
        centre, factor = (part.expand(self.shape).clone() for part in self._parts())
        near = centre.to(torch.float32)
        self._centre, self._factor = centre, factor
        self._near, self._factor32 = near, factor.to(torch.float32)
        self._offset = ((near.to(centre.dtype) - centre) * factor + self.low).to(torch.float32)


class Centre(Affine):
    """Zero-centre: subtract each feature's mean.

    Args:
        shape: Of one row.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Raises:
        InputError: It is used before it was fitted.
        DataError: Rows of another shape; in `fit` also no rows or an infinite value.

    Example:
        >>> Centre(2).fit([torch.tensor([[1.0, 10.0], [3.0, 30.0]])])(torch.tensor([[2.0, 10.0]])).tolist()
        [[0.0, -10.0]]
    """

    mean: Tensor

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        self._statistic("mean", *self.shape)

    def _learn(self, statistics: ColumnStatistics) -> None:
        self.mean = statistics.mean.reshape(self.shape)

    def _parts(self) -> tuple[Tensor, Tensor]:
        return self.mean, torch.ones_like(self.mean)

    def forward(self, raw: Tensor) -> Tensor:
        """Rows [N, *shape] of any real type to float32 [N, *shape]; a missing value (NaN) stays one."""
        if raw.dtype in WIDE or raw.is_floating_point():
            return super().forward(raw)
        # Short whole numbers are not far from zero against their steps of 1: the nearest float32 mean serves.
        self._check(raw)
        return raw.to(torch.float32) - self._near

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"{counted(self.features, 'feature')} zero-centred: the mean of the training rows is subtracted"


class Standardise(Affine):
    """Subtract each feature's mean and divide by its standard deviation (over N), as StandardScaler does.

    A feature with no variance is divided by 1, never by 0.

    Args:
        shape: Of one row.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Attributes:
        mean: float64, of the row's shape.
        std: float64, of the row's shape; 0 for a feature with no variance.

    Raises:
        InputError: It is used before it was fitted.
        DataError: Rows of another shape; in `fit` also no rows or an infinite value.

    Example:
        >>> rows = torch.tensor([[1.6e9, 7.0], [1.6e9 + 200, 7.0]], dtype=torch.float64)
        >>> step = Standardise(2).fit([rows])
        >>> step(rows).tolist(), step.constant_features
        ([[-1.0, 0.0], [1.0, 0.0]], [1])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        self._statistic("mean", *self.shape)
        self._statistic("std", *self.shape)

    @property
    def constant_features(self) -> list[int]:
        """Numbers of the features that had no variance in training (of the flattened row)."""
        return [int(number) for number in (self.std.reshape(-1) == 0).nonzero()[:, 0]]

    def _learn(self, statistics: ColumnStatistics) -> None:
        self.mean = statistics.mean.reshape(self.shape)
        self.std = statistics.std.reshape(self.shape)

    def _parts(self) -> tuple[Tensor, Tensor]:
        return self.mean, 1 / torch.where(self.std > 0, self.std, 1.0)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        text = f"{counted(self.features, 'feature')} standardised: mean 0 and std 1 on the training rows"
        constant = counted(len(self.constant_features), "feature")
        return f"{text}; {constant} without variance only centred" if self.constant_features else text


class ScaleToRange(Affine):
    """Bring each feature's training range to [low, high], as MinMaxScaler does.

    Later values beyond the training range come out beyond [low, high]. A feature with one value becomes `low`.

    Args:
        shape: Of one row.
        low: Where the least training value goes.
        high: Where the greatest goes.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Raises:
        InputError: low is not below high, or it is used before it was fitted.
        DataError: Rows of another shape; in `fit` also no rows or an infinite value.

    Example:
        >>> ScaleToRange(1).fit([torch.tensor([[0.0], [10.0]])])(torch.tensor([[5.0], [20.0]])).tolist()
        [[0.5], [2.0]]
    """

    minimum: Tensor
    maximum: Tensor

    def __init__(self, shape: int | Sequence[int], low: float = 0.0, high: float = 1.0) -> None:
        super().__init__(shape)
        refuse_empty_range(low, high)
        self.low, self.high = low, high
        self._statistic("minimum", *self.shape)
        self._statistic("maximum", *self.shape)

    def _learn(self, statistics: ColumnStatistics) -> None:
        self.minimum = statistics.minimum.reshape(self.shape)
        self.maximum = statistics.maximum.reshape(self.shape)

    def _parts(self) -> tuple[Tensor, Tensor]:
        width = self.maximum - self.minimum
        return self.minimum, (self.high - self.low) / torch.where(width > 0, width, 1.0)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        scaled = f"{counted(self.features, 'feature')} scaled"
        return f"{scaled}: the range of the training rows becomes {self.low:g} to {self.high:g}"


def refuse_empty_range(low: float, high: float) -> None:
    """Raise an InputError unless low is below high."""
    if not low < high:
        raise InputError(f"the range from {low:g} to {high:g} is empty", legal="low below high")


class TargetStandardise(Standardise):
    """Subtract the training targets' mean and divide by their standard deviation; `inverse` gives the unit back.

    Targets that are all the same are divided by 1.

    Shapes:
        [N] of any real type to float32 [N], and back.

    Raises:
        InputError: It is used before it was fitted.
        DataError: In `fit`: no targets, or one that is missing or infinite.

    Example:
        >>> scaling = TargetStandardise().fit([torch.tensor([100.0, 300.0])])
        >>> scaling(torch.tensor([400.0])).tolist(), scaling.inverse(torch.tensor([2.0])).tolist()
        ([2.0], [400.0])
    """

    def __init__(self) -> None:
        super().__init__(1)

    def fit(self, chunks: Iterable[Tensor]) -> Self:
        """Learn from pieces [n] of the training targets, reading them once."""
        statistics = statistics_of((chunk.reshape(-1, 1) for chunk in chunks), 1)
        missing = statistics.rows - int(statistics.count)
        if missing:
            raise DataError(f"{missing} of {statistics.rows} targets are missing", legal="a number in each row")
        return self.fit_statistics(statistics)

    def forward(self, raw: Tensor) -> Tensor:
        """Targets [N] in their own unit to float32 [N] with mean 0 and std 1."""
        return super().forward(raw[:, None])[:, 0]

    def inverse(self, scaled: Tensor) -> Tensor:
        """Standardised values [N] back to the target's unit, in the type they came in."""
        self._check(scaled[:, None])
        factor = 1 / self._factor
        return torch.addcmul(self._centre.to(scaled.dtype), scaled, factor.to(scaled.dtype))

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"targets standardised: mean {self.mean.item():.6g} and std {self.std.item():.6g} become 0 and 1"
