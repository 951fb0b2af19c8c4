"""What a report shows of the data, the model and the scores: plain numbers, validated, kept as JSON in the Run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class SummaryModel(BaseModel):
    # Numbers may be NaN or infinite: nothing raw is filtered. JSON has neither, so they are kept as strings.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class ColumnSummary(SummaryModel):
    """One input column, as the training split shows it."""

    name: str
    type: Literal["number", "category", "boolean", "date", "text", "drop"]
    why: str = ""
    missing: float = 0.0  # share of rows
    levels: int | None = None
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None


class DataSummary(SummaryModel):
    """The data: where it came from, what is learned, how rows were dealt."""

    source: str
    kind: Literal["table", "images", "arrays"]
    rows: int
    shape: tuple[int, ...]  # of one raw input
    task: Literal["classification", "regression"]
    target: str
    classes: tuple[str, ...] = ()
    splits: dict[str, int] = {}  # rows by phase
    class_counts: dict[str, tuple[int, ...]] = {}  # rows of each class by phase
    target_range: tuple[float, float] | None = None
    columns: tuple[ColumnSummary, ...] = ()
    notes: tuple[str, ...] = ()


class LayerSummary(SummaryModel):
    """One layer of the network."""

    name: str
    kind: str
    output: tuple[int, ...]  # shape for one row
    parameters: int
    initialised: str = ""


class Decision(SummaryModel):
    """Something decided from the data rather than by the user, and why.

    `change` is there where the decision is doubtful: what to type to decide it otherwise.
    """

    setting: str
    value: str
    why: str
    change: str = ""


class Check(SummaryModel):
    """Something that was checked before the training: what was measured, what was expected, and what it means."""

    name: str
    verdict: Literal["pass", "warn", "fail"]
    measured: float
    expected: float
    why: str


class RunSummary(SummaryModel):
    """Everything a report says about a training besides its curves and scores."""

    schema_number: Literal[1] = 1
    data: DataSummary
    decisions: tuple[Decision, ...] = ()
    preprocessing: tuple[str, ...] = ()
    layers: tuple[LayerSummary, ...] = ()
    checks: tuple[Check, ...] = ()
    device: str = "cpu"


class Score(SummaryModel):
    """One score with its 95 % confidence interval: Wilson's for a share of rows, of a bootstrap for all else."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""


class ClassScores(SummaryModel):
    """Precision and recall of one class."""

    name: str
    rows: int
    precision: float
    recall: float
    f1: float


class CalibrationBin(SummaryModel):
    """Predictions whose confidence fell between two values."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


class Evaluation(SummaryModel):
    """Scores of a Run on some rows."""

    schema_number: Literal[1] = 1
    phase: str  # train, validation, test, or the name of a file
    rows: int
    scores: tuple[Score, ...]
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()  # row: true class, column: predicted class
    by_class: tuple[ClassScores, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    # Regression: a sample of rows as (true, predicted), at most 2,000.
    residuals: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()

    def score(self, name: str) -> Score:
        """The score of that name; KeyError when there is none."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)
