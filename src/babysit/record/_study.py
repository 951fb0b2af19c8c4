"""A search as it is kept and shown: its rungs, its trials, how each point stands, what was found."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from babysit.record._finding import Finding
from babysit.record._stored import Values, stored
from babysit.record._trial import Setting, TrialScore, TrialStatus

StudyStage = Literal["coarse", "fine", "full"]
WORST_FIRST: tuple[TrialStatus, ...] = ("diverged", "exploded", "chance", "stopped", "alive")


@stored
class StudyParameter:
    """What is searched, as a report shows it.

    Attributes:
        path: Recipe path, or the name of a script's argument.
        kind: `range` or `choice`.
        low: Lower end of the range as it was given; None for a choice.
        high: Upper end.
        log: Whether every decade counts alike.
        options: Of a choice, as text; empty for a range.
        text: Its text form.
    """

    path: str
    kind: Literal["range", "choice"]
    low: float | None
    high: float | None
    log: bool
    options: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """A trial of a Study.

    Attributes:
        number: Unique in the Study.
        point: Number of its point in the space: folds and repeats of one point share it.
        stage: In which it began.
        generation: Of the fine stage, from 1; 0 is coarse.
        settings: What the search chose, by path.
        units: The same as unit coordinates, by path: 0 and 1 are the ends of the range as it was given.
        fold: Of the data; None is its own split.
        repeat: Of the point, from 1 on with a seed of its own; 0 in the search.
    """

    number: int
    point: int
    stage: StudyStage
    generation: int
    settings: Mapping[str, Setting]
    units: Mapping[str, float]
    fold: int | None = None
    repeat: int = 0


class StudyRung(NamedTuple):
    """A rung that was finished."""

    number: int
    stage: StudyStage
    generation: int
    step: int
    trials: tuple[int, ...]  # that were asked for
    box: tuple[str, ...]  # between which values points were drawn, for people
    widened: tuple[str, ...]  # paths whose range was widened for it
    seconds: float


class FinishedRung(NamedTuple):
    """A rung with all that is kept of it."""

    rung: StudyRung
    new: tuple[StudyTrial, ...]  # that began in it
    scores: dict[int, TrialScore]  # by number of the trial


@dataclass(frozen=True, slots=True)
class Standing:
    """A point of the space and how it stands: the mean over its folds.

    Attributes:
        point: Its number.
        stage: In which it began.
        generation: Of the fine stage.
        settings: What was chosen.
        units: The same between 0 and 1.
        step: Steps taken.
        score: Higher is better; NaN where it failed.
        loss: Mean loss.
        status: As its trials' scores say; the worst of them.
        course: (step, score) at each rung it stood at.
    """

    point: int
    stage: StudyStage
    generation: int
    settings: Mapping[str, Setting]
    units: Mapping[str, float]
    step: int
    score: float
    loss: float
    status: str
    course: tuple[tuple[int, float], ...]

    @property
    def failed(self) -> bool:
        """Whether it diverged, exploded or gave no number."""
        return self.status in ("diverged", "exploded") or not math.isfinite(self.score)

    @property
    def ended(self) -> bool:
        """Whether its patience was spent: it has come as far as it can."""
        return self.status == "stopped"

    def reached(self, longest: int) -> int:
        """How far it came, where the longest trial took so many steps."""
        return max(self.step, longest) if self.ended else self.step


@stored
class Winner:
    """One of the best points, trained in full.

    Attributes:
        point: Its number.
        settings: What was chosen.
        scores: At full length, one for each seed (and fold).
        mean: Of them.
        spread: Their standard deviation; NaN of one.
        behind: Mean of the best winner less this one's, with its 95 % interval over rows and seeds.
        tied: Whether that interval holds zero.
        trials: Numbers of the trials.
        run: Folder of the Run that holds its model, beneath the Study; empty where none was kept.
        failed: Further trainings in full that diverged or exploded, and count for nothing here.
    """

    point: int
    settings: Mapping[str, Setting]
    scores: tuple[float, ...]
    mean: float
    spread: float
    behind: tuple[float, float, float]
    tied: bool
    trials: tuple[int, ...]
    run: str = ""
    failed: int = 0


class CurvePoint(NamedTuple):
    """Of so many trials the best is expected to score so much, with a 90 % interval."""

    trials: int
    median: float
    low: float
    high: float


@stored
class StudyResult:
    """What a search found.

    Attributes:
        score_name: accuracy or r2, or what a script prints.
        winners: The best points in full, the best first.
        best_of: Bootstrapped best of n, from the coarse trials.
        importance: Share of the scores' variance that each hyper-parameter explains alone, by path.
        interactions: What they explain together beyond that.
        explained: How much of the variance the model behind these numbers explains of trials it has not seen.
        failing: Share of coarse trials that diverged, exploded or were stuck at chance.
        by_status: Coarse points by how they ended.
        random_against_grid: Expected best of n random trials and of a grid of n, from the same model.
        ensemble: Scores of the survivors' mean answer, by phase, beside the best single one's.
        findings: What is wrong with the search.
        interrupted: It was stopped before its end.
        seconds: All of it took.
        trials: How many there were.
        steps: Of all trials together.
        decisions: What the engine and the search decided, for people.
    """

    score_name: str
    winners: tuple[Winner, ...] = ()
    best_of: tuple[CurvePoint, ...] = ()
    importance: Mapping[str, float] = field(default_factory=dict)
    interactions: float = 0.0
    explained: float = 0.0
    failing: float = 0.0
    by_status: Mapping[str, int] = field(default_factory=dict)
    random_against_grid: Values = field(default_factory=dict)
    ensemble: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    interrupted: bool = False
    seconds: float = 0.0
    trials: int = 0
    steps: int = 0
    decisions: tuple[str, ...] = ()


def over_folds(point: int, scores: Sequence[TrialScore]) -> TrialScore:
    """One score for a point from those of its folds: means, and the worst status.

    A fold that failed fails the point: settings that break on a part of the data are not winners.

    Example:
        >>> one = TrialScore(0, 10, 0.5, 0.8, "accuracy", 2.3, 0.6, "alive", 1.0)
        >>> two = TrialScore(1, 10, 0.7, 0.6, "accuracy", 2.3, 0.6, "alive", 1.0)
        >>> round(over_folds(0, [one, two]).score, 2)
        0.7
    """
    if len(scores) == 1:
        return replace(scores[0], trial=point)
    failed = any(score.failed for score in scores)
    return TrialScore(
        trial=point,
        step=sum(score.step for score in scores) // len(scores),
        loss=math.nan if failed else statistics.fmean(score.loss for score in scores),
        score=math.nan if failed else statistics.fmean(score.score for score in scores),
        score_name=scores[0].score_name,
        first_loss=statistics.fmean(score.first_loss for score in scores),
        train_loss=statistics.fmean(score.train_loss for score in scores),
        status=min((score.status for score in scores), key=WORST_FIRST.index),
        seconds=sum(score.seconds for score in scores),
    )


def standings(
    trials: Sequence[StudyTrial], rungs: Sequence[StudyRung], scores: Mapping[int, Mapping[int, TrialScore]]
) -> list[Standing]:
    """Each point and how it stands: those that came furthest first, among them the best score first.

    A point whose patience was spent came as far as any.
    """
    members: dict[int, list[StudyTrial]] = {}
    for trial in trials:
        if not trial.repeat:
            members.setdefault(trial.point, []).append(trial)
    point_of = {trial.number: point for point, group in members.items() for trial in group}
    course: dict[int, list[TrialScore]] = {}
    for rung in rungs:
        here: dict[int, list[TrialScore]] = {}
        for number, score in scores.get(rung.number, {}).items():
            if number in point_of:
                here.setdefault(point_of[number], []).append(score)
        for point, group_scores in here.items():
            course.setdefault(point, []).append(over_folds(point, group_scores))
    found = []
    for point, along in course.items():
        first, last = members[point][0], along[-1]
        found.append(
            Standing(
                point=point,
                stage=first.stage,
                generation=first.generation,
                settings=first.settings,
                units=first.units,
                step=last.step,
                score=last.score,
                loss=last.loss,
                status=last.status,
                course=tuple((score.step, score.score) for score in along),
            )
        )
    longest = max((one.step for one in found), default=0)
    return sorted(found, key=lambda one: _order(one, longest))


def _order(standing: Standing, longest: int) -> tuple[bool, int, float, float, int]:
    loss = standing.loss if math.isfinite(standing.loss) else math.inf
    if standing.failed:
        return (True, -standing.step, 0.0, loss, standing.point)
    return (False, -standing.reached(longest), -standing.score, loss, standing.point)
