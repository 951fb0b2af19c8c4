"""What a search found: winners in full, ties called ties, an ensemble, and how far to believe it.

The best of n: of N scores n are drawn with replacement, again and again, and the best of each draw is taken (Dodge et
al. 2019). The distribution of that best is known exactly: it is at most the k-th smallest score with chance (k / N)^n.
So nothing is drawn here.

Ties: two trials are judged on the same validation rows, so the difference is taken row by row. Rows and seeds are drawn
again with replacement, which shows what another sample of rows and other seeds would have made of it (Efron 1979; rows
within seeds as in Bouthillier et al. 2021, who show that seeds alone move scores as much as many an improvement).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import t as students

from babysit.diseases import diagnose
from babysit.record import CurvePoint, Engine, Row, Standing, StudyResult, StudyRung, Trace, TrialScore, Winner
from babysit.search._importance import importance, random_against_grid
from babysit.search._parameter import Range
from babysit.search._search import Searching, sound
from babysit.search._space import Space

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
                point,
                known[point].settings,
                values,
                float(np.mean(values)),
                spread,
                (0.0, 0.0, 0.0),
                False,
                tuple(score.trial for score in lasted),
                failed=len(scores) - len(lasted),
            )
        )
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


POINTS = 24  # of the curve, spread evenly over the logarithm of n


def best_of_quantile(scores: Sequence[float], count: int, share: float) -> float:
    """The value below which the best of `count` scores lies with chance `share`.

    Example:
        >>> best_of_quantile([0.1, 0.2, 0.3, 0.4], 1, 0.5), best_of_quantile([0.1, 0.2, 0.3, 0.4], 4, 0.5)
        (0.2, 0.4)
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    # (k / N)^n >= share, that is k >= N share^(1/n); a hair less, so that rounding makes no whole number one more.
    place = math.ceil(len(ordered) * share ** (1 / count) - 1e-9)
    return float(ordered[min(len(ordered), max(1, place)) - 1])


def best_of_curve(scores: Sequence[float], worst: float) -> tuple[CurvePoint, ...]:
    """The best of 1, 2, ... N trials: its median and a 90 % interval.

    Args:
        scores: Of all trials; of those that failed NaN.
        worst: What a failed trial counts as.
    """
    known = [score if math.isfinite(score) else worst for score in scores]
    if not known:
        return ()
    counts = sorted({round(count) for count in np.geomspace(1, len(known), POINTS)})
    return tuple(
        CurvePoint(count, *(best_of_quantile(known, count, share) for share in (0.5, 0.05, 0.95))) for count in counts
    )


DRAWS = 2000


def difference(best: Sequence[Numbers], other: Sequence[Numbers], seed: int = 0) -> tuple[float, float, float]:
    """How far `other` lies behind `best`: the mean of their differences, with its 95 % interval.

    Args:
        best: What each row is worth (1 for a right answer, less a squared error, ...), one array [rows] a seed.
        other: The same of the other.
        seed: Of the draws.

    Example:
        >>> rows = np.random.default_rng(0).random(500)
        >>> right, worse = (rows < 0.9).astype(float), (rows < 0.5).astype(float)
        >>> mean, low, high = difference([right], [worse])
        >>> bool(low > 0.3), difference([right], [right])
        (True, (0.0, 0.0, 0.0))
    """
    ours, theirs = np.array(best), np.array(other)  # [seeds, rows]
    random = np.random.default_rng([seed, 7])
    mean = float(ours.mean() - theirs.mean())
    rows = ours.shape[1]
    # Few distinct rows of 0 and 1: draws of rows are draws of how often each row counts.
    counts = random.multinomial(rows, np.full(rows, 1 / rows), size=DRAWS) / rows  # [draws, rows]
    means = []
    for values in (ours, theirs):
        by_seed = counts @ values.T  # [draws, seeds]
        picked = random.integers(0, len(values), by_seed.shape)
        means.append(np.take_along_axis(by_seed, picked, axis=1).mean(1))
    low, high = np.quantile(means[0] - means[1], (0.025, 0.975))
    return mean, float(low), float(high)


def difference_of_scores(best: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """The same where only scores are known, one for each seed: Welch's interval; infinite with fewer than two seeds.

    Example:
        >>> difference_of_scores([0.9], [0.8])
        (0.1, -inf, inf)
    """
    ours, theirs = np.array(best, dtype=np.float64), np.array(other, dtype=np.float64)
    mean = round(float(ours.mean() - theirs.mean()), 12)
    if min(len(ours), len(theirs)) < 2:
        return mean, -np.inf, np.inf
    parts = [values.var(ddof=1) / len(values) for values in (ours, theirs)]
    error = float(np.sqrt(sum(parts)))
    if error == 0:
        return mean, mean, mean
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (ours, theirs), strict=True)
    )
    reach = float(students.ppf(0.975, degrees)) * error
    return mean, mean - reach, mean + reach


PHASE = "search"


def study_trace(
    space: Space,
    standings: Sequence[Standing],
    rungs: Sequence[StudyRung],
    best_of: Sequence[CurvePoint],
    *,
    score_name: str,
    noise: float,
) -> Trace:
    """The numbers of a search: a step is a trial's number, or for `best-of` so many trials.

    Args:
        space: What was searched.
        standings: All points.
        rungs: All rungs.
        best_of: The curve of the best of n.
        score_name: What a score is.
        noise: Standard error of a score from the rows it was measured on; NaN where it is not known.
    """
    rows: list[Row] = []
    at_end = {standing.point for standing in standings if not standing.failed}
    for standing in standings:
        step = standing.point
        failed = standing.failed or standing.status == "chance"
        rows.append(Row(step, PHASE, "", "trial-score", standing.score))
        if standing.stage == "coarse":
            rows.append(Row(step, PHASE, "", "trial-failed", float(failed)))
        rows.append(Row(step, PHASE, "", "trial-steps", float(standing.step)))
        if standing.ended:
            rows.append(Row(step, PHASE, "", "trial-ended", 1.0))
        if standing.point in at_end:
            rows += [
                Row(step, PHASE, parameter.path, "trial-setting", standing.units[parameter.path])
                for parameter in space
                if isinstance(parameter, Range) and parameter.path in standing.units
            ]
    rows += [Row(point.trials, PHASE, "", "best-of", point.median) for point in best_of]
    if math.isfinite(noise):
        rows.append(Row(0, PHASE, "", "score-error", noise))
    widened = sorted({path for rung in rungs for path in rung.widened})
    unpassable = [
        f"{parameter.path} {end}"
        for parameter in space
        if isinstance(parameter, Range)
        for end, legal, given in (
            ("lower", parameter.lowest, parameter.low),
            ("upper", parameter.highest, parameter.high),
        )
        if legal == given  # as far as values stay legal; None where it was not tried
    ]
    facts = {"score": score_name, "widened": ", ".join(widened), "unpassable": ", ".join(unpassable)}
    return Trace(rows=tuple(rows), facts={name: value for name, value in facts.items() if value})
