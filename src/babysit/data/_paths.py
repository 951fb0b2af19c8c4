"""From a path to the reader of what lies there."""

from __future__ import annotations

import pathlib

from babysit.data._array_files import read_npy_file, read_npz_file
from babysit.data._bundled import BUNDLED, load_bundled
from babysit.data._csv import read_csv
from babysit.data._found import Found
from babysit.data._image_folder import is_image, read_image_folder
from babysit.data._parquet import read_parquet
from babysit.data._unreadable import unreadable
from babysit.data._wording import nearest
from babysit.record import DataError, DataSection

READERS = {
    ".npz": read_npz_file,
    ".parquet": read_parquet,
    ".pq": read_parquet,
}


def read_path(named: str | pathlib.Path, data: DataSection) -> Found:
    """The reader's answer for a file, a folder or a bundled set's name; files go first.

    A file is read by its ending: .parquet, .npz, .npy; every other one is a text table.

    Raises:
        DataError: Nothing is there, or it cannot be read.
    """
    path = pathlib.Path(named).expanduser()
    try:
        if not path.exists():
            if str(named) in BUNDLED:
                return load_bundled(str(named))
            raise _not_there(path)
        folder = path.is_dir()
        in_parts = folder and any(child.suffix == ".parquet" for child in path.iterdir())
    except PermissionError as error:
        raise unreadable(path, error) from None
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a zero byte; RuntimeError: no such home
        raise DataError(f"{str(named)[:200]!r} is no path: {error}") from None
    if in_parts:
        return read_parquet(path, data)
    if folder:
        return read_image_folder(path, data)
    if is_image(path):
        raise DataError(
            f"{path} is one image",
            legal="a folder with a folder of images for each class: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg",
        )
    if path.suffix.lower() == ".npy":
        return read_npy_file(path)
    return READERS.get(path.suffix.lower(), read_csv)(path, data)


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
