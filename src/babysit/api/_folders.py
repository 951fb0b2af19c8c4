"""Folders for Runs and Studies that nobody named, and what a Study keeps in its folder, read again."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from pydantic import TypeAdapter

from babysit.record import InputError, Run, RunFolderError, Study

LONGEST_NAME = 50  # characters of the data's name that a folder's name takes over
Kept = TypeVar("Kept")


def search_folder(run: pathlib.Path) -> pathlib.Path:
    """Where the search before a Run is kept.

    Example:
        >>> search_folder(pathlib.Path("runs/digits-1")).as_posix()
        'runs/digits-1-search'
    """
    return run.with_name(f"{run.name}-search")


def folder_for(
    kind: type[Run | Study], out: str | pathlib.Path | None, source: str | None
) -> AbstractContextManager[pathlib.Path]:
    """The folder that was asked for, or else the first free one, held until something is made there.

    Args:
        kind: What is to be made.
        out: The folder that was asked for.
        source: The data or script, for the name.
    """
    if out is not None:
        return nullcontext(pathlib.Path(out))
    parent = "runs" if issubclass(kind, Run) else "studies"
    return kind.free_path(_free_names(pathlib.Path(parent), source))


def _free_names(parent: pathlib.Path, source: str | None) -> Iterator[pathlib.Path]:
    """PARENT/NAME-1, PARENT/NAME-2, ..., where no search before a Run stands either."""
    name = pathlib.Path(source or "data").stem[:LONGEST_NAME] or "data"
    for number in itertools.count(1):
        path = parent / f"{name}-{number}"
        if not search_folder(path).exists():
            yield path


def kept(kind: type[Kept], content: Mapping[str, Any], study: Study) -> Kept:
    """What a Study keeps of a search, as an object again.

    Raises:
        RunFolderError: It is damaged.
    """
    try:
        made: Kept = TypeAdapter(kind).validate_python(content)
    except (ValueError, TypeError, RecursionError, InputError) as error:
        reason = " ".join(str(error).split("\n")[1:3]) or str(error)
        raise RunFolderError(
            f"{study.path / study.info_file()} is damaged: {reason}", cause="the file was edited"
        ) from None
    return made
