"""Rows that come again: with whom they come, after how long, and whether their targets are the same."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from babysit.record import INPUTS, Event, Row

Numbers = np.ndarray[Any, Any]

MOST_ROWS = 4096  # different ones that are remembered
MOST_SECONDS = 1.0  # that may be spent on them
MOST_BYTES = 2**20  # of a row
LEAST_RETURNS = 64  # of rows, before their company and the time between are told
# Rows of a table of few columns are equal by chance, and their targets honestly differ. A row with so many different
# numbers is equal to another one only where both are the same picture or record.
RICH = 16
LEAST_PAIRS = 24  # of equal or mirrored rows
# Of the pairs. Two annotators of a picture disagree about one in 20 (CIFAR-10H) to one in four (LabelMe); two labels
# that know nothing of each other differ in half of the pairs at the least.
CONFLICTING = 0.4
ALIKE = 1e-6  # of a target's size


@dataclass
class _Known:
    """A row that was seen."""

    batch: int
    place: int  # among all rows
    targets: list[Numbers] = field(default_factory=list)  # different ones
    last: Numbers | None = None


class RowsFollowed:
    """Follows the rows of training batches.

    Args:
        tell: Where events and rows of the trace go.
    """

    def __init__(self, tell: Callable[[list[Event | Row]], None]) -> None:
        self._tell = tell
        self._rows: dict[int, _Known] = {}
        self._sizes: list[int] = []  # of batches
        self._place = 0
        self._spent = 0.0
        self._gaps: list[int] = []
        self._company: list[float] = []
        self._labels: list[tuple[int, int]] = []  # of equal rows
        self._mirrored_labels: list[tuple[int, int]] = []
        self._numbers: list[tuple[Numbers, Numbers]] = []  # of equal rows, where they differ
        self._same_numbers = 0
        self._masks = Counter[bool]()  # of mirrored rows: whether they stayed where they should have been mirrored

    def batch(self, inputs: Sequence[Tensor], targets: Tensor) -> None:
        """A batch that is trained on, as it enters the network, and its targets."""
        if self._spent > MOST_SECONDS or not inputs:
            return
        began = time.perf_counter()
        self._look(inputs, targets)
        self._spent += time.perf_counter() - began

    def _look(self, inputs: Sequence[Tensor], targets: Tensor) -> None:
        first = inputs[0]
        if first.ndim < 2 or len(first) < 2 or first.layout is not torch.strided or first.is_nested:
            return
        count = len(first)
        given = [one for one in inputs if one.ndim and len(one) == count]
        arrays = [one.detach().cpu().contiguous().numpy() for one in given if one.dtype is not torch.bfloat16]
        if sum(one.nbytes for one in arrays) > MOST_BYTES * count or not arrays:
            return
        wanted = None
        if targets.ndim and len(targets) == count and targets[0].numel() <= arrays[0][0].size + 8:
            wanted = targets.detach().cpu().numpy()
            if np.array_equal(np.sort(wanted, axis=0), np.arange(count)):
                wanted = None  # each row is to be told from the others of its batch, and its number is its place
        flips = _flips(arrays[0])
        number, before = len(self._sizes), Counter[int]()
        returned: list[_Known] = []
        for at in range(count):
            rest = b"".join(one[at].tobytes() for one in arrays[1:])
            key = hash(arrays[0][at].tobytes() + rest)
            known = self._rows.get(key)
            if known is not None and known.batch != number:
                self._gaps.append(self._place + at - known.place)
                before[known.batch] += 1
                returned.append(_Known(known.batch, 0))
                known.batch, known.place = number, self._place + at
            elif known is None and len(self._rows) < MOST_ROWS:
                known = self._rows[key] = _Known(number, self._place + at)
            if known is not None and wanted is not None:
                self._meets(known, wanted[at], arrays[0][at])
                for axis, flipped in flips:
                    other = self._rows.get(hash(flipped[at].tobytes() + rest))
                    if other is not None and other is not known and other.targets:
                        self._mirrored(wanted[at], other.targets[0], axis, arrays[0][at])
        self._company += [before[one.batch] / self._sizes[one.batch] for one in returned]
        self._sizes.append(count)
        self._place += count

    def _meets(self, known: _Known, target: Numbers, row: Numbers) -> None:
        """A row with its target; other targets of the same row are known."""
        if known.targets and _is_rich(row):
            differing = [one for one in known.targets if not _alike(one, target)]
            if _is_label(target) and known.last is not None:
                self._labels.append((int(known.last.reshape(-1)[0]), int(target.reshape(-1)[0])))
                known.last = np.array(target)
                return
            if differing:
                self._numbers.append((differing[0], target))
            else:
                self._same_numbers += 1
            if len(differing) < len(known.targets) or len(known.targets) > 3:
                return
        elif known.targets:
            return
        known.last = np.array(target)
        known.targets.append(known.last)

    def _mirrored(self, target: Numbers, other: Numbers, axis: int, row: Numbers) -> None:
        """A row whose mirror image was seen with another target, or the same."""
        if not _is_rich(row):
            return
        if _is_label(target):
            self._mirrored_labels.append((int(other.reshape(-1)[0]), int(target.reshape(-1)[0])))
        elif target.ndim < -axis or target.shape[axis] != row.shape[axis] or target.shape != other.shape:
            return
        elif not _alike(np.flip(target, axis), target):
            self._masks[_alike(target, other)] += 1

    def end(self) -> None:
        """The training is over."""
        if len(self._gaps) >= LEAST_RETURNS:
            gaps = np.asarray(self._gaps, dtype=np.float64)
            self._tell([
                Row(0, "train", INPUTS, "return-company", float(np.mean(self._company))),
                Row(0, "train", INPUTS, "return-gap-variation", float(gaps.std() / gaps.mean())),
            ])  # fmt: skip
        for text in (self._of_labels(), self._of_masks(), self._of_numbers()):
            if text is not None:
                self._tell([Event(0, "targets-conflict", f"rows: {text}")])
                return

    def _of_labels(self) -> str | None:
        differing = sum(one != other for one, other in self._labels)
        if differing >= CONFLICTING * len(self._labels) and _scattered(self._labels) >= CONFLICTING:
            return f"of {len(self._labels)} rows that came again, {differing} came with another label"
        share = _scattered(self._mirrored_labels)
        if share >= CONFLICTING:
            text = f"of {len(self._mirrored_labels)} rows that came mirrored, {share:.0%} have another label than most"
            return f"{text} mirrored rows of their label have"
        return None

    def _of_masks(self) -> str | None:
        pairs = sum(self._masks.values())
        share = self._masks[True] / pairs if pairs else 0.0
        if pairs < LEAST_PAIRS or share < CONFLICTING:
            return None
        return f"of {pairs} rows that came mirrored, {share:.0%} kept their targets as they were: they are not mirrored"

    def _of_numbers(self) -> str | None:
        """Targets of equal rows that are each other's mirror images: in another order, or of constant sums."""
        pairs = self._numbers
        if len(pairs) < LEAST_PAIRS or len(pairs) < CONFLICTING * (len(pairs) + self._same_numbers):
            return None
        moved = [np.allclose(np.sort(one, axis=None), np.sort(other, axis=None)) for one, other in pairs]
        if pairs[0][0].size > 1 and np.mean(moved) >= CONFLICTING:
            text = f"{np.mean(moved):.0%} of {len(pairs)} rows that came again with other targets had them mirrored"
            return f"{text}, while the row was not"
        sums = np.stack([(one + other).astype(np.float64).reshape(-1) for one, other in pairs])
        away = np.stack([(one - other).astype(np.float64).reshape(-1) for one, other in pairs])
        changed = np.abs(away).mean(0) > ALIKE
        if changed.any() and (sums.std(0)[changed] <= 1e-3 * away.std(0)[changed]).all():
            return f"{len(pairs)} rows that came again had their targets turned around, while the row was not"
        return None


