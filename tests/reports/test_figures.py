"""The numbers that are drawn."""

import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.record import Histogram, Row, Trace, TraceLayer
from babysit.reports import _figures
from babysit.reports._bundle import with_kinds
from babysit.reports._draw_inside import draw_layer_curves
from babysit.reports._inside import LayerCurves, histogram_map
from babysit.reports._pictures import curves_picture, loss_picture
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


def test_what_is_no_curve_is_said_and_not_drawn() -> None:
    constant = _figures.Curves((_figures.Curve("lr", (0.0, 1.0, 2.0), (0.1, 0.1, 0.1)),))
    once = _figures.Curves((_figures.Curve("lr", (7.0,), (0.1,)),))
    told = [curves_picture("lr", "Learning rate", "how to read it", curves) for curves in (constant, once)]
    assert [(one.figure, one.caption) for one in told if one is not None] == [
        (None, "0.1 at every step from 0 to 2."),
        (None, "0.1, measured once, at step 7."),
    ]
    moving = _figures.Curves((_figures.Curve("lr", (0.0, 1.0), (0.1, 0.2)),))
    drawn = curves_picture("lr", "Learning rate", "how to read it", moving)
    assert drawn is not None
    assert drawn.figure is not None
    first = loss_picture(Trace((Row(0, "train", "", "loss", 2.5),)))
    assert first is not None
    assert (first.figure, first.caption) == (None, "2.5, measured once, at step 0.")


def test_the_rule_of_thumb_stands_at_its_value_and_layers_have_a_key() -> None:
    layers = tuple(_figures.Curve(f"fc{number}", (0.0, 9.0), (1e-2, 2e-2)) for number in range(9))
    figure = draw_layer_curves(LayerCurves("update-ratio", layers), "ratio", log=True, line=1e-3)
    line = next(trace for trace in figure.data if str(trace.name).startswith("0.001"))
    assert list(line.y) == [1e-3, 1e-3]
    low, high = figure.layout.yaxis.range
    assert low < -3 < high
    assert [trace.marker.colorbar.ticktext for trace in figure.data if trace.marker.showscale] == [
        ("first: fc0", "last: fc8")
    ]


def test_values_that_run_away_are_told_and_do_not_squeeze_the_rest() -> None:
    values = (*[1.0, 2.0, 3.0] * 5, 2e38)
    curves = LayerCurves("activation-std", (_figures.Curve("fc", tuple(map(float, range(16))), values),))
    figure = draw_layer_curves(curves, "std", log=True)
    assert figure.layout.yaxis.range[1] < 8
    assert [one.text for one in figure.layout.annotations] == ["goes on up to 2.0e+38"]
    near, far = (-1.0, 0.0, 1.0), (-2e38, 0.0, 2e38)
    taken = [Histogram(0, "train", "fc", "activation", near, (5, 5))]
    taken += [Histogram(step, "train", "fc", "activation", far, (5, 5)) for step in range(1, 9)]
    found = histogram_map(Trace(histograms=tuple(taken), layers=(TraceLayer("fc", "linear"),)), "activation")
    assert found is not None
    assert max(found.centres) < 100


def test_a_script_that_is_made_otherwise_is_taken_whole() -> None:
    assert with_kinds("var Plotly = {};", {"bar"}) == "var Plotly = {};"
    module = 'var a=W((e,t)=>{t.exports={moduleType:"trace",name:"bar"}});var b=W((e,t)=>{r.register([a()])});b();'
    assert with_kinds(module, {"cone"}) == module
