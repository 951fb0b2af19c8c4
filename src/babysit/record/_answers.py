"""What commands print with `--json`, where it is not a record that is stored as it is.

`babysit schema NAME` prints the JSON Schema of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from babysit.record._finding import Finding
from babysit.record._healing import Healing
from babysit.record._stored import Seconds, Values, stored
from babysit.record._study import StudyResult
from babysit.record._summary import Check, DataSummary, Decision, Evaluation, LayerSummary, SummaryModel


class TrainingAnswer(SummaryModel):
    """A Run: what is known of it, and where its report is."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    run: str
    status: str
    seed: int
    versions: Mapping[str, str]
    data: DataSummary
    decisions: tuple[Decision, ...]
    preprocessing: tuple[str, ...]
    layers: tuple[LayerSummary, ...]
    checks: tuple[Check, ...]
    device: str
    evaluations: Mapping[str, Evaluation]
    events: tuple[Values, ...]
    findings: tuple[Finding, ...]
    reason: str = ""  # why the training ended
    report: str | None = None  # the page; None after an interruption


@stored
class DemoAnswer:
    """Both halves of the demonstration: a sick script that was healed, and a training that was well."""

    healing: Healing
    training: TrainingAnswer
    schema: int = 1


@stored
class SearchAnswer:
    """A search: where its Study is, how it stands, and what it found; None after an interruption."""

    study: str
    status: str
    result: StudyResult | None
    schema: int = 1


@stored
class RunAnswer:
    """What came of a script that was watched.

    Attributes:
        findings: What was wrong with its training, causes first.
        unseen: What could not be watched, and why.
        steps: Steps that its optimizer took.
        ended: How it ended.
        code: Its exit code.
        error: The error that ended it, in one line.
        not_applied: Remedies that it was to run under and that were not applied, each with the reason.
        schema: Version of this form.
    """

    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]
    steps: int
    ended: Literal["finished", "failed", "interrupted"]
    code: int
    error: str
    not_applied: tuple[str, ...] = ()
    schema: int = 1


@stored
class ExportAnswer:
    """Where the model was written to."""

    model: str
    schema: int = 1


@stored
class PredictionsFile:
    """Where answers for new rows were written to, and how many there are."""

    rows: int
    out: str
    schema: int = 1


@stored
class LessonAnswer:
    """A page of `explain`: its words, and the numbers of its figures."""

    name: str
    kind: str
    title: str
    words: tuple[str, ...]
    formula: str
    when: str
    wrong: str
    source: str
    code: str
    figures: tuple[Values, ...]
    see: tuple[str, ...]


@stored
class ExplainAnswer:
    """Pages of `explain`; without a name, every name that it knows, by kind."""

    lessons: tuple[LessonAnswer, ...]
    names: Mapping[str, tuple[str, ...]]
    schema: int = 1


JobState = Literal["running", "finished", "stopped", "failed", "killed"]


@stored
class JobAnswer:
    """A command that goes on in the background, as it stands.

    Attributes:
        job: What it is called: `babysit status JOB`.
        command: What followed `babysit`.
        state: `running`; `finished`; `stopped` by `babysit status JOB --stop`; `failed`, where the input could not be
            used; or `killed`, where it left no answer.
        code: Its exit code; None while it runs, and of one that was killed.
        seconds: Since it began; of one that has ended, until its end.
        news: What it told, in lines, after those that were known already.
        next: Say `--since NEXT` to be told only what is new.
        answer: What the command prints with --json; None while it runs, and where it came to none.
        text: What the command prints without --json.
        schema: Version of this form.
    """

    job: str
    command: tuple[str, ...]
    state: JobState
    code: int | None = None
    seconds: Seconds = 0.0
    news: tuple[str, ...] = ()
    next: int = 0
    answer: Any = None
    text: str = ""
    schema: int = 1


@stored
class JobsAnswer:
    """All jobs that are kept, the newest first; without their news and answers."""

    jobs: tuple[JobAnswer, ...]
    schema: int = 1
