"""Run: a training that is kept, as a folder.

    run.json                schema, status, seed, library versions, when and with what it was made
    recipe.toml             the recipe, every decision filled in
    summary.json            the data, the decisions and the model, in numbers, for the report
    model.json              what rebuilds the model: columns, preprocessing and network settings
    split.npz               row numbers of train, validation and test
    weights.safetensors     the model to use: the best weights so far, preprocessing included
    checkpoint.safetensors  where the training stands: weights, optimizer, random streams, counters
    trace.sqlite            what was measured
    evaluation-PHASE.json   scores
    findings.json           what was wrong with the training
    lock                    held by the process that writes

The folder comes into being whole, by one rename, and each file in it changes by one rename, so that a process killed
at any instant leaves a Run that opens.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import pathlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, Literal, TypeVar

import filelock
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from babysit.record._atomic import storage_error, write_atomic
from babysit.record._errors import InputError, RunFolderError, RunLockedError, RunVersionError
from babysit.record._finding import FINDING_SCHEMA, Diagnosis, Finding
from babysit.record._recipe import Recipe
from babysit.record._recipe_text import parse_recipe, recipe_to_toml
from babysit.record._stored import from_json, to_json
from babysit.record._summary import Evaluation, RunSummary
from babysit.record._trace import Trace
from babysit.record._trace_store import TraceStore, read_trace

RUN_SCHEMA = 1
FINDINGS = "findings.json"
Indices = dict[str, npt.NDArray[np.int64]]
Kept = TypeVar("Kept", bound=BaseModel)
Status = Literal["begun", "interrupted", "finished"]
_LIBRARIES = ("babysit", "torch", "numpy", "polars", "scikit-learn", "safetensors", "pydantic", "pillow")


class RunInfo(BaseModel):
    """`run.json`."""

    model_config = ConfigDict(frozen=True)

    schema_number: int
    status: Status
    seed: int
    created: str  # ISO 8601, UTC
    fingerprint: str  # of the data the training reads, so that resuming on other data is refused
    versions: dict[str, str]


class RunFolder:
    """A Run on disk. Reading needs no lock; writing happens inside `writing()`.

    Raises:
        RunFolderError: The folder is no Run, or is damaged.
        RunVersionError: It was written by a version this one cannot read.
    """

    def __init__(self, path: str | pathlib.Path) -> None:
        self.path = pathlib.Path(path)
        self.info = self._read_info()

    @classmethod
    def create(
        cls,
        path: str | pathlib.Path,
        *,
        recipe: Recipe,
        summary: RunSummary,
        model: Mapping[str, Any],
        split: Indices,
        weights: bytes,
        fingerprint: str,
    ) -> RunFolder:
        """Make a Run folder whole, or not at all.

        Raises:
            RunFolderError: Something is at `path` already.
            StorageError: The disk refused; nothing is left behind.
        """
        path = pathlib.Path(path)
        refuse_existing(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        info = RunInfo(
            schema_number=RUN_SCHEMA, status="begun", seed=recipe.seed, created=now, fingerprint=fingerprint,
            versions=library_versions(),
        )  # fmt: skip
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **split)
        try:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                for name, content in (
                    ("recipe.toml", recipe_to_toml(recipe)),
                    ("summary.json", summary.model_dump_json(indent=1)),
                    ("model.json", json.dumps(model, indent=1)),
                    ("split.npz", packed.getvalue()),
                    ("weights.safetensors", weights),
                    ("run.json", info.model_dump_json(indent=1)),
                ):
                    write_atomic(partial / name, content)
                partial.rename(path)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        except OSError as error:
            raise storage_error(error, path) from error
        return cls(path)

    def _read_info(self) -> RunInfo:
        file = self.path / "run.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            there = self.path.exists()
            raise RunFolderError(
                f"{self.path} is no Run folder: it has no run.json" if there else f"no Run folder {self.path}",
                legal="a folder that `babysit fit` made",
                cause="it is the data or a folder of Runs" if there else "the path is misspelt, or the Run was moved",
            ) from None
        except (NotADirectoryError, PermissionError) as error:
            raise RunFolderError(f"{self.path} is no Run folder: {error.strerror}") from None
        except ValueError:
            raise RunFolderError(f"{file} is damaged: it is not JSON") from None
        version = content.get("schema_number") if isinstance(content, dict) else None
        if version != RUN_SCHEMA:
            made_by = content.get("versions", {}).get("babysit", "?") if isinstance(content, dict) else "?"
            raise RunVersionError(
                f"{self.path} has Run schema {version!r}, made by babysit {made_by}",
                legal=f"schema {RUN_SCHEMA}, as babysit {library_versions()['babysit']} writes it",
                write="pip install the version that made it, or fit again",
            )
        try:
            return RunInfo.model_validate(content)
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
                cause="the same training was started twice, or the first has not ended",
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
        """Say how far the training is."""
        self.info = self.info.model_copy(update={"status": status})
        write_atomic(self.path / "run.json", self.info.model_dump_json(indent=1))

    def write(self, name: str, content: bytes | str, *, durable: bool = True) -> None:
        """Replace one file of the Run at once."""
        write_atomic(self.path / name, content, durable=durable)

    def write_evaluation(self, evaluation: Evaluation) -> None:
        """Keep scores under the name of their phase."""
        self.write(f"evaluation-{evaluation.phase}.json", evaluation.model_dump_json(indent=1))

    @property
    def recipe(self) -> Recipe:
        """The recipe, every decision filled in."""
        return parse_recipe(self._text("recipe.toml"), where=str(self.path / "recipe.toml"))

    @property
    def summary(self) -> RunSummary:
        """The data, the decisions and the model, in numbers."""
        return self._validated("summary.json", RunSummary)

    @property
    def model(self) -> dict[str, Any]:
        """What rebuilds the model."""
        try:
            content = json.loads(self._text("model.json"))
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise RunFolderError(f"{self.path / 'model.json'} is damaged: it is not a JSON object")
        return content

    @property
    def split(self) -> Indices:
        """Row numbers by phase."""
        try:
            with np.load(self.path / "split.npz", allow_pickle=False) as packed:
                return {name: packed[name].astype(np.int64) for name in packed.files}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunFolderError(f"{self.path / 'split.npz'} is damaged: {error}") from None

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Scores by phase."""
        files = sorted(self.path.glob("evaluation-*.json"))
        found = (self._validated(file.name, Evaluation) for file in files)
        return {evaluation.phase: evaluation for evaluation in found}

    @property
    def findings(self) -> list[Finding]:
        """What was wrong with the training, causes first; none before it was diagnosed."""
        if not (self.path / FINDINGS).exists():
            return []
        try:
            content = json.loads(self._text(FINDINGS))
            if content["schema"] != FINDING_SCHEMA:
                raise RunVersionError(
                    f"{self.path / FINDINGS} has schema {content['schema']}", legal=str(FINDING_SCHEMA)
                )
            return [*from_json(Diagnosis, content).findings]
        except (ValueError, KeyError, TypeError, InputError) as error:
            if isinstance(error, RunVersionError):
                raise
            raise RunFolderError(f"{self.path / FINDINGS} is damaged: {error}") from None

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Keep what was diagnosed, in the place of what was diagnosed before."""
        self.write(FINDINGS, json.dumps(to_json(Diagnosis(tuple(findings))), indent=1))

    def trace(self) -> Trace:
        """What was measured so far."""
        return read_trace(self.path / "trace.sqlite")

    def trace_store(self) -> TraceStore:
        """Where to write what is measured."""
        return TraceStore(self.path / "trace.sqlite")

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise RunFolderError(f"{self.path / name} cannot be read: {reason}") from None

    def _validated(self, name: str, kind: type[Kept]) -> Kept:
        try:
            return kind.model_validate_json(self._text(name))
        except ValidationError as error:
            raise RunFolderError(f"{self.path / name} is damaged: {error.error_count()} entries are wrong") from None


def refuse_existing(path: pathlib.Path) -> None:
    """Refuse to make a Run where something is; asked early, so that no hour is spent before it.

    Raises:
        RunFolderError: Something is at `path`.
    """
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        is_run = (path / "run.json").exists()
        raise RunFolderError(
            f"{path} exists already",
            cause="an earlier training is kept there" if is_run else None,
            write=f"--resume {path} to go on with it, or another --out" if is_run else "another --out",
        )


def library_versions() -> dict[str, str]:
    """Versions of the libraries that make the numbers."""
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
