"""What is to be learned: classes or numbers, their range, their shares, and whether batches are drawn evenly."""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.data import Moments, moments_of
from babysit.probes._inputs import share_not_finite
from babysit.probes._numbers import as_double, readable, some_rows
from babysit.probes._pending import Pending
from babysit.record import TARGETS

MOST_CLASSES = 2000  # more are not counted one by one
AXES_OF_ROWS = 2  # of targets that are one number, or one row of numbers, each
MOST_BATCHES = 200  # whose counts are kept for the dispersion
LEFT_OUT = -100  # the class number that PyTorch's losses leave out unless told otherwise


class TargetProbe:
    """Running counts of classes, or running statistics of numbers, over the batches seen."""

    def __init__(self) -> None:
        self._counts: list[Tensor] = []  # [classes], one a batch, of the last batches
        self._total: Tensor | None = None  # the same over all
        self._low: Tensor | None = None
        self._high: Tensor | None = None
        self._origin: Tensor | None = None  # one of the first batch's numbers: distances from it lose no digits
        self._moments: Moments[Tensor] | None = None  # of the finite numbers, about the origin
        self._row_means: Moments[Tensor] | None = None  # of rows' means, about the origin
        self._batches: list[Tensor] = []  # of rows' means in the last batches: count and sum
        self._rows = 0
        self._binary: bool | None = None  # whether targets that are numbers are zeros and ones

    def see(self, step: int, targets: Tensor, width: int, pending: Pending) -> None:
        """Measure targets [N, ...] of a network with `width` outputs a row."""
        targets = targets.detach()
        if not readable(targets) or not targets.numel() or targets.is_complex():
            return
        targets = targets if targets.ndim else targets.reshape(1)
        pending.add(step, TARGETS, "batch-rows", float(targets.shape[0]))
        if targets.is_floating_point():
            self._numbers(step, targets, width, pending)
        else:
            self._classes(step, targets.reshape(-1).long(), max(width, 2), pending)
            self._rows += targets.shape[0]
        pending.add(step, TARGETS, "rows-seen", float(self._rows))

    def _numbers(self, step: int, targets: Tensor, width: int, pending: Pending) -> None:
        pending.add(step, TARGETS, "not-finite-share", share_not_finite(targets))
        part = some_rows(targets)
        values = as_double(part.reshape(part.shape[0], -1))  # [rows, numbers of a row]
        self._rows += values.shape[0]
        finite = torch.isfinite(values)
        self._keep_range(torch.where(finite, values, torch.inf).amin(), torch.where(finite, values, -torch.inf).amax())
        if self._origin is None:
            first = values.flatten()[finite.flatten().to(torch.uint8).argmax()]
            self._origin = torch.where(torch.isfinite(first), first, 0.0)
        about = torch.where(finite, values - self._origin, 0.0)
        self._moments = _joined(self._moments, moments_of(about.flatten(), finite.flatten()))
        found = finite.sum(1)
        means = about.sum(1) / found.clamp_min(1)
        self._row_means = _joined(self._row_means, moments_of(means, found > 0))
        self._batches = [*self._batches[-(MOST_BATCHES - 1) :], torch.stack(((found > 0).sum(), means.sum()))]
        whole = ((values == values.round()) & finite).sum() / finite.sum()  # NaN of none
        seen = self._moments.count > 0
        assert self._low is not None
        assert self._high is not None
        numbers = {
            "value-mean": self._origin + self._moments.mean,
            "value-std": self._moments.variance.sqrt(),
            "value-min": self._low,
            "value-max": self._high,
        }
        for name, value in numbers.items():
            pending.add(step, TARGETS, name, torch.where(seen, value, torch.nan))
        pending.add(step, TARGETS, "integer-share", whole)
        if len(self._batches) > 1:
            between = variance_of_batches(torch.stack(self._batches))
            # Numbers that are all the same have no spread, and none between batches.
            of_rows = self._row_means.variance
            ratio = torch.where(of_rows > 0, between / of_rows, 0.0)
            pending.add(step, TARGETS, "target-dispersion", ratio)
        # Zeros and ones under a binary loss are classes, too: of a row, or of each pixel where one map is given out.
        one_label = values.shape[1] == 1 or (width == 1 and targets.ndim > AXES_OF_ROWS)
        if one_label and self._binary is not False:
            self._binary = bool(((values == 0) | (values == 1) | ~finite).all())  # waits for the device
            if self._binary:
                self._count(step, torch.where(finite, values, -1.0).reshape(-1).long(), 2, pending)

    def _classes(self, step: int, targets: Tensor, width: int, pending: Pending) -> None:
        kept = targets != LEFT_OUT
        numbers = as_double(targets)
        self._keep_range(torch.where(kept, numbers, torch.inf).amin(), torch.where(kept, numbers, -torch.inf).amax())
        assert self._low is not None
        assert self._high is not None
        seen = self._low <= self._high  # a batch that is all left out has no range
        pending.add(step, TARGETS, "label-min", torch.where(seen, self._low, torch.nan))
        pending.add(step, TARGETS, "label-max", torch.where(seen, self._high, torch.nan))
        if width <= MOST_CLASSES:
            self._count(step, targets, width, pending)

    def _count(self, step: int, targets: Tensor, classes: int, pending: Pending) -> None:
        ones = as_double((targets >= 0) & (targets < classes))
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


def _joined(known: Moments[Tensor] | None, more: Moments[Tensor]) -> Moments[Tensor]:
    """Where batches come on several devices, the last one's is taken."""
    if known is None:
        return more
    device = more.mean.device
    return Moments(known.count.to(device), known.mean.to(device), known.squares.to(device)).joined(more)


def variance_of_batches(batches: Tensor) -> Tensor:
    """Variance of rows as batches' means [batches, (rows, sum)] tell it when rows are shuffled, whatever their sizes.

    Sum over batches of n (m - mean)^2 over b - 1, m the mean of a batch's n rows.

    Example:
        >>> float(variance_of_batches(torch.tensor([[4.0, 4.0], [4.0, -4.0]])))
        8.0
    """
    rows, sums = batches.unbind(1)
    means = sums / rows.clamp_min(1)
    mean = sums.sum() / rows.sum().clamp_min(1)
    return (rows * (means - mean).square()).sum() / max(1, len(batches) - 1)


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
