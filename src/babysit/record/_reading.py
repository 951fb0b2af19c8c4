"""Small files of people, and those of Runs and Studies, read without trusting that they are what they should be."""

from __future__ import annotations

import json
import pathlib
import stat
from typing import Any

from babysit.record._errors import InputError

LARGEST_FILE = 1_000_000  # bytes of a file that people write; anything larger is another file


def refuse_irregular(path: pathlib.Path, error: type[InputError]) -> None:
    """Refuse a folder, a device or a pipe in the place of a file; a pipe can be waited for without end.

    Raises:
        InputError: It is one, as `error`.
        FileNotFoundError: There is no such file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise error(f"{path} is not a regular file", cause="there is a folder or a device in its place")


def read_text(path: pathlib.Path, error: type[InputError], *, most: int = LARGEST_FILE, regular: bool = False) -> str:
    """The text of a file in UTF-8.

    Args:
        path: Of the file.
        error: What to raise.
        most: Bytes that it may have; of a device or a pipe no more are read.
        regular: Refuse devices and pipes, which can be waited for without end.

    Raises:
        InputError: It cannot be read, as `error`.
        FileNotFoundError: There is no such file.
        NotADirectoryError: A part of the path is a file.
    """
    try:
        if regular:
            refuse_irregular(path, error)
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise error(f"{path} has more than {most:,} bytes", cause="it is another kind of file")
        return content.decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, InputError):
        raise
    except UnicodeDecodeError:
        raise error(f"{path} is not text in UTF-8", cause="it is another kind of file, or it is damaged") from None
    except (OSError, ValueError) as refused:  # ValueError: a zero byte in the name
        raise error(f"{path} cannot be read: {getattr(refused, 'strerror', None) or refused}") from None


def parse_json(text: str, where: str, error: type[InputError]) -> Any:
    """The content of a JSON text.

    Raises:
        InputError: It is not JSON, as `error`.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as wrong:
        reason = "it nests too deeply" if isinstance(wrong, RecursionError) else f"it is not JSON ({wrong})"
        raise error(f"{where} is damaged: {reason}") from None
