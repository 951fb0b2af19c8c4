"""The data in numbers, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from babysit.data._prepared import Indices, Task
from babysit.record import ColumnSummary, DataSummary


def describe(
    source: str,
    kind: Literal["table", "images", "arrays"],
    shape: tuple[int, ...],
    task: Task,
    targets: Tensor,
    split: Mapping[str, Indices],
    columns: tuple[ColumnSummary, ...] = (),
    notes: tuple[str, ...] = (),
) -> DataSummary:
    """The summary of prepared data.

    Args:
        source: Its name.
        kind: What the rows are.
        shape: Of one raw input.
        task: What is learned.
        targets: [N].
        split: Row numbers by phase.
        columns: Of a table, as the training rows show them.
        notes: What a careful reader would want to know.
    """
    counts: dict[str, tuple[int, ...]] = {}
    reach = None
    if task.kind == "classification":
        for phase, rows in split.items():
            own = torch.bincount(targets[torch.from_numpy(rows)], minlength=len(task.classes))
            counts[phase] = tuple(own.tolist())
    else:
        train = targets[torch.from_numpy(split["train"])]
        reach = (float(train.min()), float(train.max()))
    return DataSummary(
        source=source,
        kind=kind,
        rows=len(targets),
        shape=shape,
        task=task.kind,
        target=task.target,
        classes=task.classes,
        splits={phase: len(rows) for phase, rows in split.items()},
        class_counts=counts,
        target_range=reach,
        columns=columns,
        notes=notes,
    )
