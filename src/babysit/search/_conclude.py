"""What a search found: winners in full, ties called ties, an ensemble, and how far to believe it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from babysit.diseases import diagnose
from babysit.record import Engine, Standing, StudyResult, TrialScore, Winner
from babysit.search._best_of import best_of_curve
from babysit.search._importance import importance
from babysit.search._in_full import sound
from babysit.search._random_against_grid import random_against_grid
from babysit.search._search import Searching
from babysit.search._space import Space
from babysit.search._study_trace import study_trace
from babysit.search._ties import difference, difference_of_scores

Answers = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Phase = Literal["validation", "test"]


@dataclass(frozen=True)
class Truth:
    """What the answers are compared with.

    Attributes:
        kind: classification or regression.
        targets: Of a phase, or of the rows a fold holds out: class numbers, or values in the target's own unit.
    """

    kind: Literal["classification", "regression"]
    targets: Callable[[Phase, int | None], Numbers]


def row_values(kind: str, answers: Answers, targets: Numbers) -> Numbers:
    """What each row is worth, so that their mean is the score: 1 for the right class, or one's part in R2.

    Example:
        >>> row_values("classification", np.array([[0.1, 2.0], [3.0, 1.0]], dtype="f4"), np.array([1.0, 1.0]))
        array([1., 0.])
    """
    if kind == "classification":
        right: Numbers = (answers.argmax(1) == targets).astype(np.float64)
        return right
    squares = (answers.astype(np.float64).reshape(-1) - targets) ** 2
    spread = float(((targets - targets.mean()) ** 2).mean())
    values: Numbers = 1 - squares / spread if spread else -squares
    return values


def mean_answer(kind: str, members: Sequence[Answers]) -> Answers:
    """What several trials answer together: the mean of their probabilities, or of their values."""
    if kind != "classification":
        values: Answers = np.stack(members).mean(0, dtype=np.float64).astype(np.float32)
        return values
    shares = []
    for scores in members:
        raised = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
        shares.append(raised / raised.sum(1, keepdims=True))
    together: Answers = np.stack(shares).mean(0).astype(np.float32)
    return together


def conclude(
    searching: Searching,
    space: Space,
    engine: Engine,
    in_full: Mapping[int, Sequence[TrialScore]],
    truth: Truth | None,
    *,
    seed: int,
) -> StudyResult:
    """Everything a Study says at its end.

    Args:
        searching: The search.
        space: What was searched.
        engine: That holds the winners.
        in_full: Scores of the winners by point, one for each seed and fold.
        truth: What answers are compared with; None where an engine gives scores alone.
        seed: Of draws and the forest.
    """
    standings = searching.standings()
    coarse = [standing for standing in standings if standing.stage == "coarse"]
    names = [score.score_name for scores in searching.scores.values() for score in scores.values()]
    winners = _winners(searching, engine, in_full, truth, seed)
    curve = best_of_curve([standing.score for standing in coarse], _worst(coarse))
    forest = importance(space, standings, seed)
    by_status: dict[str, int] = {}
    for standing in coarse:
        by_status[standing.status] = by_status.get(standing.status, 0) + 1
    failing = sum(standing.failed or standing.status == "chance" for standing in coarse) / max(1, len(coarse))
    noise = _noise(winners, truth)
    trace = study_trace(
        space, standings, searching.rungs, curve, score_name=names[0] if names else "score", noise=noise
    )
    last: dict[int, int] = {}
    for number, rung in enumerate(searching.rungs):
        last |= {score.trial: score.step for score in searching.scores[number].values()}
        assert rung.number == number
    return StudyResult(
        score_name=names[0] if names else "score",
        winners=winners,
        best_of=curve,
        importance=forest.shares if forest else {},
        interactions=forest.together if forest else 0.0,
        explained=forest.explained if forest else 0.0,
        failing=failing,
        by_status=by_status,
        random_against_grid=random_against_grid(space, forest.model, max(1, len(coarse)), seed) if forest else {},
        ensemble=_ensemble(winners, engine, truth, searching) if truth is not None and winners else {},
        findings=tuple(diagnose(trace)),
        seconds=sum(rung.seconds for rung in searching.rungs),
        trials=len(searching.trials),
        steps=sum(last.values()),
        decisions=tuple(f"{one.setting} = {one.value}: {one.why}" for one in engine.decisions()),
    )


def _worst(standings: Sequence[Standing]) -> float:
    return min((standing.score for standing in standings if not standing.failed), default=0.0)


def _noise(winners: Sequence[Winner], truth: Truth | None) -> float:
    """Standard error of a score of a class: of a share of so many rows."""
    if truth is None or truth.kind != "classification" or not winners:
        return math.nan
    rows = len(truth.targets("validation", None))
    return math.sqrt(max(1e-12, winners[0].mean * (1 - winners[0].mean)) / rows) if rows else math.nan


def _winners(
    searching: Searching,
    engine: Engine,
    in_full: Mapping[int, Sequence[TrialScore]],
    truth: Truth | None,
    seed: int,
) -> tuple[Winner, ...]:
    known = {standing.point: standing for standing in searching.standings()}
    found = []
    for point, scores in in_full.items():
        lasted = [score for score in scores if sound(score)]
        if not lasted:
            continue
        values = tuple(score.score for score in lasted)
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        found.append(
            Winner(
                point, known[point].settings, values, float(np.mean(values)), spread, (0.0, 0.0, 0.0), False,
                tuple(score.trial for score in lasted), failed=len(scores) - len(lasted),
            )
        )  # fmt: skip
    # One that fails now and then is no better than one that never does, whatever the rest of its trainings score.
    found.sort(key=lambda winner: (winner.failed > 0, -winner.mean, winner.point))
    if not found:
        return ()
    best = found[0]
    rows = {winner.point: _rows(winner, engine, truth, searching) for winner in found} if truth is not None else {}
    judged = [best]
    for winner in found[1:]:
        if truth is not None and rows[best.point] and rows[winner.point]:
            behind = difference(rows[best.point], rows[winner.point], seed)
        else:
            behind = difference_of_scores(best.scores, winner.scores)
        judged.append(replace(winner, behind=behind, tied=behind[1] <= 0 <= behind[2]))
    return tuple(judged)


def _rows(winner: Winner, engine: Engine, truth: Truth, searching: Searching) -> list[Numbers]:
    """What each validation row is worth, one array a seed; folds of a seed end to end."""
    answers = engine.predict(winner.trials, "validation")
    by_seed: dict[int, list[Numbers]] = {}
    for number in winner.trials:
        trial = searching.trials[number]
        values = row_values(truth.kind, answers[number], truth.targets("validation", trial.fold))
        by_seed.setdefault(trial.repeat, []).append(values)
    arrays = [np.concatenate(parts) for parts in by_seed.values()]
    # A seed one of whose folds failed has fewer rows, and cannot be compared row by row.
    longest = max(map(len, arrays))
    return [array for array in arrays if len(array) == longest]


def _ensemble(
    winners: Sequence[Winner], engine: Engine, truth: Truth, searching: Searching
) -> dict[str, dict[str, float]]:
    """What the winners answer together, beside what the best answers alone, mean over its seeds."""
    phases: tuple[Phase, ...] = ("validation", "test")
    folds = any(searching.trials[number].fold is not None for winner in winners for number in winner.trials)
    found: dict[str, dict[str, float]] = {}
    for phase in phases:
        targets = truth.targets(phase, None)
        if not len(targets) or (folds and phase == "validation"):
            continue
        members = [number for winner in winners for number in winner.trials]
        answers = engine.predict(members, phase)
        together = row_values(truth.kind, mean_answer(truth.kind, [answers[number] for number in members]), targets)
        alone = [float(row_values(truth.kind, answers[number], targets).mean()) for number in winners[0].trials]
        found[phase] = {
            "ensemble": float(together.mean()),
            "best alone": float(np.mean(alone)),
            "members": len(members),
        }
    return found
