"""What goes into the network: values and features over all rows seen, and what is no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from babysit.probe._pending import Pending
from babysit.probe._subset import as_float, some_rows
from babysit.record import INPUTS

NAMED_FEATURES = 64  # wider inputs are told by their extremes alone
IMAGE = 4  # dimensions from which on the second one holds channels


def first_tensor(given: object) -> Tensor | None:
    """The first tensor in arguments of any make: tuples, lists, dicts, and what is mapped like one."""
    if isinstance(given, Tensor):
        return given
    inside: Sequence[object] = ()
    if isinstance(given, Mapping):
        inside = list(given.values())
    elif isinstance(given, tuple | list):
        inside = given
    return next((found for item in inside if (found := first_tensor(item)) is not None), None)


class InputProbe:
    """Running statistics of the first tensor that enters the network, merged batch by batch (Chan et al. 1979)."""

    def __init__(self) -> None:
        self._rows = 0
        self._positions = 0  # values a feature has had
        self._mean: Tensor | None = None  # float64 [features], as are the next ones
        self._squares: Tensor | None = None  # sum of squares about the mean
        self._low: Tensor | None = None
        self._high: Tensor | None = None
        self._samples = 0

    def see(self, step: int, inputs: Tensor, pending: Pending, *, tell: bool = True) -> None:
        """Measure a batch [N, ...]: floating numbers; class numbers and tokens have no scale.

        What has been seen so far is written down when `tell` says so; it changes little from sample to sample.
        """
        inputs = inputs.detach()
        pending.add(step, INPUTS, "batch-rows", float(inputs.shape[0] if inputs.ndim else 1))
        if not inputs.is_floating_point() or not inputs.numel() or not inputs.ndim:
            return
        finite = torch.isfinite(inputs)
        pending.add(step, INPUTS, "not-finite-share", 1 - finite.mean(dtype=torch.float32))
        # NaN would end all sums; what is not finite is counted above and left out here.
        values = as_float(some_rows(inputs if inputs.ndim > 1 else inputs[:, None]))
        self._merge(
            torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
            .movedim(1 if values.ndim >= IMAGE else -1, -1)
            .reshape(-1, values.shape[1 if values.ndim >= IMAGE else -1])
        )
        self._rows += values.shape[0]
        self._samples += 1
        if tell:
            self._tell(step, pending)

    def _merge(self, values: Tensor) -> None:  # [positions, features]
        count = values.shape[0]
        variance, mean = torch.var_mean(values.double(), dim=0, correction=0)
        low, high = values.aminmax(dim=0)
        if self._mean is None or self._mean.shape != mean.shape:
            self._mean, self._squares, self._low, self._high = mean, variance * count, low, high
            self._positions, self._rows = count, 0
            return
        assert self._squares is not None
        assert self._low is not None
        assert self._high is not None
        total = self._positions + count
        shift = mean - self._mean
        self._mean = self._mean + shift * (count / total)
        self._squares = self._squares + variance * count + shift.square() * (self._positions * count / total)
        self._low, self._high = torch.minimum(self._low, low), torch.maximum(self._high, high)
        self._positions = total

    def _tell(self, step: int, pending: Pending) -> None:
        assert self._mean is not None
        assert self._squares is not None
        assert self._low is not None
        assert self._high is not None
        mean, variance = self._mean, self._squares / self._positions
        std = variance.sqrt()
        varies = self._high > self._low
        count = varies.sum().clamp_min(1)
        # Infinite stands for "no such feature" until the medians are taken over those that vary.
        of_varying = torch.where(varies, std, torch.full_like(std, torch.inf)).sort().values
        offsets = torch.where(varies, mean.abs() / std, torch.full_like(std, torch.inf)).sort().values
        middle = (count - 1) // 2
        numbers: dict[str, float | Tensor] = {
            "rows-seen": float(self._rows),
            "features": float(len(mean)),
            "constant-features": (~varies).sum(),
            "one-sign-share": (varies & ((self._low >= 0) | (self._high <= 0))).sum() / count,
            "value-mean": mean.mean(),
            "value-std": (variance.mean() + mean.var(correction=0)).sqrt(),
            "value-min": self._low.amin(),
            "value-max": self._high.amax(),
            "feature-std-low": of_varying[0],
            "feature-std-median": of_varying.index_select(0, middle.reshape(1)).squeeze(),
            "feature-std-high": std.amax(),
            "feature-offset-median": offsets.index_select(0, middle.reshape(1)).squeeze(),
            "feature-offset-high": torch.where(varies, offsets_of(mean, std), torch.zeros_like(std)).amax(),
        }
        for name, value in numbers.items():
            pending.add(step, INPUTS, name, value)
        # Feature by feature at powers of two: often enough to name the worst, rare enough to stay small.
        if len(mean) <= NAMED_FEATURES and self._samples & (self._samples - 1) == 0:
            for number in range(len(mean)):
                pending.add(step, f"{INPUTS}[{number}]", "feature-mean", mean[number])
                pending.add(step, f"{INPUTS}[{number}]", "feature-std", std[number])


def offsets_of(mean: Tensor, std: Tensor) -> Tensor:
    """|mean| / std of each feature."""
    return mean.abs() / std
