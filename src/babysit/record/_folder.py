"""What a Run and a Study have in common: a folder that is made whole or not at all, and locked while it is written.

The folder comes into being by one rename, and each file in it changes by one rename, so that a process killed at any
instant leaves a folder that opens.
"""

from __future__ import annotations

import abc
import contextlib
import datetime
import errno
import pathlib
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from babysit.record._atomic import left_behind, part_name, storage_error, sync_folder, write_atomic
from babysit.record._database import translated
from babysit.record._errors import RunFolderError, RunLockedError, RunVersionError, StorageError
from babysit.record._reading import parse_json, read_text
from babysit.record._recipe import Recipe
from babysit.record._recipe_text import parse_recipe
from babysit.record._secrets import without_secrets

Status = Literal["begun", "interrupted", "finished"]
LIBRARIES = ("babysit", "torch", "numpy", "polars", "scikit-learn", "safetensors", "pydantic", "pillow")
LARGEST_STORED = 1_000_000_000  # bytes of a text in a Run or a Study


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

        An empty folder is not an obstacle, and stays.

        Raises:
            RunFolderError: Something is at `path`.
        """
        try:
            empty = path.is_dir() and not any(path.iterdir())
            there = path.exists() or path.is_symlink()
            here = empty and path.samefile(pathlib.Path.cwd())
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise storage_error(error, path) from None
        if here or not path.name:
            raise RunFolderError(
                f"{path} is the folder that you are in",
                legal="a folder that is not there yet, or an empty one elsewhere",
                write=f"--out {cls.name.lower()}",
            )
        if there and not empty:
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
        target = path.resolve()
        partial = part_name(target)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        told = without_secrets(dict(info))
        made = cls.info_type(schema_number=cls.schema, status="begun", created=now, versions=library_versions(), **told)
        try:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                for old in left_behind(target.parent, target.name):
                    shutil.rmtree(old, ignore_errors=True)
                partial.mkdir()
                fill(partial)
                write_atomic(partial / cls.info_file(), made.model_dump_json(indent=1))
                partial.rename(target)  # takes the place of an empty folder, too
                sync_folder(target.parent)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                cls.refuse_existing(path)  # another process made one there meanwhile
            raise storage_error(error, path) from error
        except sqlite3.Error as error:
            raise translated(error, path) from error
        return cls(path)

    @classmethod
    @contextlib.contextmanager
    def free_path(cls, paths: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
        """The first path where nothing is, held by an empty folder, so that no other process takes it.

        An empty folder that is left at the end is taken away.

        Raises:
            StorageError: The disk refused.
        """
        for path in paths:
            made = not path.parent.exists()
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir()
            except FileExistsError:
                continue
            except OSError as error:
                raise storage_error(error, path) from error
            try:
                yield path
            finally:
                with contextlib.suppress(OSError):
                    path.rmdir()
                    if made:
                        path.parent.rmdir()
            return

    def _read_info(self) -> Info:
        file = self.path / self.info_file()
        try:
            text = read_text(file, RunFolderError, regular=True)
        except (FileNotFoundError, NotADirectoryError):
            there = self.path.exists()
            raise RunFolderError(
                f"{self.path} is not a {self.name} folder: it has no {file.name}"
                if there
                else f"there is no {self.name} folder {self.path}",
                legal=f"a folder that `{self.command}` made",
                cause="it holds something else" if there else "the path is misspelt, or the folder was moved",
            ) from None
        content = parse_json(text, str(file), RunFolderError)
        version = content.get("schema_number") if isinstance(content, dict) else None
        if version != self.schema:
            made = content.get("versions") if isinstance(content, dict) else None
            made_by = made.get("babysit", "?") if isinstance(made, dict) else "?"
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
        except NotImplementedError:
            raise StorageError(
                f"the file system of {self.path} has no locks: two processes could write to one {self.name}",
                cause="a network disk that is mounted without locks",
                write="--out with a folder on a local disk",
            ) from None
        try:
            for old in self.path.glob(".*.part"):  # of a process that was killed: nobody else may write here
                old.unlink(missing_ok=True)
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
        file = self.path / name
        try:
            return read_text(file, RunFolderError, most=LARGEST_STORED, regular=True)
        except OSError as error:
            raise RunFolderError(f"{file} cannot be read: {error.strerror}") from None

    def _json(self, name: str) -> Any:
        return parse_json(self._text(name), str(self.path / name), RunFolderError)


def library_versions() -> dict[str, str]:
    """Versions of the libraries that make the numbers."""
    found: dict[str, str] = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
