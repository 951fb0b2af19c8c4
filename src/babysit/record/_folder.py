"""What a Run and a Study have in common: a folder that is made whole or not at all, and locked while it is written.

The folder comes into being by one rename, and each file in it changes by one rename, so that a process killed at any
instant leaves a folder that opens.
"""

from __future__ import annotations

import abc
import contextlib
import datetime
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from babysit.record._atomic import storage_error, write_atomic
from babysit.record._errors import RunFolderError, RunLockedError, RunVersionError
from babysit.record._recipe import Recipe
from babysit.record._recipe_text import parse_recipe

Status = Literal["begun", "interrupted", "finished"]
LIBRARIES = ("babysit", "torch", "numpy", "polars", "scikit-learn", "safetensors", "pydantic", "pillow")


class FolderInfo(BaseModel):
    """The file by which a folder is known: `run.json` or `study.json`."""

    model_config = ConfigDict(frozen=True)

    schema_number: int
    status: Status
    created: str  # ISO 8601, UTC
    fingerprint: str  # of the data, so that resuming on other data is refused
    versions: dict[str, str]


Info = TypeVar("Info", bound=FolderInfo)


class Folder(abc.ABC, Generic[Info]):
    """A folder on disk. Reading needs no lock; writing happens inside `writing()`.

    Args:
        path: Of the folder.

    Raises:
        RunFolderError: It is another folder, or is damaged.
        RunVersionError: It was written by a version this one cannot read.
    """

    name: ClassVar[str]  # Run or Study
    work: ClassVar[str]  # what is kept in it: training or search
    command: ClassVar[str]  # that makes one
    schema: ClassVar[int]
    info_type: type[Info]

    def __init__(self, path: str | pathlib.Path) -> None:
        self.path = pathlib.Path(path)
        self.info: Info = self._read_info()

    @classmethod
    def info_file(cls) -> str:
        """Name of the file by which such a folder is known."""
        return f"{cls.name.lower()}.json"

    @classmethod
    def refuse_existing(cls, path: pathlib.Path) -> None:
        """Refuse to make one where something is; asked early, so that no hour is spent before it.

        An empty folder is no obstacle, and stays.

        Raises:
            RunFolderError: Something is at `path`.
        """
        if path.is_dir() and not any(path.iterdir()):
            return
        if path.exists() or path.is_symlink():
            kept = (path / cls.info_file()).exists()
            raise RunFolderError(
                f"{path} exists already",
                cause=f"an earlier {cls.work} is kept there" if kept else None,
                write=f"babysit resume {path} to go on with it, or another --out" if kept else "another --out",
            )

    @classmethod
    def _make(cls, path: str | pathlib.Path, info: Mapping[str, Any], fill: Callable[[pathlib.Path], None]) -> Self:
        """Make a folder whole, or not at all.

        Args:
            path: Where nothing is yet.
            info: What `info_type` asks for beside schema, status, time and versions.
            fill: Writes all other files into the folder it is given.
        """
        path = pathlib.Path(path)
        cls.refuse_existing(path)
        target = path.resolve() if path.is_symlink() else path
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        made = cls.info_type(schema_number=cls.schema, status="begun", created=now, versions=library_versions(), **info)
        try:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                fill(partial)
                write_atomic(partial / cls.info_file(), made.model_dump_json(indent=1))
                partial.rename(target)  # takes the place of an empty folder, too
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        except OSError as error:
            raise storage_error(error, path) from error
        return cls(path)

    def _read_info(self) -> Info:
        file = self.path / self.info_file()
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            there = self.path.exists()
            raise RunFolderError(
                f"{self.path} is not a {self.name} folder: it has no {file.name}"
                if there
                else f"there is no {self.name} folder {self.path}",
                legal=f"a folder that `{self.command}` made",
                cause="it holds something else" if there else "the path is misspelt, or the folder was moved",
            ) from None
        except (NotADirectoryError, PermissionError) as error:
            raise RunFolderError(f"{self.path} is not a {self.name} folder: {error.strerror}") from None
        except ValueError:
            raise RunFolderError(f"{file} is damaged: it is not JSON") from None
        version = content.get("schema_number") if isinstance(content, dict) else None
        if version != self.schema:
            made_by = content.get("versions", {}).get("babysit", "?") if isinstance(content, dict) else "?"
            raise RunVersionError(
                f"{self.path} has {self.name} schema {version!r}, made by babysit {made_by}",
                legal=f"schema {self.schema}, as babysit {library_versions()['babysit']} writes it",
                write=f"pip install the version that made it, or `{self.command}` again",
            )
        try:
            return self.info_type.model_validate(content)
        except ValidationError as error:
            raise RunFolderError(f"{file} is damaged: {error.error_count()} entries are wrong") from None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock of the folder; it dies with the process.

        Raises:
            RunLockedError: Another process holds it.
        """
        lock = filelock.FileLock(self.path / "lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise RunLockedError(
                f"another process is writing to {self.path}",
                cause=f"the same {self.work} was started twice, or the first has not ended",
                write="another --out, or wait for the first",
            ) from None
        except OSError as error:
            raise storage_error(error, self.path / "lock") from error
        try:
            self.info = self._read_info()
            yield
        finally:
            lock.release()

    def set_status(self, status: Status) -> None:
        """Say how far the work is."""
        self.info = self.info.model_copy(update={"status": status})
        self.write(self.info_file(), self.info.model_dump_json(indent=1))

    def write(self, name: str, content: bytes | str, *, durable: bool = True) -> None:
        """Replace one file of the folder at once."""
        write_atomic(self.path / name, content, durable=durable)

    @property
    def recipe(self) -> Recipe:
        """The recipe: of a Run with every decision filled in, of a Study the one that is varied."""
        return parse_recipe(self._text("recipe.toml"), where=str(self.path / "recipe.toml"))

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise RunFolderError(f"{self.path / name} cannot be read: {reason}") from None

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._text(name))
        except ValueError as error:
            raise RunFolderError(f"{self.path / name} is damaged: it is not JSON ({error})") from None


def library_versions() -> dict[str, str]:
    """Versions of the libraries that make the numbers."""
    found: dict[str, str] = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
