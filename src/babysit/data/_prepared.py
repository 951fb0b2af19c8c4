"""Prepared: rows ready to be cut into batches, with all that was found out on the way, its summary and fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from babysit.data._columns import Columns
from babysit.data._layout import ImageLayout, TableLayout
from babysit.data._rows import Indices, Rows
from babysit.data._splits import Keys
from babysit.data._target import Target, Task
from babysit.record import ColumnSummary, DataSummary, Decision

# All bytes are read up to this size; sha256 runs at more than 1 GB/s where the processor has instructions for it.
WHOLE = 256 * 2**20
BLOCKS = 1024


@dataclass(frozen=True)
class Prepared:
    """Rows ready to be cut into batches.

    Attributes:
        inputs: Raw inputs of all rows.
        targets: int64 class numbers [N], or float32 values [N] in the target's own unit.
        task: What is learned.
        layout: What the axes of a raw input mean.
        columns: How a table becomes raw inputs; None for arrays and images.
        split: Row numbers of train, validation and test; a phase may be empty.
        summary: The data in numbers.
        decisions: What was decided from the data.
        fingerprint: Changes when the data changes.
        keys: By what rows are split; None for a source that was not split here.
    """

    inputs: Rows
    targets: Tensor
    task: Task
    layout: TableLayout | ImageLayout
    columns: Columns | None
    split: Mapping[str, Indices]
    summary: DataSummary
    decisions: tuple[Decision, ...] = field(default=())
    fingerprint: str = ""
    keys: Keys | None = None


def prepared_from(
    inputs: Rows,
    target: Target,
    layout: TableLayout | ImageLayout,
    split: Mapping[str, Indices],
    *,
    source: str,
    columns: Columns | None = None,
    summaries: tuple[ColumnSummary, ...] = (),
    notes: tuple[str, ...] = (),
    decisions: tuple[Decision, ...] = (),
    keys: Keys | None = None,
) -> Prepared:
    """Rows with their summary and fingerprint.

    Args:
        inputs: Raw inputs of all rows.
        target: Encoded.
        layout: What the axes of a raw input mean.
        split: Row numbers by phase.
        source: Its name.
        columns: Of a table.
        summaries: Of its columns, as the training rows show them.
        notes: What a careful reader would want to know.
        decisions: What was decided from the data.
        keys: By what rows were split.
    """
    task, values = target.task, target.values
    counts: dict[str, tuple[int, ...]] = {}
    reach = None
    if task.kind == "classification":
        for phase, rows in split.items():
            own = torch.bincount(values[torch.from_numpy(rows)], minlength=len(task.classes))
            counts[phase] = tuple(own.tolist())
    else:
        train = values[torch.from_numpy(split["train"])]
        reach = (float(train.min()), float(train.max()))
    summary = DataSummary(
        source=source,
        kind="images" if isinstance(layout, ImageLayout) else "arrays" if columns is None else "table",
        rows=len(values),
        shape=tuple(inputs.shape[1:]),
        task=task.kind,
        target=task.target,
        classes=task.classes,
        splits={phase: len(rows) for phase, rows in split.items()},
        class_counts=counts,
        target_range=reach,
        columns=summaries,
        notes=notes,
    )
    words = (*(columns.features if columns is not None else ()), *task.classes)
    return Prepared(
        inputs=inputs,
        targets=values,
        task=task,
        layout=layout,
        columns=columns,
        split=split,
        summary=summary,
        decisions=decisions,
        fingerprint=fingerprint(inputs, values, words),
        keys=keys,
    )


def fingerprint(inputs: Rows, targets: Tensor, words: Iterable[str]) -> str:
    """Sixteen hexadecimal digits of inputs, targets and what they mean.

    Inputs up to 256 MiB count with every byte; of larger ones, 1,024 evenly spaced runs of rows, the first and the
    last among them, so that it stays cheap. Targets always count whole.

    Args:
        inputs: All rows.
        targets: [N].
        words: Names of columns and classes, in order.
    """
    digest = hashlib.sha256()
    digest.update(repr((tuple(inputs.shape), str(inputs.dtype), tuple(words))).encode())
    bytes_per_row = inputs.dtype.itemsize
    for size in inputs.shape[1:]:
        bytes_per_row *= size
    if bytes_per_row * len(inputs) <= WHOLE:
        for piece in inputs.chunks():
            digest.update(_bytes(piece))
    else:
        run = max(1, WHOLE // BLOCKS // bytes_per_row)
        for start in np.unique(np.linspace(0, len(inputs) - run, BLOCKS).astype(np.int64)).tolist():
            digest.update(_bytes(inputs[torch.arange(start, start + run)]))
    digest.update(_bytes(targets))
    return digest.hexdigest()[:16]


def _bytes(piece: Tensor) -> memoryview:
    return piece.contiguous().numpy().reshape(-1).view(np.uint8).data
