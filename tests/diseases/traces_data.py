"""Traces of invented data, with numbers as the quantities' definitions have them, computed plainly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from babysit.record import INPUTS, OUTPUTS, TARGETS, Row, Trace, TraceLayer

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Values = TypeVar("Values", Numbers, Labels)
LINEAR = TraceLayer("fc1", "linear", depth=1, units=64, fan_in=20)
CLASSES: dict[str, str] = {"loss": "cross-entropy", "target-kind": "classes"}
REGRESSION: dict[str, str] = {"loss": "mse", "target-kind": "numbers"}


def rows_at(step: int, layer: str, numbers: Mapping[str, float], phase: str = "train") -> list[Row]:
    return [Row(step, phase, layer, name, float(value)) for name, value in numbers.items()]


def series(quantity: str, values: Sequence[float], *, layer: str = "", phase: str = "train", every: int = 1) -> Trace:
    return Trace(tuple(Row(number * every, phase, layer, quantity, value) for number, value in enumerate(values)))


def joined(*traces: Trace, layers: Sequence[TraceLayer] = (), facts: Mapping[str, str] | None = None) -> Trace:
    """All rows of traces in one, with layers and facts."""
    return Trace(tuple(row for trace in traces for row in trace.rows), layers=tuple(layers), facts=dict(facts or {}))


def without(trace: Trace, quantity: str) -> Trace:
    return dataclasses.replace(trace, rows=tuple(row for row in trace.rows if row.quantity != quantity))


def with_value(trace: Trace, quantity: str, value: float) -> Trace:
    """A trace in which a quantity has one value throughout."""
    rows = tuple(row._replace(value=value) if row.quantity == quantity else row for row in trace.rows)
    return dataclasses.replace(trace, rows=rows)


def inputs(batches: Sequence[Numbers]) -> Trace:
    """What batches [N, features] that enter a network look like, over all rows seen."""
    rows: list[Row] = []
    for step in range(len(batches)):
        seen = np.concatenate(batches[: step + 1])
        finite = np.where(np.isfinite(seen), seen, 0.0)
        mean, std = finite.mean(0), finite.std(0)
        varies = finite.max(0) > finite.min(0)
        count = max(1, int(varies.sum()))
        sorted_std = np.sort(std[varies]) if varies.any() else np.array([np.inf])
        offsets = np.sort(np.abs(mean[varies]) / std[varies]) if varies.any() else np.array([np.inf])
        one_sign = varies & ((finite.min(0) >= 0) | (finite.max(0) <= 0))
        numbers = {
            "batch-rows": len(batches[step]), "rows-seen": len(seen), "features": seen.shape[1],
            "not-finite-share": 1 - np.isfinite(batches[step]).mean(),
            "constant-features": (~varies).sum(), "one-sign-share": one_sign.sum() / count,
            "value-mean": finite.mean(), "value-std": finite.std(),
            "value-min": finite.min(), "value-max": finite.max(),
            "feature-std-low": sorted_std[0], "feature-std-median": sorted_std[(count - 1) // 2],
            "feature-std-high": std.max(), "feature-offset-median": offsets[(count - 1) // 2],
            "feature-offset-high": offsets[-1],
        }  # fmt: skip
        rows += rows_at(step, INPUTS, numbers)
        if seen.shape[1] <= 64:
            for number in range(seen.shape[1]):
                feature = {"feature-mean": mean[number], "feature-std": std[number]}
                rows += rows_at(step, f"{INPUTS}[{number}]", feature)
    return Trace(tuple(rows))


def dispersion(counts: Numbers) -> Numbers:
    """Spread of class counts [..., batches, classes] between batches over what shuffled rows would give."""
    batches = counts.shape[-2]
    sizes = counts.sum(-1, keepdims=True)
    shares = counts.sum(-2, keepdims=True) / counts.sum((-2, -1), keepdims=True)
    mixed = (shares > 0) & (shares < 1)
    variance = sizes * shares * (1 - shares)
    parts = np.where(mixed, (counts - sizes * shares) ** 2 / np.where(variance > 0, variance, 1.0), 0.0)
    known = np.maximum(1, mixed.sum((-2, -1)))
    return np.asarray(parts.sum((-2, -1)) / (known * batches) * batches / (batches - 1))


def labels(batches: Sequence[Labels], width: int, input_rows: int | None = None) -> Trace:
    """What batches of class numbers [N] look like, for a network with `width` outputs."""
    rows: list[Row] = []
    classes = max(width, 1 + max(int(batch.max()) for batch in batches))
    counts = np.stack([np.bincount(batch[batch >= 0], minlength=classes) for batch in batches])
    for step, batch in enumerate(batches):
        total = counts[: step + 1].sum(0)
        shares = total[total > 0] / total.sum()
        seen = np.concatenate(batches[: step + 1])
        numbers = {
            "batch-rows": len(batch), "rows-seen": len(seen), "label-min": seen.min(), "label-max": seen.max(),
            "classes-seen": len(shares), "label-top-share": shares.max(),
            "label-entropy": -(shares * np.log(shares)).sum(),
        }  # fmt: skip
        if step:
            numbers["label-dispersion"] = float(dispersion(counts[: step + 1].astype(np.float64)))
        rows += rows_at(step, TARGETS, numbers)
        rows += rows_at(step, OUTPUTS, {"width": width, "batch-rows": len(batch)})
        rows += rows_at(step, INPUTS, {"batch-rows": len(batch) if input_rows is None else input_rows})
    return Trace(tuple(rows))


def targets(batches: Sequence[Numbers]) -> Trace:
    """What batches of numbers [N] look like."""
    rows: list[Row] = []
    for step, batch in enumerate(batches):
        seen = np.concatenate(batches[: step + 1])
        finite = seen[np.isfinite(seen)]
        numbers = {
            "batch-rows": len(batch), "rows-seen": len(seen), "not-finite-share": 1 - np.isfinite(batch).mean(),
            "value-mean": finite.mean(), "value-std": finite.std(),
            "value-min": finite.min(), "value-max": finite.max(),
        }  # fmt: skip
        if step and finite.std() > 0:
            means = [each[np.isfinite(each)].mean() for each in batches[: step + 1]]
            numbers["target-dispersion"] = float(np.var(means, ddof=1) * len(batch) / finite.var())
        rows += rows_at(step, TARGETS, numbers)
        rows += rows_at(step, INPUTS, {"batch-rows": len(batch)})
    return Trace(tuple(rows))


def cut(values: Values, size: int) -> list[Values]:
    """Batches of `size` rows, in order, the last one as it comes."""
    return [values[start : start + size] for start in range(0, len(values), size)]
