"""Rows that a data set stores, and whether they change from epoch to epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from babysit.probes import readable

SAMPLED_ROWS = 64  # of a stored array, to see whether its rows change
# Of the sampled rows, from which on a stored array has changed; a few may be repaired or replaced on purpose.
CHANGED = 0.5
ALIKE = 0.5  # correlation of a row with what it was: a row that was augmented resembles itself, a new one does not


class StoredRows:
    """Sampled rows of what a data set stores, from epoch to epoch."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[int, np.ndarray[Any, Any]]] = {}
        self._times: dict[int, int] = {}

    def look(self, dataset: object) -> str | None:
        """Compare with the epoch before. Returns what to tell once the same array has changed twice."""
        for name, stored in _arrays_of(dataset):
            place = np.linspace(0, len(stored) - 1, min(SAMPLED_ROWS, len(stored))).astype(int)
            rows = stored[place] if isinstance(stored, np.ndarray) else _picked_rows(stored, place)
            rows = rows.reshape(len(rows), -1).astype(np.float64)
            pointer = stored.ctypes.data if isinstance(stored, np.ndarray) else stored.data_ptr()
            key = id(dataset) ^ hash(name)
            known = self._before.get(key)
            self._before[key] = (pointer, rows)
            if known is None or known[0] != pointer or known[1].shape != rows.shape:
                self._times.pop(key, None)
                continue
            changed = (known[1] != rows).any(1)
            if changed.mean() < CHANGED or _median_likeness(known[1][changed], rows[changed]) < ALIKE:
                self._times.pop(key, None)
                continue
            self._times[key] = self._times.get(key, 0) + 1
            if self._times[key] > 1:
                owner = f"{type(dataset).__name__}.{name}"
                return (
                    f"{changed.mean():.0%} of the rows that {owner} stores changed within the last epoch, and within"
                    " the epoch before: fetching a row changes the stored row itself"
                )
        return None


def _picked_rows(stored: Tensor, place: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    rows: np.ndarray[Any, Any] = stored.detach()[torch.as_tensor(place, device=stored.device)].double().cpu().numpy()
    return rows


def _median_likeness(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> float:
    """Median correlation of rows with what they were; rows whose values were only moved about count as alike."""
    found = []
    for old, new in zip(before, after, strict=True):
        if np.array_equal(np.sort(old), np.sort(new)):
            found.append(1.0)
        elif old.std() and new.std():
            found.append(float(np.corrcoef(old, new)[0, 1]))
    return float(np.median(found)) if found else 0.0


def _arrays_of(dataset: object, depth: int = 3) -> Iterable[tuple[str, Any]]:
    """Arrays with a row for each of a data set's rows, by name, of what it wraps, too."""
    try:
        rows = len(dataset)  # type: ignore[arg-type]
        attributes = list(vars(dataset).items())
    except Exception:  # a stream of rows, or what has no attributes
        return
    for name, value in attributes:
        members = [(name, value)]
        if isinstance(value, tuple | list) and 0 < len(value) <= 8:
            members = [(f"{name}[{at}]", one) for at, one in enumerate(value)]
        for label, one in members:
            if isinstance(one, Tensor):
                numbers = readable(one) and not one.is_complex()
            else:  # an array of a class of the user's has an own way to give its rows
                numbers = type(one) in (np.ndarray, np.memmap) and one.dtype.kind in "fiu"
            if numbers and one.ndim > 1 and len(one) >= max(rows, 2):
                yield label, one
        if isinstance(value, torch.utils.data.Dataset) and depth:
            yield from ((f"{name}.{label}", one) for label, one in _arrays_of(value, depth - 1))
