"""From what the user named to what a reader hands on."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor
from torch.utils.data import Dataset

from babysit.data._array_files import from_matrix, from_named_arrays
from babysit.data._arrays import as_array, from_arrays
from babysit.data._dataset_objects import from_hugging_face, from_torch_dataset, is_hugging_face
from babysit.data._found import Arrays, Found, Table
from babysit.data._frames import from_frame, is_pandas
from babysit.data._large_table import LargeTable
from babysit.data._paths import read_path
from babysit.data._phases import are_phases, join_phases
from babysit.record import DataError, DataSection

KINDS = (
    "a path, a bundled set's name, a polars or pandas frame, a pair (inputs, targets), a dictionary of arrays, "
    "a Hugging Face dataset, a PyTorch Dataset of pairs"
)


def find_source(source: object, data: DataSection) -> Found:
    """The reader's answer for a path, a bundled set's name, or an object.

    Args:
        source: Path, name, frame, arrays or Dataset; a dictionary of train, validation and test holds one each.
        data: How files are read, and which column or array is the target.

    Raises:
        DataError: Nothing is there, or it cannot be read.
    """
    if isinstance(source, Table | LargeTable | Arrays):
        return source
    if isinstance(source, str | pathlib.Path):
        return read_path(source, data)
    if isinstance(source, pl.DataFrame | pl.LazyFrame) or is_pandas(source):
        return from_frame(source, "the frame", data)
    if isinstance(source, Mapping):
        return _from_mapping(source, data)
    if is_hugging_face(source):
        return from_hugging_face(source, "the dataset", data)
    if isinstance(source, Dataset):
        return from_torch_dataset(source, "the dataset", data)
    if hasattr(source, "__arrow_c_stream__"):
        return from_frame(source, "the table", data)
    if isinstance(source, tuple | list) and len(source) == 2:
        return from_arrays(source[0], source[1], target=data.target or "target")
    if isinstance(source, np.ndarray | Tensor):
        return from_matrix(as_array(source, "the array"), "the array")
    raise DataError(
        f"a {type(source).__name__} is no source of data",
        legal=KINDS,
        cause="inputs and targets go together in a pair" if isinstance(source, tuple | list) else None,
        write="(inputs, targets)" if isinstance(source, tuple | list) else None,
    )


def _from_mapping(source: Mapping[Any, Any], data: DataSection) -> Found:
    if not source:
        raise DataError("the dictionary is empty", legal="arrays by name, or train, validation and test")
    if are_phases(source) and not all(isinstance(value, np.ndarray | Tensor) for value in source.values()):
        return join_phases({key: find_source(part, data) for key, part in source.items()}, "the dictionary")
    arrays = {}
    for key, value in source.items():
        if isinstance(value, np.ndarray | Tensor | list | tuple | pl.Series):
            arrays[str(key)] = as_array(value, f"array '{key}'")
    if not arrays:
        raise DataError(f"the dictionary holds {', '.join(map(str, source))} and no arrays", legal="x and y")
    if "x" not in {key.lower() for key in arrays} and all(array.ndim == 1 for array in arrays.values()):
        lengths = {len(array) for array in arrays.values()}
        if len(arrays) > 2 and len(lengths) == 1:  # columns of a table by name
            return from_frame(pl.DataFrame(arrays), "the dictionary", data)
    return from_named_arrays(arrays, "the dictionary", data)
