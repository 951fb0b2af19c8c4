"""Reading .npy and .npz without trusting what their headers claim."""

from __future__ import annotations

import io
import lzma
import math
import pathlib
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from babysit.data._arrays import AnyArray
from babysit.data._found import physical_memory, unreadable
from babysit.record import DataError

# What NumPy, zipfile and the decompressors raise on bytes that are not what they claim to be.
DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    SyntaxError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
    OSError,
)
DENSEST = 1100  # deflate packs at most 1032 to 1; a larger claim is false
SHARE_OF_MEMORY = 0.5


def read_npy(path: pathlib.Path) -> AnyArray:
    """The array of a .npy file, read into memory, or mapped when it would take more than half of it.

    Raises:
        DataError: Objects, or damage.
    """
    with _damage_told(path), path.open("rb") as file:
        size = path.stat().st_size
        wanted = _check_header(file, f"{path}", size)
        if wanted > SHARE_OF_MEMORY * physical_memory():
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        file.seek(0)
        array: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
        return array


def read_npz(path: pathlib.Path) -> dict[str, AnyArray]:
    """The arrays of a .npz file by name.

    Raises:
        DataError: Objects, damage, or more than the memory holds.
    """
    arrays: dict[str, AnyArray] = {}
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        total = sum(member.file_size for member in members)
        if total > SHARE_OF_MEMORY * physical_memory():
            raise DataError(
                f"{path} unpacks to {total / 2**30:.1f} GiB, more than half of this machine's memory",
                write="in Python, the pair (np.load('x.npy', mmap_mode='r'), np.load('y.npy'))",
            )
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.file_size > DENSEST * (member.compress_size + 1):
                raise DataError(
                    f"{path}: array '{name}' has an impossible size in its header", cause="the file is damaged"
                )
            with archive.open(member) as file:
                begin = io.BytesIO(file.read(1 << 16))
            _check_header(begin, f"{path}: array '{name}'", member.file_size)
            with archive.open(member) as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    if not arrays:
        raise DataError(f"{path} holds no arrays", cause="it is a zip file of another kind")
    return arrays


@contextmanager
def _damage_told(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except PermissionError as error:
        raise unreadable(path, error) from None
    except DAMAGE as error:
        raise DataError(
            f"{path} cannot be read: {str(error)[:200] or type(error).__name__}",
            cause="the file was not written or downloaded completely, or it is a file of another kind",
        ) from None


def _check_header(file: IO[bytes], name: str, size: int) -> int:
    """Bytes of the array, after its header was found to be true."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise DataError(f"{name} is a structured array", legal="numbers or text", write="one array for each column")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python's parser, on what damage has made of the header
        shape, _, kind = read(file)
    if kind.hasobject:
        raise DataError(
            f"{name} holds Python objects, which are stored as pickles; reading a pickle can run any program",
            legal="numbers, booleans or text",
            write="np.savez(path, x=x.astype(float), y=y.astype(str))",
        )
    if kind.names is not None:
        raise DataError(f"{name} is a structured array", legal="numbers or text", write="one array for each column")
    wanted = math.prod(shape) * kind.itemsize
    if wanted > size - file.tell():
        raise DataError(
            f"{name} should have {wanted:,} bytes by its header and has {max(0, size - file.tell()):,}",
            cause="the file was not written or downloaded completely",
        )
    return wanted
