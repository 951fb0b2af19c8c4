"""What goes into the network: values and features over all rows seen, and which values are not finite."""

from __future__ import annotations

import dataclasses
import math
from collections import UserDict
from collections.abc import Iterable

import torch
from torch import Tensor

from babysit.data import Moments, moments_of
from babysit.probes._numbers import as_double, as_float, readable, some_rows
from babysit.probes._pending import Pending
from babysit.record import INPUTS

NAMED_FEATURES = 64  # wider inputs are told by their extremes alone
DEPTH = 8  # of lists within lists that are looked into
IMAGE = 4  # dimensions from which on the second one holds channels


def first_tensor(given: object, depth: int = DEPTH) -> Tensor | None:
    """The first tensor in arguments of any make: tuples, lists, dicts, and what is derived from them.

    They are read as what they are derived from, so that no method of a class of the user's is called.
    """
    if isinstance(given, Tensor):
        return given
    inside: Iterable[object] = ()
    if isinstance(given, UserDict):
        given = vars(given).get("data")
    if isinstance(given, dict):
        inside = list(dict.values(given))
    elif isinstance(given, tuple):
        inside = tuple.__iter__(given)
    elif isinstance(given, list):
        inside = list.__iter__(given)
    elif dataclasses.is_dataclass(given) and hasattr(given, "__dict__"):
        inside = list(vars(given).values())
    if not depth:
        return None
    return next((found for item in inside if (found := first_tensor(item, depth - 1)) is not None), None)


class InputProbe:
    """Running statistics of the first tensor that enters the network."""

    def __init__(self) -> None:
        self._rows = 0
        # [features] each, in float64
        self._moments: Moments[Tensor] | None = None  # of the finite values that a feature has had
        self._low = self._high = torch.zeros(0)
        self._samples = self._named = 0  # and at which of them features were told one by one

    def see(self, step: int, inputs: Tensor, pending: Pending, *, tell: bool = True) -> None:
        """Measure a batch [N, ...]: floating numbers; class numbers and tokens have no scale.

        What has been seen so far is written down when `tell` says so; it changes little from sample to sample.
        """
        inputs = inputs.detach()
        if not readable(inputs):
            return
        pending.add(step, INPUTS, "batch-rows", float(inputs.shape[0] if inputs.ndim else 1))
        if not inputs.is_floating_point() or not inputs.numel() or not inputs.ndim:
            return
        pending.add(step, INPUTS, "not-finite-share", share_not_finite(inputs))
        self._add(inputs)
        self._samples += 1
        if tell:
            self._tell(step, pending)

    def see_more(self, inputs: Tensor) -> None:
        """Take a further batch of the same step into account; it is told with the next one."""
        if inputs.is_floating_point() and inputs.numel() and inputs.ndim and readable(inputs.detach()):
            self._add(inputs.detach(), alike=True)

    def _add(self, inputs: Tensor, *, alike: bool = False) -> None:
        """Join values with those seen before; `alike` leaves out what has other features."""
        values = as_float(some_rows(inputs if inputs.ndim > 1 else inputs[:, None]))
        rows, channels = values.shape[0], 1 if values.ndim >= IMAGE else -1
        values = values.movedim(channels, -1)
        values = values.reshape(-1, values.shape[-1])
        if not alike or (self._moments is not None and self._moments.mean.shape == values.shape[1:]):
            self._merge(as_double(values), rows)

    def _merge(self, values: Tensor, rows: int) -> None:  # [positions, features]
        finite = torch.isfinite(values)  # what is not is counted elsewhere and adds nothing here
        moments = moments_of(values, finite)
        low = torch.where(finite, values, torch.inf).amin(0)
        high = torch.where(finite, values, -torch.inf).amax(0)
        known = self._moments
        if known is None or known.mean.shape != moments.mean.shape or known.mean.device != moments.mean.device:
            self._moments, self._low, self._high, self._rows = moments, low, high, rows
            return
        self._moments, self._rows = known.joined(moments), self._rows + rows
        self._low, self._high = torch.minimum(self._low, low), torch.maximum(self._high, high)

    def _tell(self, step: int, pending: Pending) -> None:
        assert self._moments is not None
        mean, variance = self._moments.mean, self._moments.variance
        std = variance.sqrt()
        varies = self._high > self._low
        count = varies.sum().clamp_min(1)
        weights = self._moments.count / self._moments.count.sum().clamp_min(1)
        whole = (mean * weights).sum()
        offsets = mean.abs() / torch.where(varies, std, 1.0)
        one_sign = (self._low >= 0) | (self._high <= 0)
        numbers: dict[str, float | Tensor] = {
            "rows-seen": float(self._rows),
            "features": float(len(mean)),
            "constant-features": (~varies).sum(),
            "one-sign-share": (varies & one_sign).sum() / count,
        }
        of_values = {
            "value-mean": whole,
            "value-std": (((variance + (mean - whole).square()) * weights).sum()).sqrt(),
            "value-min": self._low.amin(),
            "value-max": self._high.amax(),
            "feature-std-high": std.amax(),
        }
        of_varying = {
            "feature-std-low": torch.where(varies, std, torch.inf).amin(),
            "feature-std-median": _median(std, varies),
            "feature-offset-median": _median(offsets, varies),
            "feature-offset-high": torch.where(varies, offsets, 0.0).amax(),
        }
        # Where no value was finite, or no feature varies, there is no smallest one.
        for known, some in ((self._moments.count.any(), of_values), (varies.any(), of_varying)):
            numbers |= {name: torch.where(known, value, torch.nan) for name, value in some.items()}
        for name, value in numbers.items():
            pending.add(step, INPUTS, name, value)
        # Feature by feature whenever twice as many samples were seen: often enough to name the worst, and few rows.
        if len(mean) <= NAMED_FEATURES and self._samples >= 2 * self._named:
            self._named = self._samples
            for number in range(len(mean)):
                pending.add(step, f"{INPUTS}[{number}]", "feature-mean", mean[number])
                pending.add(step, f"{INPUTS}[{number}]", "feature-std", std[number])


def _median(values: Tensor, of: Tensor) -> Tensor:
    """The lower median of those that count; infinite stands for the others, which are sorted behind them."""
    ordered = torch.where(of, values, torch.inf).sort().values
    middle = (of.sum().clamp_min(1) - 1) // 2
    return ordered.index_select(0, middle.reshape(1)).squeeze()


def share_not_finite(values: Tensor) -> Tensor | float:
    """Share of all values that are NaN or infinite. One sum mostly tells that there is none, and costs less."""
    if values.device.type == "cpu":
        total = values.sum(dtype=torch.promote_types(values.dtype, torch.float32))
        if math.isfinite(total.item()):
            return 0.0
    return 1 - torch.isfinite(values).mean(dtype=torch.float32)
