"""All rows of the splits, gone through once without training: their values, their twins, what they were scaled by."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from babysit.data import Moments, moments_of
from babysit.probes import InputProbe, Pending, TargetProbe, first_tensor
from babysit.record import TARGETS, Histogram, Row
from babysit.rehearsal._subject import LiveParts
from babysit.remedies import Batch, inputs_and_targets

# A mean over n float32 rows is known to about 1e-7 sqrt(n); means and deviations of split rows differ by 1/sqrt(n).
EXACTLY = 1e-4
CLEARLY = 10.0  # times that


@dataclass
class RowsSeen:
    """What was seen of the rows.

    Attributes:
        rows: For a Trace, at the step given.
        training: Training rows looked at.
        validation: Validation rows looked at.
        whole: Whether that was all of them.
        kind: Of the inputs: numbers or class numbers; empty before the first batch.
    """

    rows: list[Row | Histogram] = field(default_factory=list)
    training: int = 0
    validation: int = 0
    whole: bool = True


def look_at_rows(live: LiveParts, step: int, *, seconds: float, width: int = 0, seed: int = 0) -> RowsSeen:
    """Go through training rows, then validation rows, once.

    Args:
        live: Whose batches; the network is not called.
        step: Step under which numbers are told.
        seconds: After which it stops.
        width: Outputs of the network, so that classes are counted up to there.
        seed: Of the order.
    """
    began = time.monotonic()
    seen, pending = RowsSeen(), Pending()
    inputs, targets = InputProbe(), TargetProbe()
    train, validation = _Split(), _Split()
    batches = live.batches(seed)
    for number in range(live.epoch_steps or 0):
        batch = next(batches)
        last = number + 1 == live.epoch_steps
        _see(batch, step, inputs, targets, pending, width, tell=last)
        train.add(batch)
        if time.monotonic() - began > seconds and not last:
            seen.whole = False
            _see(batch, step, inputs, targets, pending, width, tell=True)
            break
    seen.rows += _last_of_each(list(pending.rows()))
    seen.training = train.rows
    if live.validation is not None and seen.whole:
        for batch in live.validation():
            validation.add(batch)
            if time.monotonic() - began > seconds:
                seen.whole = False
                break
    seen.validation = validation.rows
    if validation.rows and train.hashes:
        seen.rows += [
            Row(step, "validation", "", "duplicate-rows-share", validation.share_in(train)),
            Row(step, "train", "", "twin-rows-share", train.twins()),
        ]
        if seen.whole and (share := _fitted_on_both(train, validation)) is not None:
            seen.rows.append(Row(step, "validation", "", "fitted-on-both-share", share))
    return seen


def _see(
    batch: Batch, step: int, inputs: InputProbe, targets: TargetProbe, pending: Pending, width: int, *, tell: bool
) -> None:
    with torch.no_grad():
        first = first_tensor(batch)
        if first is not None:
            inputs.see(step, first, pending, tell=tell)
        parts = inputs_and_targets(batch)
        if parts is not None and isinstance(parts[1], Tensor) and width:
            targets.see(step, parts[1], width, pending)


def _last_of_each(rows: list[Row]) -> list[Row]:
    """Of batch after batch under one step, what was taken over all of them; of shares in a batch, the worst."""
    kept: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.layer, row.quantity)
        worst = row.quantity == "not-finite-share" and key in kept and kept[key].value > row.value
        if not worst and row.quantity != "batch-rows":
            kept[key] = row
    # The targets' numbers stand in the trace as the loss saw them; these are the same rows, counted further.
    return [row for row in kept.values() if row.layer != TARGETS or row.quantity in _OF_TARGETS]


_OF_TARGETS = frozenset(
    {
        "label-top-share",
        "label-entropy",
        "classes-seen",
        "label-min",
        "label-max",
        "value-mean",
        "value-std",
        "value-min",
        "value-max",
        "not-finite-share",
        "label-dispersion",
        "target-dispersion",
        "rows-seen",
    }
)


class _Split:
    """Rows of one split: how often each is in it, and the moments of their features."""

    def __init__(self) -> None:
        self.hashes: Counter[int] = Counter()
        self.rows = 0
        self.moments: Moments[Tensor] | None = None  # of each feature, in float64

    def add(self, batch: Batch) -> None:
        first = first_tensor(batch)
        if first is None or not first.ndim or not len(first):
            return
        flat = first.detach().reshape(len(first), -1).cpu().contiguous()
        self.rows += len(flat)
        self.hashes.update(hash(row.tobytes()) for row in flat.numpy()) if flat.dtype != torch.bfloat16 else None
        if flat.is_floating_point():
            more, known = moments_of(flat.double()), self.moments
            self.moments = more if known is None or known.mean.shape != more.mean.shape else known.joined(more)

    def share_in(self, other: _Split) -> float:
        shared = sum(count for found, count in self.hashes.items() if found in other.hashes)
        return shared / max(1, self.rows)

    def twins(self) -> float:
        return sum(count for count in self.hashes.values() if count > 1) / max(1, self.rows)


def _fitted_on_both(train: _Split, validation: _Split) -> float | None:
    """Share of features with mean 0 and deviation 1 over both splits together, and not over the training rows."""
    if train.moments is None or validation.moments is None:
        return None
    if train.moments.mean.shape != validation.moments.mean.shape:
        return None
    both, alone = _off(train.moments.joined(validation.moments)), _off(train.moments)
    return float(((both < EXACTLY) & (alone > CLEARLY * EXACTLY)).double().mean())


def _off(moments: Moments[Tensor]) -> Tensor:
    """How far each feature is from mean 0 and deviation 1, with n or n - 1 in the denominator."""
    unbiased = moments.squares / (moments.count - 1).clamp_min(1)
    from_one = torch.minimum((moments.variance.sqrt() - 1).abs(), (unbiased.sqrt() - 1).abs())
    return torch.maximum(moments.mean.abs(), from_one)
