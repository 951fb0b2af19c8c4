"""How each point of a search stands: the mean over its folds, at each rung it stood at."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from babysit.record._study import Standing, StudyRung, StudyTrial
from babysit.record._trial import TrialScore, TrialStatus

WORST_FIRST: tuple[TrialStatus, ...] = ("diverged", "exploded", "chance", "stopped", "alive")


def over_folds(point: int, scores: Sequence[TrialScore]) -> TrialScore:
    """One score for a point from those of its folds: means, and the worst status.

    A fold that failed fails the point: settings that break on a part of the data are no winners.

    Example:
        >>> one = TrialScore(0, 10, 0.5, 0.8, "accuracy", 2.3, 0.6, "alive", 1.0)
        >>> two = TrialScore(1, 10, 0.7, 0.6, "accuracy", 2.3, 0.6, "alive", 1.0)
        >>> round(over_folds(0, [one, two]).score, 2)
        0.7
    """
    if len(scores) == 1:
        return _renamed(scores[0], point)
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


def _renamed(score: TrialScore, point: int) -> TrialScore:
    return TrialScore(
        point, score.step, score.loss, score.score, score.score_name, score.first_loss, score.train_loss, score.status,
        score.seconds,
    )  # fmt: skip


def standings(
    trials: Sequence[StudyTrial], rungs: Sequence[StudyRung], scores: Mapping[int, Mapping[int, TrialScore]]
) -> list[Standing]:
    """Each point and how it stands: those that came furthest first, among them the best score first."""
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
                point, first.stage, first.generation, first.settings, first.units, last.step, last.score, last.loss,
                last.status, tuple((score.step, score.score) for score in along),
            )
        )  # fmt: skip
    return sorted(found, key=_order)


def _order(standing: Standing) -> tuple[bool, int, float, float, int]:
    loss = standing.loss if math.isfinite(standing.loss) else math.inf
    if standing.failed:
        return (True, -standing.step, 0.0, loss, standing.point)
    return (False, -standing.step, -standing.score, loss, standing.point)
