"""Progress: what a training, a check, a healing and a search say while they run.

To follow one of them, pass `progress=`: a callable that takes one event at a time. Each kind of event is a class of its
own, so that a receiver picks what it needs:

    def show(event):
        if isinstance(event, EpochEnded):
            print(event.epoch, event.train_loss)

    babysit.fit("digits", progress=show)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from babysit.record._finding import Finding
from babysit.record._healing import Tried
from babysit.record._paired import TrainingComparison
from babysit.record._pre_flight import PreFlightStep
from babysit.record._study import Standing, StudyParameter, StudyResult, StudyRung, StudyStage
from babysit.record._summary import DataSummary, Decision
from babysit.record._trace import Trace
from babysit.record._trial import TrialProgress, TrialScore


@dataclass(frozen=True, slots=True)
class DataPrepared:
    """Data was read: what it is, and what was decided from it."""

    data: DataSummary
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class TrainingBegan:
    """A training starts, or goes on, after `step` steps of `epochs * steps_per_epoch`."""

    epochs: int
    steps_per_epoch: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class StepsTaken:
    """Where a training stands within an epoch; sent about ten times a second, not at each step."""

    step: int  # steps done since the training began
    epoch: int  # epoch under way, counted from 1
    loss: float  # of the last batch, as it was: NaN and infinity included
    lr: float


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """An epoch of a training ended."""

    epoch: int  # counted from 1
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None
    score_name: str  # accuracy or r2
    train_score: float
    validation_score: float | None
    seconds: float  # since the training began or was resumed
    best: bool  # the best validation loss so far


@dataclass(frozen=True, slots=True)
class TraceMeasured:
    """What was measured of a training so far; sent about once a second."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class FindingsChanged:
    """What is wrong with a training by now, causes first."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class GuardActed:
    """A guard stopped a training, or went back to its last good state; the text says why."""

    step: int
    text: str


@dataclass(frozen=True, slots=True)
class TrainingEnded:
    """A training stopped; `reason` is a sentence for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class ScriptEnded:
    """A script that was watched ended: how, after how many seconds, and what was seen of its training."""

    name: str
    ended: str  # finished, failed or interrupted
    seconds: float
    trace: Trace
    findings: tuple[Finding, ...]
    traceback: str = ""  # of the error that ended it


@dataclass(frozen=True, slots=True)
class CheckBegan:
    """A check starts: its steps, and its time limit in seconds."""

    steps: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckStepBegan:
    """A step of a check begins."""

    name: str


@dataclass(frozen=True, slots=True)
class CheckStepEnded:
    """A step of a check is done."""

    step: PreFlightStep


@dataclass(frozen=True, slots=True)
class CheckEnded:
    """A check is done, or was stopped: what was measured of the training by then."""

    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class HealBegan:
    """A healing starts: its time limit in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SubjectWatched:
    """A healing watched the training as it is and found this, causes first."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RehearsalsBegan:
    """A healing begins so many rehearsals; `stage` says what for."""

    stage: str
    runs: int


@dataclass(frozen=True, slots=True)
class RemediesTried:
    """A healing rehearsed a remedy, or several together."""

    tried: Tried


@dataclass(frozen=True, slots=True)
class HealEnded:
    """A healing is done, or was stopped: what was measured of the training as it is, and with the remedies."""

    before: Trace | None = None
    after: Trace | None = None


@dataclass(frozen=True, slots=True)
class SeedsCompared:
    """A comparison trained both with one more seed; `comparison` is how it stands."""

    comparison: TrainingComparison


@dataclass(frozen=True, slots=True)
class ExplainBegan:
    """Pages of `explain` are computed: how many."""

    pages: int


@dataclass(frozen=True, slots=True)
class PageBegan:
    """A page of `explain` is computed now."""

    name: str


@dataclass(frozen=True, slots=True)
class ExplainEnded:
    """All pages of `explain` are computed."""


@dataclass(frozen=True, slots=True)
class SearchBegan:
    """A search starts: about so many steps of trials, in about so many seconds where that is known."""

    parameters: Sequence[StudyParameter]
    steps: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RungBegan:
    """Trials of a search go to a rung; others may go to another at the same time."""

    stage: StudyStage
    generation: int
    step: int
    trials: int
    kept: bool  # it was finished before, and is read from the Study


@dataclass(frozen=True, slots=True)
class RungEnded:
    """A rung of a search is finished and kept; `best` is the best point so far."""

    rung: StudyRung
    scores: Mapping[int, TrialScore]
    best: Standing | None


@dataclass(frozen=True, slots=True)
class SearchEnded:
    """A search is done, or was stopped: then `result` is None."""

    result: StudyResult | None


ProgressEvent: TypeAlias = (
    DataPrepared
    | TrainingBegan
    | StepsTaken
    | EpochEnded
    | TraceMeasured
    | FindingsChanged
    | GuardActed
    | TrainingEnded
    | ScriptEnded
    | CheckBegan
    | CheckStepBegan
    | CheckStepEnded
    | CheckEnded
    | HealBegan
    | SubjectWatched
    | RehearsalsBegan
    | RemediesTried
    | HealEnded
    | SeedsCompared
    | ExplainBegan
    | PageBegan
    | ExplainEnded
    | SearchBegan
    | RungBegan
    | TrialProgress
    | RungEnded
    | SearchEnded
)


class Progress(Protocol):
    """Receives progress events. A call returns at once and raises nothing; what it returns is not used."""

    def __call__(self, event: ProgressEvent, /) -> object: ...


def silent(event: object, /) -> None:
    """The Progress that does nothing."""
