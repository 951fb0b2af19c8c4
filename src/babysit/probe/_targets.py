"""What is to be learned: classes or numbers, their range, their shares, and whether batches are drawn evenly."""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.probe._pending import Pending
from babysit.probe._subset import as_float, some_rows
from babysit.record import TARGETS

MOST_CLASSES = 2000  # more are not counted one by one
MOST_BATCHES = 200  # whose counts are kept for the dispersion


class TargetProbe:
    """Running counts of classes, or running statistics of numbers, over the batches seen."""

    def __init__(self) -> None:
        self._counts: list[Tensor] = []  # float64 [classes], one a batch, of the last batches
        self._total: Tensor | None = None  # the same over all
        self._low: Tensor | None = None
        self._high: Tensor | None = None
        self._means: list[Tensor] = []
        self._sums = torch.zeros(3, dtype=torch.float64)  # count, sum, sum of squares of numbers
        self._shift: Tensor | None = None  # the first batch's mean: sums about it lose no digits
        self._rows = 0
        self._binary: bool | None = None  # whether targets that are numbers are zeros and ones

    def see(self, step: int, targets: Tensor, width: int, pending: Pending) -> None:
        """Measure targets [N, ...] of a network with `width` outputs a row."""
        targets = targets.detach()
        if not targets.numel():
            return
        rows = targets.shape[0] if targets.ndim else 1
        self._rows += rows
        pending.add(step, TARGETS, "batch-rows", float(rows))
        pending.add(step, TARGETS, "rows-seen", float(self._rows))
        if targets.is_floating_point():
            self._numbers(step, targets, pending)
        else:
            self._classes(step, targets.reshape(-1).long(), max(width, 2), pending)

    def _numbers(self, step: int, targets: Tensor, pending: Pending) -> None:
        finite = torch.isfinite(targets)
        pending.add(step, TARGETS, "not-finite-share", 1 - finite.mean(dtype=torch.float32))
        values = torch.nan_to_num(as_float(some_rows(targets)).double(), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = values.aminmax()
        self._keep_range(low, high)
        if self._shift is None:
            self._shift = values.mean()
        about = values - self._shift
        mean = about.mean()
        self._means = [*self._means[-(MOST_BATCHES - 1) :], mean]
        self._sums = self._sums.to(values.device) + torch.stack(
            (torch.tensor(float(values.numel()), dtype=torch.float64, device=values.device), about.sum(),
             about.square().sum())
        )  # fmt: skip
        whole = self._sums[1] / self._sums[0]
        variance = (self._sums[2] / self._sums[0] - whole.square()).clamp_min(0)
        whole_numbers = (values == values.round()).mean(dtype=torch.float32)
        numbers = {
            "value-mean": self._shift + whole, "value-std": variance.sqrt(), "integer-share": whole_numbers,
            "value-min": self._low, "value-max": self._high,
        }  # fmt: skip
        if len(self._means) > 1:
            between = torch.stack(self._means).var()
            rows = targets.shape[0] if targets.ndim else 1
            numbers["target-dispersion"] = between * rows / variance.clamp_min(1e-300)
        for name, value in numbers.items():
            assert value is not None
            pending.add(step, TARGETS, name, value)
        if targets.ndim < 2 or targets.shape[1] == 1:  # zeros and ones under a binary loss are classes too
            if self._binary is not False:
                self._binary = bool(((values == 0) | (values == 1)).all())  # waits for the device, for numbers once
            if self._binary:
                self._count(step, values.reshape(-1).long(), 2, pending)

    def _classes(self, step: int, targets: Tensor, width: int, pending: Pending) -> None:
        # PyTorch's losses leave out -100 unless told otherwise: padding is no class.
        kept = targets != -100
        low = torch.where(kept, targets, torch.full_like(targets, 2**31)).amin().double()
        self._keep_range(low, torch.where(kept, targets, torch.full_like(targets, -(2**31))).amax().double())
        assert self._low is not None
        assert self._high is not None
        pending.add(step, TARGETS, "label-min", self._low)
        pending.add(step, TARGETS, "label-max", self._high)
        if width <= MOST_CLASSES:
            self._count(step, targets, width, pending)

    def _count(self, step: int, targets: Tensor, classes: int, pending: Pending) -> None:
        ones = ((targets >= 0) & (targets < classes)).double()
        counts = ones.new_zeros(classes).scatter_add_(0, targets.clamp(0, classes - 1), ones)
        if self._total is not None and self._total.shape != counts.shape:
            self._counts, self._total = [], None
        self._total = counts if self._total is None else self._total + counts
        self._counts = [*self._counts[-(MOST_BATCHES - 1) :], counts]
        shares = self._total / self._total.sum().clamp_min(1)
        pending.add(step, TARGETS, "classes-seen", (self._total > 0).sum())
        pending.add(step, TARGETS, "label-top-share", shares.amax())
        pending.add(step, TARGETS, "label-entropy", -torch.special.xlogy(shares, shares).sum())
        if len(self._counts) > 1:
            pending.add(step, TARGETS, "label-dispersion", dispersion(torch.stack(self._counts)))

    def _keep_range(self, low: Tensor, high: Tensor) -> None:
        self._low = low if self._low is None else torch.minimum(self._low, low)
        self._high = high if self._high is None else torch.maximum(self._high, high)


def dispersion(counts: Tensor) -> Tensor:
    """Spread of class counts [batches, classes] between batches over what shuffled rows would give.

    Mean over batches and classes seen of (n - B p)^2 / (B p (1 - p)), p a class's share of all batches, times
    b / (b - 1) for b batches. About 1 when shuffled, about B when every batch is of one class.

    Example:
        >>> float(dispersion(torch.tensor([[4.0, 0.0], [0.0, 4.0]])))
        8.0
    """
    sizes = counts.sum(1, keepdim=True)
    shares = counts.sum(0) / counts.sum().clamp_min(1)
    mixed = (shares > 0) & (shares < 1)
    variance = sizes * shares * (1 - shares)
    squares = (counts - sizes * shares).square() / torch.where(variance > 0, variance, torch.ones_like(variance))
    mean = (squares * mixed).sum() / (mixed.sum() * len(counts)).clamp_min(1)
    return mean * len(counts) / max(1, len(counts) - 1)
