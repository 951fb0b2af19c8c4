"""From what the user named, a path, a bundled set or an object, to what the reader of it found."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor
from torch.utils.data import Dataset

from babysit.data._arrays import as_array, from_arrays
from babysit.data._dataset_objects import from_hugging_face, from_torch_dataset, is_hugging_face
from babysit.data._formats import read_file
from babysit.data._found import Arrays, Found, LargeTable, Table, unreadable
from babysit.data._frames import from_frame, is_pandas
from babysit.data._image_folder import is_image, read_image_folder
from babysit.data._joined import are_phases, join_phases
from babysit.data._layout import ImageLayout
from babysit.data._named_arrays import from_matrix, from_named_arrays, read_npy_file, read_npz_file
from babysit.data._parquet import read_parquet
from babysit.data._table_folder import read_table_folder
from babysit.data._wording import nearest
from babysit.record import DataError, DataSection

KINDS = (
    "a path, a bundled set's name, a polars or pandas frame, a pair (inputs, targets), a dictionary of arrays, "
    "a Hugging Face dataset, a PyTorch Dataset of pairs"
)
READERS = {
    ".npz": read_npz_file,
    ".parquet": read_parquet,
    ".pq": read_parquet,
}
BUNDLED = ("breast-cancer", "diabetes", "digits", "iris", "wine")


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
        f"data cannot be read from an object of type {type(source).__name__}",
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
        raise DataError(
            f"the dictionary holds {', '.join(map(str, source))} and no arrays", legal="arrays named x and y"
        )
    if "x" not in {key.lower() for key in arrays} and all(array.ndim == 1 for array in arrays.values()):
        lengths = {len(array) for array in arrays.values()}
        if len(arrays) > 2 and len(lengths) == 1:  # columns of a table by name
            return from_frame(pl.DataFrame(arrays), "the dictionary", data)
    return from_named_arrays(arrays, "the dictionary", data)


def read_path(named: str | pathlib.Path, data: DataSection) -> Found:
    """The reader's answer for a file, a folder or a bundled set's name; files go first.

    What a file is, its first bytes say; .parquet, .npz and .npy also its ending.

    Raises:
        DataError: Nothing is there, or it cannot be read.
    """
    try:
        str(named).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"the name of '{named}' is not text in UTF-8, so that no recipe could hold it",
            write="another name for the file: mv",
        ) from None
    path = pathlib.Path(named).expanduser()
    try:
        if not path.exists():
            if str(named) in BUNDLED:
                return load_bundled(str(named))
            raise _not_there(path)
        folder = path.is_dir()
        if path.is_char_device() or path.is_block_device() or path.is_socket():
            raise DataError(f"{path} is a device", legal="a file, a folder, or a pipe with a text table in it")
        head = _head(path) if path.is_file() else b""  # a pipe can be read once only
        tables = read_table_folder(path, data, lambda named: find_source(named, data)) if folder else None
    except PermissionError as error:
        raise unreadable(path, error) from None
    except DataError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a zero byte; RuntimeError: no such home
        raise DataError(f"{str(named)[:200]!r} is not a path: {error}") from None
    if tables is not None:
        return tables
    if folder:
        return read_image_folder(path, data, lambda table: find_source(table, data.model_copy(update={"target": None})))
    if is_image(path):
        raise DataError(
            f"{path} is one image",
            legal="a folder with a folder of images for each class: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg",
        )
    if path.suffix.lower() == ".npy" or head.startswith(b"\x93NUMPY"):
        return read_npy_file(path)
    if head.startswith(b"PAR1"):
        return read_parquet(path, data)
    return READERS.get(path.suffix.lower(), read_file)(path, data)


def _head(path: pathlib.Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _not_there(path: pathlib.Path) -> DataError:
    parent = path.parent
    try:
        neighbours = sorted(child.name for child in parent.iterdir()) if parent.is_dir() else None
    except OSError as error:
        return unreadable(parent, error)
    if neighbours is None:
        return DataError(f"there is no folder {parent}", cause="a path relative to another folder")
    # A bare word is more likely the name of a bundled set than that of a hidden file.
    alike = nearest(path.name, [name for name in neighbours if not name.startswith(".")])
    write = (nearest(str(path), BUNDLED) if not path.suffix else None) or (str(parent / alike) if alike else None)
    return DataError(
        f"there is no file or folder {path}",
        legal=f"a file, a folder of images, or a bundled set: {', '.join(BUNDLED)}",
        cause="a spelling mistake" if write else "a path relative to another folder",
        write=write,
    )


def load_bundled(name: str) -> Found:
    """A bundled set as a source.

    Args:
        name: One of `BUNDLED`. digits: 1,797 images of 8 by 8 pixels, 0 to 16, ten classes. iris (150 rows, 4
            columns, 3 classes), wine (178, 13, 3), breast-cancer (569, 30, 2). diabetes: 442 rows, 10 columns as
            they were measured, a number to predict.

    Source:
        scikit-learn's `sklearn.datasets`; nothing is downloaded.
    """
    import sklearn.datasets

    if name == "digits":
        digits = sklearn.datasets.load_digits()
        images = torch.from_numpy(digits.images.astype(np.uint8))
        return Arrays(name, images, ImageLayout((8, 8), "NHW"), pl.Series("digit", digits.target), "digit")
    if name == "diabetes":
        loaded = sklearn.datasets.load_diabetes(scaled=False)
        return Table(name, _frame(loaded.data, loaded.feature_names, pl.Series("target", loaded.target)))
    load = {
        "breast-cancer": sklearn.datasets.load_breast_cancer,
        "iris": sklearn.datasets.load_iris,
        "wine": sklearn.datasets.load_wine,
    }[name]
    loaded = load()
    names = pl.Series("target", np.asarray(loaded.target_names)[loaded.target].astype(str))
    return Table(name, _frame(loaded.data, loaded.feature_names, names), target="target")


def _frame(data: npt.NDArray[np.float64], names: list[str], target: pl.Series) -> pl.DataFrame:
    columns = {str(name): np.ascontiguousarray(data[:, index]) for index, name in enumerate(names)}
    return pl.DataFrame(columns).with_columns(target)
