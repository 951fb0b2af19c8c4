"""Scores and their intervals, against scikit-learn and a bootstrap that copies rows."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from babysit.training import _bootstrap, score_classes, score_numbers
from babysit.training._scores import wilson

Floats = npt.NDArray[np.float64]


def some_classes(rows: int, classes: int, seed: int = 0) -> tuple[npt.NDArray[np.int64], Floats]:
    generator = np.random.default_rng(seed)
    true = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[true]
    exponentials = np.exp(np.round(logits, 1))  # rounded, so that ties occur
    return true, exponentials / exponentials.sum(axis=1, keepdims=True)


def copied_rows(score: Callable[[npt.NDArray[np.int64]], float], rows: int, seed: int, resamples: int) -> Floats:
    """The oracle: the same draws, as row numbers that are copied out."""
    values = []
    for weights in _bootstrap.draws(rows, seed, resamples):
        values += [score(np.repeat(np.arange(rows), row.astype(int))) for row in weights]
    return np.array(values)


@pytest.mark.parametrize("classes", [2, 4])
def test_weighted_scores_are_those_of_copied_rows(classes: int) -> None:
    from babysit.training import _scores

    true, probabilities = some_classes(80, classes)
    predicted = probabilities.argmax(axis=1)
    weighted = _scores._class_scores(true, predicted, probabilities, classes)
    (weights,) = _bootstrap.draws(80, 3, 25)
    plain: dict[str, Callable[[npt.NDArray[np.int64]], float]] = {
        name: lambda rows, name=name: _scores._class_values(true[rows], predicted[rows], probabilities[rows])[name]  # type: ignore[misc]
        for name in weighted
    }
    for name, score in weighted.items():
        np.testing.assert_allclose(score(weights), copied_rows(plain[name], 80, 3, 25), rtol=1e-9, err_msg=name)


def test_weighted_scores_of_numbers_are_those_of_copied_rows() -> None:
    generator = np.random.default_rng(1)
    true = 1e6 + generator.normal(size=60)
    predicted = true + generator.normal(size=60)
    errors = np.abs(predicted - true)
    (weights,) = _bootstrap.draws(60, 5, 25)
    for weighted, plain in (
        (_bootstrap.explained(true, predicted), lambda rows: metrics.r2_score(true[rows], predicted[rows])),
        (_bootstrap.mean_of(errors), lambda rows: errors[rows].mean()),
        (_bootstrap.root_mean_of(errors**2), lambda rows: np.sqrt((errors[rows] ** 2).mean())),
        (_bootstrap.median_of(errors), lambda rows: np.median(errors[rows])),
    ):
        np.testing.assert_allclose(weighted(weights), copied_rows(plain, 60, 5, 25), rtol=1e-9)


def test_intervals_hold_the_value_about_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(100):
        right = np.random.default_rng(seed).random(200) < 0.8
        low, high = _bootstrap.intervals({"accuracy": _bootstrap.mean_of(right)}, 200, seed=seed)["accuracy"]
        inside += low <= 0.8 <= high
    assert 88 <= inside <= 100


def test_shares_have_wilsons_interval() -> None:
    """Newcombe 1998, table I: 81 of 263 and 15 of 148, without continuity correction."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    sure = np.eye(2)[np.arange(36) % 2]
    evaluation = score_classes(np.arange(36) % 2, sure, ("no", "yes"), phase="test")
    accuracy = evaluation.score("accuracy")
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low == pytest.approx(0.9036, abs=1e-4)
    balanced = evaluation.score("balanced accuracy")
    assert balanced.low is not None
    assert 0.85 < balanced.low < 0.9


def test_intervals_of_shares_hold_the_value_about_as_often_as_they_say() -> None:
    """Few rows and a rare class, where a bootstrap holds it too seldom."""
    inside = {"accuracy": 0, "balanced accuracy": 0}
    truth = {"accuracy": 0.9 * 0.95 + 0.1 * 0.7, "balanced accuracy": (0.95 + 0.7) / 2}
    for seed in range(200):
        generator = np.random.default_rng(seed)
        true = np.array([0] * 90 + [1] * 10)
        right = generator.random(100) < np.where(true == 0, 0.95, 0.7)
        evaluation = score_classes(true, np.eye(2)[np.where(right, true, 1 - true)], ("a", "b"), phase="test")
        for name in inside:
            score = evaluation.score(name)
            assert score.low is not None
            assert score.high is not None
            inside[name] += score.low <= truth[name] <= score.high
    assert all(182 <= count <= 200 for count in inside.values()), inside


def test_two_classes() -> None:
    true, probabilities = some_classes(500, 2)
    evaluation = score_classes(true, probabilities, ("no", "yes"), phase="test")
    assert evaluation.score("AUC").value == pytest.approx(metrics.roc_auc_score(true, probabilities[:, 1]))
    assert evaluation.score("log loss").value == pytest.approx(metrics.log_loss(true, probabilities))
    assert np.sum(evaluation.confusion) == 500
    for score in evaluation.scores:
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.value <= score.high or score.name == "calibration error"
    assert sum(found.rows for found in evaluation.calibration) == 500
    assert any("constant answer" in note for note in evaluation.notes)


def test_calibration_error_of_known_bins() -> None:
    true = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1]] * 4)
    evaluation = score_classes(true, probabilities, ("a", "b"), phase="test")
    assert evaluation.score("calibration error").value == pytest.approx(0.15)


def test_a_class_that_is_absent_is_said_and_does_no_harm() -> None:
    true, probabilities = some_classes(50, 3)
    true[true == 1] = 0
    evaluation = score_classes(true, probabilities, ("a", "b", "c"), phase="test")
    assert any("no row is of class b" in note for note in evaluation.notes)
    assert np.isfinite([score.value for score in evaluation.scores]).all()


def test_one_class_one_row_and_no_finite_answer() -> None:
    one_class = score_classes(np.zeros(5, np.int64), np.array([[0.6, 0.4]] * 5), ("a", "b"), phase="test")
    assert "AUC" not in {score.name for score in one_class.scores}
    one_row = score_classes(np.array([1]), np.array([[0.3, 0.7]]), ("a", "b"), phase="test")
    assert one_row.score("accuracy").low is None
    none = score_classes(np.array([1]), np.array([[np.nan, np.nan]]), ("a", "b"), phase="test")
    assert none.scores == ()
    assert "NaN or infinite" in none.notes[0]
    assert score_numbers(np.array([1.0]), np.array([np.inf]), phase="test").scores == ()


def test_numbers() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=300)
    predicted = true + 0.5 * generator.normal(size=300)
    evaluation = score_numbers(true, predicted, phase="test", unit="m")
    assert evaluation.score("R2").value == pytest.approx(metrics.r2_score(true, predicted))
    assert evaluation.score("RMSE").unit == "m"
    assert evaluation.score("R2").unit == ""
    assert len(evaluation.residuals) == 300
    partly = score_numbers(true, np.where(np.arange(300) < 3, np.nan, predicted), phase="test")
    assert "3 of 300 answers" in partly.notes[0]
    constant = score_numbers(np.ones(4), np.arange(4.0), phase="test")
    assert "R2" not in {score.name for score in constant.scores}
