"""The numbers that are drawn."""

import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.record import Row, Trace
from babysit.reports import _figures
from tests.reports.runs import classes, numbers


def test_infinite_and_missing_losses_are_marked_where_they_happened(tmp_path: pathlib.Path) -> None:
    found = _figures.loss_curves(numbers(tmp_path / "run").trace())
    assert found.not_finite == (200.0, 201.0)
    assert [curve.name for curve in found.curves] == ["each batch", "train, smoothed", "validation"]
    assert len(found.curves[0].values) == 200


def test_the_best_epoch_is_that_of_the_lowest_validation_loss(tmp_path: pathlib.Path) -> None:
    trace = classes(tmp_path / "run").trace()
    steps, values = trace.series("data-loss", phase="validation")
    assert _figures.loss_curves(trace).best_step == steps[int(np.argmin(values))]


def test_a_million_steps_stay_drawable_and_keep_their_extremes() -> None:
    values = list(np.random.default_rng(0).normal(size=100_000))
    values[77_777] = 1e6
    values[12_345] = -1e6
    steps, thinned = _figures.thin(range(100_000), values)
    assert len(steps) <= _figures.MOST_POINTS
    assert (77_777, 1e6) in zip(steps, thinned, strict=True)
    assert (12_345, -1e6) in zip(steps, thinned, strict=True)
    assert steps == sorted(steps)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300), st.integers(2, 50))
def test_thinning_keeps_the_lowest_and_the_highest(values: list[float], most: int) -> None:
    _, thinned = _figures.thin(range(len(values)), values, most)
    assert min(thinned) == min(values)
    assert max(thinned) == max(values)


def test_smoothing_starts_at_the_first_value_and_follows_a_constant() -> None:
    assert _figures.smooth([3.0, 3.0], 0.99) == pytest.approx([3.0, 3.0])
    smoothed = _figures.smooth([1.0, 2.0], 0.5)
    assert smoothed == pytest.approx([1.0, (0.5 * 0.5 * 1 + 0.5 * 2) / 0.75])


def test_shares_of_the_confusion_are_of_the_true_class(tmp_path: pathlib.Path) -> None:
    found = _figures.confusion(classes(tmp_path / "run").evaluations["test"])
    assert found is not None
    assert found.counts[0] == (20, 1, 1)
    assert [sum(row) for row in found.shares] == pytest.approx([1.0, 1.0, 1.0])


def test_empty_bins_are_not_drawn(tmp_path: pathlib.Path) -> None:
    found = _figures.reliability(classes(tmp_path / "run").evaluations["test"])
    assert found == _figures.Reliability((0.85,), (0.8,), (10,))


def test_errors_are_predicted_minus_true(tmp_path: pathlib.Path) -> None:
    found = _figures.residuals(numbers(tmp_path / "run").evaluations["test"])
    assert found is not None
    np.testing.assert_allclose(found.error, np.subtract(found.predicted, found.true))


def test_a_trace_of_nothing_but_nan_draws_nothing_but_marks() -> None:
    trace = Trace(rows=tuple(Row(step, "train", "", "loss", math.nan) for step in range(3)))
    found = _figures.loss_curves(trace)
    assert found.curves == ()
    assert found.not_finite == (0.0, 1.0, 2.0)
