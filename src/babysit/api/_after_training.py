"""evaluate, predict and export: what is done with a trained model."""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.text import Text
from torch import nn

from babysit import training
from babysit.api._result import Result
from babysit.record import (
    Evaluation,
    ExportAnswer,
    InputError,
    PredictionsFile,
    Run,
    Score,
    Study,
    write_atomic,
)
from babysit.reports import evaluation_renderable

ENDINGS = (".csv", ".parquet", ".json")


@dataclass(frozen=True, repr=False)
class Evaluated(Result):
    """What `evaluate` answers.

    Attributes:
        evaluation: Scores with their intervals, and what there is to say about them.
    """

    evaluation: Evaluation

    def score(self, name: str) -> Score:
        """The score of that name; KeyError when there is none."""
        return self.evaluation.score(name)

    def _record(self) -> Evaluation:
        return self.evaluation

    def _title(self) -> str:
        return f"Scores on {self.evaluation.phase}, {self.evaluation.rows:,} rows"

    def __rich__(self) -> RenderableType:
        return evaluation_renderable(self.evaluation)


@dataclass(frozen=True, repr=False)
class Predicted(Result):
    """What `predict` answers.

    Attributes:
        frame: A row for each row of the data.
        out: The file with these rows; None where none was written.
        notes: What there is to know of the rows, such as columns that were ignored.
    """

    frame: pl.DataFrame
    out: pathlib.Path | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> Any:
        """The rows as a list of mappings; where a file was written, its name and the number of rows."""
        return json.loads(self.frame.write_json()) if self.out is None else super().to_dict()

    def _record(self) -> PredictionsFile:
        return PredictionsFile(self.frame.height, str(self.out))

    def _title(self) -> str:
        return f"{self.frame.height:,} answers"

    def __rich__(self) -> RenderableType:
        return Text(f"{self.frame.height:,} answers written to {self.out}" if self.out else str(self.frame))


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """What `export` answers.

    Attributes:
        path: The file with the model.
    """

    path: pathlib.Path

    def _record(self) -> ExportAnswer:
        return ExportAnswer(str(self.path))

    def _title(self) -> str:
        return f"model: {self.path}"

    def __rich__(self) -> RenderableType:
        return Text(self._title(), no_wrap=True, overflow="ignore")


def evaluate(
    run: str | pathlib.Path | Run | Study,
    data: object = None,
    *,
    phase: str = "test",
    source: object = None,
    model: Callable[..., nn.Module] | None = None,
) -> Evaluated:
    """Score a Run.

    Args:
        run: A Run or its folder, or a finished Study or its folder: the Study's winners then answer together.
        data: New rows with their targets: a file or an object as `fit` takes it. None scores the Run's own rows of
            `phase`, and keeps the scores in the Run.
        phase: Which of the Run's own rows: train, validation or test.
        source: The data that the Run was fitted on, when it was given as an object rather than a path.
        model: The function that makes the network, where one of the user's did.

    Returns:
        Scores with 95 % intervals: `.evaluation`, and `.score(NAME)`. The notes tell what the constant answer would
        reach, and whether the training had not ended.

    Raises:
        InputError: The Run or the data cannot be used, the data of the Run has changed, or the phase has no rows.

    Example:
        >>> evaluate("runs/digits-1").score("accuracy")  # doctest: +SKIP
    """
    return Evaluated(training.evaluate(run, data, phase=phase, source=source, model=model))


def predict(
    run: str | pathlib.Path | Run | Study,
    data: object,
    *,
    keep: Sequence[str] = (),
    out: str | pathlib.Path | None = None,
    model: Callable[..., nn.Module] | None = None,
) -> Predicted:
    """Answer for new rows with the model of a Run.

    Args:
        run: A Run or its folder, or a finished Study or its folder: the Study's winners then answer together.
        data: A file or an object as `fit` takes it, with or without the target; for images also a folder without
            classes, or one image.
        keep: Columns of the data to put beside the answers.
        out: A file to write the answers to: .csv, .parquet or .json.
        model: The function that makes the network, where one of the user's did.

    Returns:
        `.frame`, a polars DataFrame with a row for each row of the data: `row` (its number, from 0) or `file`; the kept
        columns; `prediction`; for classes also `confidence` and `probability_CLASS` for each class. The probabilities
        of a network trained with the hinge loss order classes well but are not calibrated.

    Raises:
        InputError: The Run cannot be used, the data has other columns or shapes than the training's, or the file to
            write has another ending.

    Example:
        >>> predict("runs/houses-1", "unsold.csv").frame.head()  # doctest: +SKIP
    """
    path = pathlib.Path(out) if out is not None else None
    if path is not None and path.suffix not in ENDINGS:
        raise InputError(f"'{path}' ends in '{path.suffix}'", legal=", ".join(ENDINGS), write="--out predictions.csv")
    notes: list[str] = []
    frame = training.predict(run, data, keep=keep, model=model, tell=notes.append)
    if path is not None:
        write_atomic(path, _as_file(frame, path.suffix))
    return Predicted(frame, path, tuple(notes))


def export(
    run: str | pathlib.Path | Run | Study,
    path: str | pathlib.Path,
    *,
    model: Callable[..., nn.Module] | None = None,
) -> Exported:
    """Write the model of a Run, preprocessing inside, as ONNX (`.onnx`) or for torch.export (`.pt2`).

    Input `raw` and output `answer` are what `load(run)` takes and gives; the number of rows is free. The file is
    read again and its answers are compared before it is written.

    Args:
        run: A Run or its folder, or a finished Study or its folder: the Study's winners then answer together.
        path: The file to write; its ending says the form.
        model: The function that makes the network, where one of the user's did.

    Raises:
        InputError: The path has another ending, or the Run cannot be used.
        MissingExtraError: ONNX needs `pip install babysit[export]`.
        StorageError: The file cannot be written.

    Example:
        >>> export("runs/digits-1", "digits.onnx").path  # doctest: +SKIP
    """
    return Exported(training.export(run, path, model))


def _as_file(frame: pl.DataFrame, suffix: str) -> str | bytes:
    if suffix == ".parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    return frame.write_csv() if suffix == ".csv" else frame.write_json()