def _scattered(labels: Sequence[tuple[int, int]]) -> float:
    """The share of labels that became another one than the same label mostly does; 0 of too few.

    A left hand that is mirrored is a right hand, and clusters may be numbered anew: a label then always becomes the
    same one.
    """
    if len(labels) < LEAST_PAIRS:
        return 0.0
    became: dict[int, Counter[int]] = {}
    for one, other in labels:
        became.setdefault(one, Counter())[other] += 1
    return 1 - sum(max(counts.values()) for counts in became.values()) / len(labels)


def _flips(rows: Numbers) -> list[tuple[int, Numbers]]:
    """Rows of pictures and signals mirrored along each of their last axes, which they are named by."""
    axes = {3: (-1,), 4: (-1, -2)}.get(rows.ndim, ())
    return [(axis, np.ascontiguousarray(np.flip(rows, axis))) for axis in axes]


def _is_rich(row: Numbers) -> bool:
    return row.size >= RICH and len(np.unique(row)) >= RICH


def _is_label(target: Numbers) -> bool:
    return target.size == 1 and bool(np.equal(np.mod(target, 1), 0).all())


def _alike(one: Numbers, other: Numbers) -> bool:
    if one.shape != other.shape:
        return False
    return bool(np.abs(one.astype(np.float64) - other).max(initial=0.0) <= ALIKE * (np.abs(one).max(initial=0.0) or 1))
