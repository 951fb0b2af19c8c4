"""Missing numbers: replaced by the training mean, and marked for the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from babysit.data._statistics import ColumnStatistics
from babysit.data._step import Step
from babysit.data._wording import counted
from babysit.record import InputError


class Impute(Step):
    """Fill missing numbers (NaN) by the training mean, and append a 0/1 column for each column that misses some.

    Which columns get an indicator is decided in training: a value that is missing later in another column is filled
    in without one.

    Args:
        features: D, number columns.
        indicators: Columns that get an indicator; None for those in which the training rows miss values.

    Shapes:
        [N, D] of any real type to float32 [N, D + indicators]; whole numbers miss nothing.

    Attributes:
        mean: float64 [D] of the present training values.
        missing_share: float64 [D] which share of the training rows lacked the value.

    Raises:
        InputError: An indicator for a column that is not there, or it is used before it was fitted.
        DataError: Rows of another width; in `fit` also no rows or an infinite value.

    Example:
        >>> rows = torch.tensor([[1.0, 5.0], [3.0, float("nan")]])
        >>> Impute(2).fit([rows])(rows).tolist()
        [[1.0, 5.0, 0.0], [3.0, 5.0, 1.0]]
    """

    mean: Tensor
    missing_share: Tensor
    _where: Tensor

    def __init__(self, features: int, indicators: Sequence[int] | None = None) -> None:
        super().__init__(features)
        if indicators is not None and not set(indicators) <= set(range(features)):
            raise InputError(
                f"indicators for the columns {list(indicators)}, and there is no such column among {features}",
                legal=f"column numbers from 0 to {features - 1}",
            )
        self.indicators = None if indicators is None else tuple(sorted(set(indicators)))
        self._asked = self.indicators
        self._statistic("mean", features)
        self._statistic("missing_share", features)
        self._working("_where", torch.empty(0, dtype=torch.int64))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of one row after the step."""
        if self.indicators is None:
            raise InputError("the columns with missing values are known only after fitting", write="fit(chunks) first")
        return (self.features + len(self.indicators),)

    def forward(self, raw: Tensor) -> Tensor:
        """Rows [N, D] to float32 [N, D + indicators]."""
        return torch.cat([self.fill(raw).to(torch.float32), self.missing(raw)], dim=1)

    def fill(self, raw: Tensor) -> Tensor:
        """Rows [N, D] with the mean where a number is missing, in the type they came in."""
        self._check(raw)
        if not raw.is_floating_point():
            return raw
        return torch.where(raw.isnan(), self.mean.to(raw.dtype), raw)

    def missing(self, raw: Tensor) -> Tensor:
        """Float32 [N, indicators]: 1 where the number is missing."""
        return raw.index_select(1, self._where).isnan().to(torch.float32)

    def _learn(self, statistics: ColumnStatistics) -> None:
        self.mean = statistics.mean
        self.missing_share = statistics.missing_share

    def _derive(self) -> None:
        if self._asked is None:
            self.indicators = tuple(int(column) for column in (self.missing_share > 0).nonzero()[:, 0])
        self._where = torch.tensor(self.indicators, dtype=torch.int64, device=self.mean.device)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        lacking = int((self.missing_share > 0).sum())
        if lacking == 0 and not self.indicators:
            return "no number was missing in the training rows; one that is missing later is replaced by their mean"
        text = f"missing numbers are replaced by the training mean ({counted(lacking, 'column')} had some"
        text += f", in at most {self.missing_share.max():.1%} of the rows)"
        return f"{text}; {counted(len(self.indicators or ()), 'column')} of 0 and 1 added that mark them"
