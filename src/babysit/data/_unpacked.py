"""Files that are compressed: what is inside, and never more than the memory holds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pathlib
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Any

from babysit.data._found import physical_memory
from babysit.data._wording import counted, several
from babysit.record import DataError

STREAMS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
ZIP = b"PK\x03\x04"
SHARE_OF_MEMORY = 0.25  # a text takes three to four times its size while it is read
PIECE = 1 << 20
ENDINGS = (".gz", ".bz2", ".xz", ".zip", ".lzma")
ASIDE = ("__MACOSX/", ".DS_Store")


def is_compressed(head: bytes) -> bool:
    """Whether the first bytes are those of a compressed stream or a zip."""
    return head.startswith((ZIP, *(mark for mark, _ in STREAMS)))


def inner_name(path: pathlib.Path) -> str:
    """The name without what says how it is compressed."""
    return path.stem if path.suffix.lower() in ENDINGS else path.name


def unpack(content: bytes, name: str) -> tuple[bytes, str | None]:
    """What is inside, and its name where a zip says it.

    Raises:
        DataError: Damage, more than the memory holds, a zip of several files.
    """
    try:
        if content.startswith(ZIP):
            return _only_member(content, name)
        openers: dict[str, Callable[[IO[bytes]], Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
        stream: IO[bytes] = openers[kind_of(content)](io.BytesIO(content))
        with stream:
            return _read(stream, name), None
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise DataError(
            f"{name} is {kind_of(content)} and cannot be unpacked: {str(error)[:200] or type(error).__name__}",
            cause="the file was not written or downloaded completely",
        ) from None


def kind_of(content: bytes) -> str:
    """How a file is compressed."""
    return next((kind for mark, kind in STREAMS if content.startswith(mark)), "an Excel workbook or another zip")


def _only_member(content: bytes, name: str) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not any(aside in member.filename for aside in ASIDE)
        ]
        if len(members) != 1:
            raise DataError(
                f"{name} is a zip of {counted(len(members), 'file')}: "
                f"{several((member.filename for member in members), 5)}",
                legal="a zip of one table; or a folder",
                write=f"unzip {name}",
            )
        with archive.open(members[0]) as stream:
            return _read(stream, name), pathlib.PurePosixPath(members[0].filename).name


def _read(stream: IO[bytes], name: str) -> bytes:
    most = int(SHARE_OF_MEMORY * physical_memory())
    pieces, size = [], 0
    while piece := stream.read(PIECE):
        size += len(piece)
        if size > most:
            raise DataError(
                f"{name} unpacks to more than {most / 2**30:.1f} GiB, a quarter of this machine's memory",
                write="unpack it, and write it as Parquet, which is read in pieces",
            )
        pieces.append(piece)
    return b"".join(pieces)
