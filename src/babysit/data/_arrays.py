"""Inputs and targets from arrays: NumPy, tensors, or what turns into them, in the smallest type that loses nothing."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from babysit.data._found import Arrays, Table, physical_memory
from babysit.data._layout import ImageLayout, find_layout
from babysit.data._row_file import RowFile
from babysit.data._wording import counted, row_numbers, several
from babysit.record import DataError, Decision

AnyArray = npt.NDArray[np.generic]
SHARE_OF_MEMORY = 0.25  # of the memory: larger inputs stay on disk if they are there already
LEGAL = "numbers, booleans or text"
# A rounding error below this share of a column's standard deviation is far below what float32 arithmetic in the
# network loses anyway (2^-24 a step, thousands of steps), so keeping more digits would buy nothing.
LOSS = 1e-5
ROWS_PER_CHUNK = 8192


def from_arrays(
    inputs: object,
    targets: object,
    *,
    name: str = "the arrays",
    target: str = "target",
    given: Mapping[str, int] | None = None,
    class_names: tuple[str, ...] = (),
) -> Arrays | Table:
    """Arrays as a source; inputs of text become a table.

    Args:
        inputs: [N, ...] numbers, NumPy or a tensor, or what `numpy.asarray` takes.
        targets: [N] or [N, 1] numbers, booleans or text.
        name: Where they came from, for messages.
        target: What the targets are called.
        given: Rows of each phase, in order, when they came already split.
        class_names: Names of whole-number classes 0, 1, ...

    Raises:
        DataError: Shapes that do not fit together, objects, complex or infinite numbers.
    """
    on_disk = rows_on_disk(inputs)
    if on_disk is not None:
        return _from_disk(on_disk, target_series(targets, name, target), name, class_names)
    array = as_array(inputs, f"the inputs of {name}")
    values = target_series(targets, name, target)
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if len(array) != len(values):
        raise DataError(
            f"{name}: {counted(len(array), 'row')} of inputs and {counted(len(values), 'target')}",
            legal="one target for each row",
            cause="inputs and targets were swapped, or rows were removed from one of them only",
        )
    if array.dtype.kind in "US" and array.ndim == 2:
        frame = pl.DataFrame({f"column_{i + 1}": array[:, i].astype(str) for i in range(array.shape[1])})
        frame = frame.with_columns(values.alias(target))
        return Table(name, frame, named=False, given=given or {}, target=target, class_names=class_names)
    numbers = as_numbers(array, f"the inputs of {name}")
    layout, decisions = find_layout(numbers.shape, name, whole=not numbers.is_floating_point())
    refuse_infinite(numbers, name, layout)
    return Arrays(
        name,
        smallest_type(numbers),
        layout,
        values,
        target,
        given=given or {},
        class_names=class_names,
        decisions=(*said_of_one_hot(targets, target), *decisions),
    )


def rows_on_disk(inputs: object) -> RowFile | None:
    """Inputs as rows that stay on disk: a RowFile, or a mapped .npy file of more than a quarter of the memory."""
    if isinstance(inputs, RowFile):
        return inputs
    whole = isinstance(inputs, np.memmap) and isinstance(inputs.filename, str | os.PathLike)
    if not whole or not isinstance(inputs, np.memmap) or inputs.nbytes <= SHARE_OF_MEMORY * physical_memory():
        return None
    path = pathlib.Path(inputs.filename)  # type: ignore[arg-type]
    rows = RowFile(path) if path.suffix == ".npy" else None
    return rows if rows is not None and tuple(rows.shape) == inputs.shape else None


def _from_disk(rows: RowFile, targets: pl.Series, name: str, class_names: tuple[str, ...]) -> Arrays:
    if len(rows) != len(targets):
        raise DataError(
            f"{name}: {counted(len(rows), 'row')} of inputs and {counted(len(targets), 'target')}",
            legal="one target for each row",
        )
    if rows.dtype.is_complex:
        raise DataError(f"the inputs of {name}: type {rows.dtype} cannot be learned from", legal=LEGAL)
    layout, decisions = find_layout(rows.shape, name, whole=not rows.dtype.is_floating_point)
    start = 0
    for piece in rows.chunks() if rows.dtype.is_floating_point else ():
        refuse_infinite(piece, f"{name} (from row {start + 1:,})", layout)
        start += len(piece)
    note = f"the rows stay on disk, in {rows.path}; they are read when they are needed"
    return Arrays(
        name, rows, layout, targets, targets.name, class_names=class_names, decisions=decisions, notes=(note,)
    )


def as_array(value: object, what: str) -> AnyArray:
    """A NumPy array without a copy where that can be; objects are refused."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        if value.dtype == torch.bfloat16:
            value = value.to(torch.float32)
        value = value.numpy()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} cannot be made an array: {error}", cause="rows of different lengths") from None
    if array.dtype.kind == "O":
        raise DataError(
            f"{what}: Python objects cannot be learned from",
            legal="numbers, booleans or text",
            write="array.astype(float)",
        )
    if array.dtype.kind not in "biufUS":
        raise DataError(f"{what}: type {array.dtype} cannot be learned from", legal=LEGAL)
    if array.ndim == 0:
        raise DataError(f"{what} are a single value", legal="an array with rows")
    return array


