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
"""

from __future__ import annotations

import io
import json
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from babysit.record._atomic import write_atomic
from babysit.record._errors import InputError, RunFolderError, RunVersionError
from babysit.record._finding import FINDING_SCHEMA, Diagnosis, Finding
from babysit.record._folder import Folder, FolderInfo
from babysit.record._reading import refuse_irregular
from babysit.record._recipe import Recipe
from babysit.record._recipe_text import recipe_to_toml
from babysit.record._stored import from_json, to_json
from babysit.record._summary import Evaluation, RunSummary, SummaryModel
from babysit.record._trace import Trace
from babysit.record._trace_store import TraceStore, read_trace

FINDINGS = "findings.json"
Indices = dict[str, npt.NDArray[np.int64]]
Summary = TypeVar("Summary", bound=SummaryModel)


class RunInfo(FolderInfo):
    """`run.json`."""

    seed: int


class Run(Folder[RunInfo]):
    """A training that is kept. Reading needs no lock; writing happens inside `writing()`.

    Raises:
        RunFolderError: The folder is not a Run, or is damaged.
        RunVersionError: It was written by a version this one cannot read.
    """

    name = "Run"
    work = "training"
    command = "babysit fit"
    schema = 1
    info_type = RunInfo

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
    ) -> Run:
        """Make a Run whole, or not at all.

        Raises:
            RunFolderError: Something is at `path` already.
            StorageError: The disk refused; nothing is left behind.
        """

        def fill(folder: pathlib.Path) -> None:
            packed = io.BytesIO()
            # Numbers alone, so that nothing is pickled; older NumPy would store an argument that says so as an array.
            numbers: dict[str, Any] = {name: np.asarray(rows, np.int64) for name, rows in split.items()}
            np.savez(packed, **numbers)
            write_atomic(folder / "recipe.toml", recipe_to_toml(recipe))
            write_atomic(folder / "summary.json", summary.model_dump_json(indent=1))
            write_atomic(folder / "model.json", json.dumps(model, indent=1))
            write_atomic(folder / "split.npz", packed.getvalue())
            write_atomic(folder / "weights.safetensors", weights)

        return cls._make(path, {"seed": recipe.seed, "fingerprint": fingerprint}, fill)

    def write_evaluation(self, evaluation: Evaluation) -> None:
        """Keep scores under the name of their phase."""
        self.write(f"evaluation-{evaluation.phase}.json", evaluation.model_dump_json(indent=1))

    @property
    def summary(self) -> RunSummary:
        """The data, the decisions and the model, in numbers."""
        return self._validated("summary.json", RunSummary)

    @property
    def model(self) -> dict[str, Any]:
        """What rebuilds the model."""
        content = self._json("model.json")
        if not isinstance(content, dict):
            raise RunFolderError(f"{self.path / 'model.json'} is damaged: it is not a JSON object")
        return content

    @property
    def split(self) -> Indices:
        """Row numbers by phase."""
        file = self.path / "split.npz"
        try:
            refuse_irregular(file, RunFolderError)
            with file.open("rb") as opened, zipfile.ZipFile(opened) as archive:
                # It is written unpacked, so a part that says it is larger than the file is lying.
                if sum(part.file_size for part in archive.infolist()) > file.stat().st_size:
                    raise ValueError("it says that it is larger than it is")
            with np.load(file, allow_pickle=False) as packed:
                rows = {name: packed[name] for name in packed.files}
            if any(row.ndim != 1 or row.dtype.kind not in "iu" for row in rows.values()):
                raise ValueError("row numbers are whole numbers in one axis")
            return {name: row.astype(np.int64) for name, row in rows.items()}
        except RunFolderError:
            raise
        except Exception as error:  # NumPy and zipfile raise whatever comes up in damaged bytes
            raise RunFolderError(f"{file} is damaged: {error}") from None

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
        content = self._json(FINDINGS)
        version = content.get("schema") if isinstance(content, dict) else None
        if isinstance(version, int) and version != FINDING_SCHEMA:
            raise RunVersionError(f"{self.path / FINDINGS} has schema {version}", legal=str(FINDING_SCHEMA))
        try:
            return [*from_json(Diagnosis, content).findings]
        except (ValueError, RecursionError, InputError) as error:
            raise RunFolderError(f"{self.path / FINDINGS} is damaged: {str(error).splitlines()[0]}") from None

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Keep what was diagnosed, in the place of what was diagnosed before."""
        self.write(FINDINGS, json.dumps(to_json(Diagnosis(tuple(findings))), indent=1))

    def trace(self) -> Trace:
        """What was measured so far."""
        return read_trace(self.path / "trace.sqlite")

    def trace_store(self) -> TraceStore:
        """Where to write what is measured."""
        return TraceStore(self.path / "trace.sqlite")

    def _validated(self, name: str, kind: type[Summary]) -> Summary:
        try:
            return kind.model_validate_json(self._text(name))
        except ValidationError as error:
            raise RunFolderError(f"{self.path / name} is damaged: {error.error_count()} entries are wrong") from None
