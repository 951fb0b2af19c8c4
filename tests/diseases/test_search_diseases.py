"""Diseases of a search: traces that have each, and healthy twins that do not."""

import dataclasses
import random

import pytest

from babysit.diseases import diagnose
from babysit.record import Row, Trace

PHASE = "search"


def names(trace: Trace) -> list[str]:
    return [finding.name for finding in diagnose(trace)]


def searched(
    units: list[float], scores: list[float], steps: list[int] | None = None, path: str = "optimizer.lr"
) -> Trace:
    rows = []
    for trial, (unit, score) in enumerate(zip(units, scores, strict=True)):
        rows += [
            Row(trial, PHASE, "", "trial-score", score),
            Row(trial, PHASE, "", "trial-steps", float(steps[trial] if steps else 100)),
            Row(trial, PHASE, path, "trial-setting", unit),
        ]
    return Trace(tuple(rows))


def hill(top: float, count: int = 30, seed: int = 0) -> tuple[list[float], list[float]]:
    """Scores that fall with the distance from `top`, and a little noise."""
    draw = random.Random(seed)
    units = [draw.random() for _ in range(count)]
    return units, [1 - abs(unit - top) + draw.gauss(0, 0.005) for unit in units]


def test_the_best_was_done_early_and_lies_in_the_midst() -> None:
    """Patience ends the best trials before the others: those that trained longest, at an end, are not the best."""
    units = [0.5, 0.52, 0.48, 0.55, 0.45, *(0.01 + 0.001 * place for place in range(7))]
    trace = searched(units, [1.0] * 5 + [0.3] * 7, [60] * 5 + [100] * 7)
    ended = [Row(trial, PHASE, "", "trial-ended", 1.0) for trial in range(5)]
    assert "best-at-edge" in names(trace)
    assert "best-at-edge" not in names(dataclasses.replace(trace, rows=(*trace.rows, *ended)))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_at_an_end(seed: int) -> None:
    draw = random.Random(seed)
    near = [0.95 + 0.05 * draw.random() for _ in range(5)]
    units, scores = hill(1.2, 20, seed)
    trace = searched([*near, *units], [2 + unit for unit in near] + scores)
    (finding,) = diagnose(trace)
    assert finding.name == "best-at-edge"
    assert finding.where == "optimizer.lr"
    assert finding.evidence["end"] == "upper"
    assert str(finding.remedies[0]) == "widen"


def test_beyond_some_ends_there_is_nothing() -> None:
    near = [0.0, 0.01, 0.02, 0.01, 0.0]
    units, scores = hill(-0.2, 20)
    trace = searched([*near, *units], [2 - unit for unit in near] + scores, path="model.dropout")
    assert names(trace) == ["best-at-edge"]
    assert names(dataclasses.replace(trace, facts={"unpassable": "model.dropout lower"})) == []
    assert names(dataclasses.replace(trace, facts={"unpassable": "model.dropout upper"})) == ["best-at-edge"]


@pytest.mark.parametrize("seed", range(20))
def test_the_best_within_is_sound(seed: int) -> None:
    for top in (0.2, 0.5, 0.8):
        assert names(searched(*hill(top, 30, seed))) == []


def test_an_end_that_was_passed_or_reached_by_luck_is_sound() -> None:
    near = [0.99, 0.98, 0.97, 0.98, 0.99]
    units, scores = hill(0.5, 20)
    beyond = searched([*near, 1.3, *units], [3.0, 2.9, 2.8, 2.7, 2.6, 2.0, *scores])
    assert names(beyond) == [], "the search went further, and it was worse there"
    lucky = searched([0.99, 0.5, 0.4, 0.6, 0.55, *units], [3.0, 2.9, 2.8, 2.7, 2.6, *scores])
    assert names(lucky) == [], "one of five"
    short = searched([*near, *units], [3.0] * 5 + scores, [10] * 5 + [100] * 20)
    assert names(short) == [], "trials that were stopped early say nothing"


def failing(failed: int, count: int) -> Trace:
    return Trace(tuple(Row(trial, PHASE, "", "trial-failed", float(trial < failed)) for trial in range(count)))


def test_most_trials_fail() -> None:
    (finding,) = diagnose(failing(30, 60))
    assert finding.name == "most-trials-fail"
    assert finding.evidence["share that failed"] == 0.5
    assert names(failing(20, 60)) == [], "a third"
    assert names(failing(6, 12)) == ["most-trials-fail"]
    assert names(failing(5, 12)) == [], "within a standard error"
    assert names(failing(8, 11)) == [], "too few to say"


def curve(bests: list[float], error: float = 0.0) -> Trace:
    counts = [2**place for place in range(len(bests))]
    rows = [Row(count, PHASE, "", "best-of", best) for count, best in zip(counts, bests, strict=True)]
    return Trace((*rows, Row(0, PHASE, "", "score-error", error)))


def test_a_search_that_still_climbs() -> None:
    (finding,) = diagnose(curve([0.5, 0.6, 0.7, 0.8, 0.85]))
    assert finding.name == "search-too-small"
    assert finding.evidence["gained by the last doubling of trials"] == pytest.approx(0.05)
    assert names(curve([0.5, 0.7, 0.8, 0.84, 0.845])) == [], "flat"
    assert names(curve([0.5, 0.6, 0.7, 0.8, 0.85], error=0.06)) == [], "within the error of a score"
    assert names(curve([0.1, 0.6, 0.85, 0.9, 0.92])) == [], "little of the whole climb"
    assert names(curve([0.5, 0.6])) == [], "too few to say"


def test_a_training_has_no_disease_of_a_search() -> None:
    rows = [Row(step, "train", "", "loss", 2.3 * 0.99**step) for step in range(300)]
    assert not {"best-at-edge", "most-trials-fail", "search-too-small"} & set(names(Trace(tuple(rows))))
