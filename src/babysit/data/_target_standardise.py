"""Targets of a regression on the scale that losses, rates and initialisations are made for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor

from babysit.data._affine import Standardise
from babysit.data._statistics import statistics_of
from babysit.record import DataError


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
            raise DataError(f"{missing} of {statistics.rows} targets are missing", legal="a number for each row")
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
