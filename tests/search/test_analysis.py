"""What a search says of itself: known answers for the best of n, importance, ties, ensembles, times."""

import math

import numpy as np
import pytest

from babysit.record import Standing, TrialScore, over_folds
from babysit.search import Plan, Space, Speed, predicted_seconds, random_points, sized
from babysit.search._conclude import (
    best_of_curve,
    best_of_quantile,
    difference,
    difference_of_scores,
    mean_answer,
    row_values,
)
from babysit.search._importance import importance, random_against_grid

SPACE = Space(["lr=1e-6:1:log", "dropout=0:0.5", "l2=1e-6:1e-1:log", "activation=relu,tanh"])


def test_the_best_of_n_is_what_drawing_gives() -> None:
    """The closed form against the bootstrap that it is the limit of."""
    random = np.random.default_rng(0)
    scores = random.random(40)
    for count in (1, 3, 10, 40):
        drawn = scores[random.integers(0, 40, (40_000, count))].max(1)
        for share in (0.05, 0.5, 0.95):
            found = best_of_quantile(scores.tolist(), count, share)
            assert np.mean(drawn <= found) >= share - 0.01
            assert np.mean(drawn < found) <= share + 0.01


def test_the_curve_rises_and_counts_failures_as_the_worst() -> None:
    curve = best_of_curve([0.5, math.nan, 0.9, 0.7], worst=0.5)
    assert [point.trials for point in curve] == [1, 2, 3, 4]
    assert [point.median for point in curve] == sorted(point.median for point in curve)
    assert curve[-1].high == 0.9
    assert all(point.low <= point.median <= point.high for point in curve)


def standings_of(weights: dict[str, float], count: int = 200, seed: int = 0) -> list[Standing]:
    """Trials whose score is a weighted sum of unit coordinates."""
    random = np.random.default_rng(seed)
    found = []
    for number, units in enumerate(random_points(SPACE, count, seed)):
        named = dict(zip((one.path for one in SPACE), units.tolist(), strict=True))
        score = sum(weight * named[path] for path, weight in weights.items()) + random.normal(0, 0.02)
        found.append(Standing(number, "coarse", 0, {}, named, 100, float(score), 1.0, "alive", ((100, float(score)),)))
    return found


def test_importance_of_a_known_formula() -> None:
    """Of a sum of independent uniforms the shares are the squared weights: 16 to 4 to 0."""
    found = importance(SPACE, standings_of({"optimizer.lr": 4.0, "model.dropout": 2.0}))
    assert found is not None
    assert found.shares["optimizer.lr"] == pytest.approx(0.8, abs=0.12)
    assert found.shares["model.dropout"] == pytest.approx(0.2, abs=0.1)
    assert found.shares["regularisation.l2"] < 0.02
    assert found.shares["model.activation"] < 0.02
    assert found.explained > 0.8
    alone = importance(Space(["lr=1e-6:1:log"]), standings_of({"optimizer.lr": 1.0}))
    assert alone is not None
    assert 0.95 < alone.shares["optimizer.lr"] <= 1, "of what one explains none can explain more than all"
    nothing = importance(SPACE, standings_of({}))
    assert nothing is not None
    assert nothing.explained < 0.1, "noise is not explained"
    assert importance(SPACE, standings_of({"optimizer.lr": 1.0}, count=10)) is None


@pytest.mark.parametrize("seed", [0, 3])
def test_shares_of_all_are_no_more_than_all(seed: int) -> None:
    """By the points that happen to be asked these two were 1.06 and 1.03."""
    equal = dict.fromkeys(("optimizer.lr", "model.dropout", "regularisation.l2"), 1.0)
    found = importance(SPACE, standings_of(equal, seed=seed), seed)
    assert found is not None
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.together == pytest.approx(0.0)


def test_random_beats_a_grid_where_one_setting_matters() -> None:
    """Bergstra and Bengio's figure: nine points, two dimensions, one of which matters, with a narrow peak."""
    space = Space(["lr=1e-6:1:log", "dropout=0:0.5"])
    found = random_against_grid(space, lambda units: np.exp(-(((units[:, 0] - 0.37) / 0.05) ** 2)), 9)
    assert found["points"] == 9
    assert found["grid_levels"] == {"optimizer.lr": 3, "model.dropout": 3}
    assert found["random"] > found["grid"]
    assert found["random_wins"] > 0.6


def test_ties_are_called_ties() -> None:
    random = np.random.default_rng(0)
    hard = random.random(1000)

    def seeds(level: float, draw: int) -> list[np.ndarray]:
        return [
            (hard + np.random.default_rng(draw + seed).normal(0, 0.05, 1000) < level).astype(float) for seed in range(3)
        ]

    mean, low, high = difference(seeds(0.9, 0), seeds(0.895, 10))
    assert low < 0 < high
    assert mean == pytest.approx(0.005, abs=0.01)
    _, low, _ = difference(seeds(0.9, 0), seeds(0.8, 10))
    assert low > 0


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says() -> None:
    """Rows of one truth, drawn again and again: 95 % intervals hold the true difference of 0.05 about so often."""
    held = 0
    for trial in range(100):
        random = np.random.default_rng(trial)
        hard = random.random(300)
        _, low, high = difference([(hard < 0.85).astype(float)], [(hard < 0.80).astype(float)], seed=trial)
        held += low <= 0.05 <= high
    assert 88 <= held <= 100


def test_where_scores_alone_are_known() -> None:
    assert difference_of_scores([0.9, 0.91, 0.89], [0.7, 0.71, 0.69])[1] > 0
    _, low, high = difference_of_scores([0.9, 0.8, 0.85], [0.84, 0.86, 0.82])
    assert low < 0 < high
    assert difference_of_scores([0.9], [0.8])[1:] == (-math.inf, math.inf)


def test_rows_and_ensembles() -> None:
    answers = np.array([[3.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    other = np.array([[0.0, 1.0], [0.0, 2.0]], dtype=np.float32)
    targets = np.array([0.0, 1.0])
    assert row_values("classification", other, targets).tolist() == [0, 1]
    together = mean_answer("classification", [answers, other])
    assert together.sum(1) == pytest.approx([1, 1])
    assert row_values("classification", together, targets).tolist() == [1, 1], "the surer of two is followed"
    values, truth = np.array([1.0, 2.0, 4.0], dtype=np.float32), np.array([1.0, 2.0, 3.0])
    by_hand = 1 - (1 / 3) / (2 / 3)
    assert row_values("regression", values, truth).mean() == pytest.approx(by_hand)


def test_a_fold_that_fails_fails_the_point() -> None:
    good = TrialScore(0, 10, 0.5, 0.8, "accuracy", 2.3, 0.6, "alive", 1.0)
    bad = TrialScore(1, 4, math.nan, math.nan, "accuracy", 2.3, 0.6, "diverged", 1.0)
    found = over_folds(7, [good, bad])
    assert found.failed
    assert math.isnan(found.score)
    assert found.trial == 7
    assert over_folds(7, [good, good]).score == 0.8


@pytest.mark.parametrize("seconds", [5.0, 30.0, 300.0])
def test_plans_fit_their_time(seconds: float) -> None:
    speed = Speed(once=0.002, each=0.0002)
    plan = sized(Plan(full=500, budget=0, lowest=30), speed, seconds, finals=3)
    assert predicted_seconds(plan, speed, finals=3) <= seconds
    assert predicted_seconds(plan, speed, finals=3) > 0.5 * seconds
    assert plan.together == 20