def as_numbers(array: AnyArray, what: str) -> Tensor:
    """Numbers as a tensor, without a copy where that can be."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} are text of shape {array.shape}", legal="numbers, or text of shape [N, D]")
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()  # PyTorch wants neither
    return torch.from_numpy(array)


def is_one_hot(array: AnyArray) -> bool:
    """Whether targets are classes, each row with a single 1 at the place of its class."""
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biuf":
        return False
    return bool(np.isin(array, (0, 1)).all()) and bool((array.sum(axis=1) == 1).all())


def said_of_one_hot(values: object, target: str) -> tuple[Decision, ...]:
    """The decision on targets that are one-hot."""
    if not isinstance(values, np.ndarray | Tensor) or not is_one_hot(as_array(values, "the targets")):
        return ()
    why = "each row holds a single 1 and zeros: the place of the 1 is the class"
    return (Decision(setting="data.target", value=f"{target}: one-hot", why=why),)


def target_series(values: object, name: str, target: str) -> pl.Series:
    """Targets as a series [N]."""
    if isinstance(values, pl.Series):
        return values.alias(target)
    array = as_array(values, f"the targets of {name}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if is_one_hot(array):
        array = array.argmax(axis=1)
    if array.ndim != 1:
        raise DataError(
            f"the targets of {name} have shape {array.shape}",
            legal="[N], one target for each row, or [N, C] with a single 1 in each row, for its class",
            cause="several targets for each row, of which one is learned at a time",
            write="targets[:, 0]",
        )
    if array.dtype.kind == "S":
        array = np.char.decode(array.astype(np.bytes_), "utf-8", "replace")
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return pl.Series(target, np.ascontiguousarray(array))


def refuse_infinite(numbers: Tensor, name: str, layout: object) -> None:
    """Raises DataError that names the columns and rows of infinite numbers."""
    if not numbers.is_floating_point():
        return
    flat = numbers.reshape(len(numbers), -1)
    pieces = [flat[start : start + ROWS_PER_CHUNK].isinf() for start in range(0, len(flat), ROWS_PER_CHUNK)]
    if not any(bool(piece.any()) for piece in pieces):
        return
    where = torch.cat(pieces).nonzero().numpy()
    rows = np.unique(where[:, 0]).tolist()
    if isinstance(layout, ImageLayout):
        raise DataError(f"{name} has infinite pixels in {row_numbers(rows)}", cause="a division by zero")
    columns = [f"column_{int(column) + 1}" for column in np.unique(where[:, 1])]
    raise DataError(
        f"{name} has infinite numbers in {several(columns)}, {row_numbers(rows)}",
        cause="a division by zero, or a logarithm of zero",
        write="NaN where the value is missing, or a large finite number",
    )


def keeps_in_float32(loss: Tensor, std: Tensor) -> bool:
    """Whether float32 keeps what counts.

    Args:
        loss: [D] the largest rounding error of each column; NaN or infinity where a number does not fit at all.
        std: [D] the standard deviations.
    """
    return bool(((loss == 0) | (loss <= LOSS * std)).all())


def smallest_type(numbers: Tensor) -> Tensor:
    """Numbers in the smallest type that loses nothing: uint8 as it is, float32, or float64.

    Args:
        numbers: [N, ...] of any real type; NaN for missing.

    Returns:
        The same numbers as uint8, float32 or float64.

    Example:
        >>> smallest_type(torch.tensor([[1], [300]])).dtype
        torch.float32
        >>> smallest_type(torch.tensor([[1_600_000_000.0], [1_600_000_100.0]], dtype=torch.float64)).dtype
        torch.float64
    """
    if numbers.dtype in (torch.uint8, torch.float32):
        return numbers
    if numbers.dtype == torch.bool:
        return numbers.to(torch.uint8)
    if numbers.dtype in (torch.float16, torch.bfloat16, torch.int8, torch.int16, torch.uint16):
        return numbers.to(torch.float32)  # all of their values are float32 values
    flat = numbers.reshape(len(numbers), -1)
    sample = flat[:: max(1, len(flat) // 10_000)].to(torch.float64)
    spread = (sample - sample.nanmean(0)).square().nanmean(0).sqrt().nan_to_num()
    loss = torch.zeros(flat.shape[1], dtype=torch.float64)
    for start in range(0, len(flat), ROWS_PER_CHUNK):
        exact = flat[start : start + ROWS_PER_CHUNK].to(torch.float64)
        error = (exact.to(torch.float32).to(torch.float64) - exact).abs()
        loss = torch.maximum(loss, error.masked_fill(exact.isnan(), 0).amax(0))
        if not keeps_in_float32(loss, spread):
            return numbers.to(torch.float64)
    return numbers.to(torch.float32)
