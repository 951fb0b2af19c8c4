"""Each wiring disease: the sick trace, its healthy twin, what lies on the border, and what is missing."""

from __future__ import annotations

import math

import pytest

from babysit.diseases import DISEASES
from babysit.record import OUTPUTS, Row, TraceLayer
from tests.diseases.traces_wiring import (
    MLP,
    activation,
    findings,
    linear,
    mlp,
    numbers,
    of,
    outputs,
    plain,
    probabilities,
    series,
    severity,
    targets,
    trace,
)

NAN, INF = math.nan, math.inf
WIRING = [name for name, disease in DISEASES.items() if disease.group == "wiring"]
# ---- softmaxes


def test_double_softmax() -> None:
    name = "double-softmax"
    assert severity(name, trace(probabilities(), loss="cross-entropy")) == "sick"
    assert severity(name, trace(probabilities(), loss="nll")) == ""
    assert severity(name, trace(probabilities())) == ""
    logits = outputs(width=10, row_sum_one_share=0.0, log_normalised_share=0.0)
    assert severity(name, trace(logits, loss="cross-entropy")) == ""
    # one batch of logits is proof that no softmax stands there
    mixed = outputs(width=10, row_sum_one_share=[1, 1, 0.9])
    assert severity(name, trace(mixed, loss="cross-entropy")) == ""
    assert severity(name, trace(outputs(width=1, row_sum_one_share=1.0), loss="cross-entropy")) == ""


def test_double_softmax_of_log_probabilities_is_a_note() -> None:
    given = trace(outputs(width=10, row_sum_one_share=0.0, log_normalised_share=1.0), loss="cross-entropy")
    assert severity("double-softmax", given) == "note"


def test_double_softmax_leaves_batches_out_that_are_not_finite() -> None:
    late = outputs(width=10, row_sum_one_share=[1, 1, 0, NAN], not_finite_share=[0, 0, 1, 1])
    assert severity("double-softmax", trace(late, loss="cross-entropy")) == "sick"
    only = outputs(width=10, row_sum_one_share=[0, NAN], not_finite_share=[1, 1])
    assert severity("double-softmax", trace(only, loss="cross-entropy")) == ""


def test_double_softmax_in_front_of_nll() -> None:
    rows = outputs(width=10, log_normalised_share=1.0)
    assert severity("double-softmax", trace(rows, layers=[*mlp("softmax"), activation("log-softmax")], loss="nll"))
    assert not findings("double-softmax", trace(rows, layers=mlp("log-softmax"), loss="nll"))
    attention = [activation("softmax"), linear("head", 32, 10), activation("log-softmax")]
    assert not findings("double-softmax", trace(rows, layers=attention, loss="nll"))


def test_sigmoid_before_logits_loss() -> None:
    name, loss = "sigmoid-before-logits-loss", "bce-with-logits"
    inside = outputs(unit_interval_share=1.0, value_min=0.3, value_max=0.6)
    assert severity(name, trace(inside, layers=mlp("sigmoid"), loss=loss)) == "sick"
    assert severity(name, trace(inside, layers=mlp("sigmoid"), loss="bce")) == ""
    assert [str(remedy) for remedy in findings(name, trace(inside, layers=mlp("softmax"), loss=loss))[0].remedies] == [
        "remove-softmax"
    ]
    # logits of an untrained network may lie in [0, 1]
    assert severity(name, trace(inside, layers=MLP, loss=loss)) == ""
    assert severity(name, trace(inside, loss=loss)) == ""
    outside = outputs(unit_interval_share=[1, 1, 0.99])
    assert severity(name, trace(outside, layers=mlp("sigmoid"), loss=loss)) == ""


@pytest.mark.parametrize(("low", "high", "step", "found"), [
    (0.01, 0.99, 400, True), (0.01, 0.99, 99, False), (0.2, 0.99, 400, False), (0.01, 0.8, 400, False),
])  # fmt: skip
def test_sigmoid_that_nobody_saw(low: float, high: float, step: int, found: bool) -> None:
    rows = [
        *series("unit-interval-share", [1, 1], layer=OUTPUTS, steps=[0, step]),
        *series("value-min", [0.4, low], layer=OUTPUTS, steps=[0, step]),
        *series("value-max", [0.5, high], layer=OUTPUTS, steps=[0, step]),
    ]
    assert bool(findings("sigmoid-before-logits-loss", trace(tuple(rows), loss="bce-with-logits"))) is found


def test_softmax_over_one_unit() -> None:
    name = "softmax-over-one-unit"
    ones = outputs(width=1, constant_share=1.0, value_min=1.0, value_max=1.0, batch_rows=32)
    assert severity(name, trace(ones, layers=mlp("softmax"))) == "sick"
    assert severity(name, trace(ones)) == "sick"
    assert severity(name, trace(ones, layers=[linear("fc", 3, 1), plain("squash", "function")])) == "sick"
    assert severity(name, trace(ones, layers=mlp("sigmoid"))) == ""  # saturated
    assert severity(name, trace(ones, layers=[linear("fc", 3, 1)])) == ""  # a bias of one
    zeros = outputs(width=1, value_min=0.0, value_max=0.0)
    assert severity(name, trace(zeros, layers=mlp("log-softmax"))) == "sick"
    assert severity(name, trace(zeros, layers=mlp("relu"))) == ""
    assert severity(name, trace(outputs(width=1, value_min=[1.0], value_max=[1.0], batch_rows=[1]))) == ""
    assert severity(name, trace(outputs(width=1, value_min=0.99, value_max=1.0), layers=mlp("softmax"))) == ""
    assert severity(name, trace(outputs(width=2, value_min=1.0, value_max=1.0), layers=mlp("softmax"))) == ""


def test_softmax_over_one_channel_of_an_image() -> None:
    rows = outputs(width=64, value_min=1.0, value_max=1.0)
    given = trace(rows, layers=mlp("softmax"), facts={"output-shape": "4x1x8x8"})
    assert severity("softmax-over-one-unit", given) == "sick"
    given = trace(rows, layers=mlp("softmax"), facts={"output-shape": "1x4x4x4"})
    assert severity("softmax-over-one-unit", given) == ""


def test_softmax_wrong_axis() -> None:
    name = "softmax-wrong-axis"
    wrong = outputs(width=10, column_sum_one_share=1.0, row_sum_one_share=0.0)
    batches = of("(inputs)", batch_rows=64)
    assert severity(name, trace(wrong, batches, loss="cross-entropy")) == "sick"
    assert severity(name, trace(wrong, facts={"batch-size": "64"}, loss="nll")) == "sick"
    assert severity(name, trace(wrong, of("(inputs)", batch_rows=1))) == ""
    assert severity(name, trace(wrong)) == ""
    right = outputs(width=10, column_sum_one_share=0.0, row_sum_one_share=1.0)
    assert severity(name, trace(right, batches)) == ""
    both = outputs(width=64, column_sum_one_share=1.0, row_sum_one_share=1.0)
    assert severity(name, trace(both, batches)) == ""


def test_softmax_wrong_axis_of_logarithms() -> None:
    name = "softmax-wrong-axis"
    wrong = outputs(width=21, value_max=-0.4, value_min=-9.0, log_normalised_share=0.0)
    assert severity(name, trace(wrong, loss="nll")) == "sick"
    assert severity(name, trace(wrong, loss="nll", layers=mlp("log-softmax"))) == "sick"
    assert severity(name, trace(wrong, loss="cross-entropy")) == ""
    assert severity(name, trace(wrong, loss="nll", layers=mlp("logsigmoid"))) == ""
    right = outputs(width=21, value_max=-0.01, value_min=-9.0, log_normalised_share=1.0)
    assert severity(name, trace(right, loss="nll")) == ""
    logits = outputs(width=21, value_max=[3.0, -0.1], value_min=-9.0, log_normalised_share=0.0)
    assert severity(name, trace(logits, loss="nll")) == ""
    once = outputs(width=21, value_max=-0.4, value_min=-9.0, log_normalised_share=[0.0, 1.0])
    assert severity(name, trace(once, loss="nll")) == ""


def test_softmax_wrong_axis_judges_batches_of_several_rows() -> None:
    """The last batch of an epoch may have one row, of which a softmax over rows makes ones."""
    rows = outputs(width=3, column_sum_one_share=[1, 1, 1], row_sum_one_share=[0, 0, 1])
    assert severity("softmax-wrong-axis", trace(rows, of("(inputs)", batch_rows=[32, 32, 1]))) == "sick"


# ---- what the outputs come out of


@pytest.mark.parametrize(("last", "given", "expected"), [
    ("relu", numbers(-2.5, 2.5, 0, 1), "sick"),
    ("relu", numbers(0, 9, 3, 2), ""),
    ("relu", numbers(-0.05, 9, 3, 2), ""),  # noise about zero
    ("relu", numbers(-1, 9, 4, 2), "warning"),  # a few of them
    ("tanh", numbers(-1, 1, 0, 0.5), ""),
    ("tanh", numbers(-3, 3, 0, 1), "sick"),
    ("sigmoid", numbers(0, 1, 0.4, 0.3), ""),
    ("sigmoid", numbers(10, 50, 25, 8), "sick"),
    ("sigmoid", numbers(2, 2, 2, 0), "sick"),
    ("softmax", numbers(-3, 3, 0, 1), "sick"),
    ("gelu", numbers(-3, 3, 0, 1), "sick"),
    ("leaky-relu", numbers(-3, 3, 0, 1), ""),
])  # fmt: skip
def test_wrong_output_activation_of_numbers(last: str, given: tuple[Row, ...], expected: str) -> None:
    rows = outputs(value_min=0.1, value_max=0.8)
    assert severity("wrong-output-activation", trace(rows, given, layers=mlp(last), loss="mse")) == expected


def test_outputs_that_pass_the_limits_did_not_come_out_of_the_activation() -> None:
    scaled = outputs(value_min=-7.0, value_max=6.0)
    far = numbers(-10, 10, 0, 4)
    assert severity("wrong-output-activation", trace(scaled, far, layers=mlp("tanh"), loss="mse")) == ""
    # 10 tanh(x) of a new network stays within [-1, 1], but it is ten times what tanh gave
    small, given = outputs(value_min=-0.5, value_max=0.4), of("tanh", activation_max=0.05)
    assert severity("wrong-output-activation", trace(small, far, given, layers=mlp("tanh"), loss="mse")) == ""
    same = of("tanh", activation_max=0.49)
    assert severity("wrong-output-activation", trace(small, far, same, layers=mlp("tanh"), loss="mse")) == "sick"


@pytest.mark.parametrize(("last", "width", "loss", "expected"), [
    ("sigmoid", 10, "cross-entropy", "sick"),
    ("sigmoid", 2, "cross-entropy", "sick"),
    ("tanh", 10, "cross-entropy", "sick"),
    ("tanh", 2, "cross-entropy", "warning"),
    ("relu", 10, "cross-entropy", "warning"),
    ("relu6", 10, "cross-entropy", "warning"),
    ("gelu", 10, "cross-entropy", ""),
    ("softmax", 10, "cross-entropy", ""),  # double-softmax
    ("relu", 1, "bce-with-logits", "sick"),
    ("tanh", 1, "bce-with-logits", "sick"),
    ("sigmoid", 1, "bce-with-logits", ""),  # sigmoid-before-logits-loss
    ("sigmoid", 1, "bce", ""),
    ("softmax", 10, "nll", "sick"),
    ("softmax", 10, "kl", "sick"),
    ("log-softmax", 10, "nll", ""),
    ("sigmoid", 10, "other", ""),
])  # fmt: skip
def test_wrong_output_activation_of_classes(last: str, width: int, loss: str, expected: str) -> None:
    limits = {"log-softmax": (-3.0, -0.1)}.get(last, (0.1, 0.8))
    rows = outputs(width=width, value_min=limits[0], value_max=limits[1])
    assert severity("wrong-output-activation", trace(rows, layers=mlp(last), loss=loss)) == expected


def test_an_activation_outside_the_network() -> None:
    net, squashed = [linear("fc", 20, 10)], [0.52, 0.6, 0.7]
    given = of("fc", activation_max=[math.log(p / (1 - p)) for p in squashed])
    rows = outputs(width=10, value_min=[0.45, 0.41, 0.4], value_max=squashed)
    assert severity("wrong-output-activation", trace(given, rows, layers=net, loss="cross-entropy")) == "sick"
    assert severity("wrong-output-activation", trace(of("fc", activation_max=0.7), rows, layers=net, loss="mse")) == ""
    cut = outputs(width=1, value_min=0.0, value_max=2.0, zero_share=0.4)
    below = numbers(-3, 3, 0, 1)
    assert severity("wrong-output-activation", trace(cut, below, layers=net, loss="mse")) == "sick"
    linear_outputs = outputs(width=1, value_min=0.0, value_max=2.0, zero_share=0.0)
    assert severity("wrong-output-activation", trace(linear_outputs, below, layers=net, loss="mse")) == ""


def test_several_losses_in_a_step_are_not_judged() -> None:
    """Their outputs and targets are mixed, and the facts tell of one of them."""
    mixed = targets(value_min=-9.0, value_max=9.0, batch_rows=64, rows_seen=[128, 256, 384, 512, 640])
    assert severity("wrong-loss", trace(mixed, outputs(width=1), loss="bce-with-logits")) == ""
    twice = [*outputs(width=1), *outputs(width=1)]
    far = targets(value_min=-9.0, value_max=9.0, batch_rows=64, rows_seen=[64, 128, 192, 256, 320])
    assert severity("wrong-loss", trace(far, tuple(twice), loss="bce-with-logits")) == ""
    assert severity("wrong-loss", trace(far, outputs(width=1), loss="bce-with-logits")) == "sick"


def test_softmax_that_nobody_saw_under_nll() -> None:
    assert severity("wrong-output-activation", trace(probabilities(), loss="nll")) == "sick"


def test_functions_are_activations_too_and_dropout_is_none() -> None:
    layers = [linear("fc", 3, 1), TraceLayer("net.relu#2", "function"), plain("drop", "dropout")]
    rows = outputs(value_min=0.0, value_max=1.0)
    given = trace(rows, numbers(-3, 3, 0, 1), layers=layers, loss="huber")
    assert severity("wrong-output-activation", given) == "sick"


# ---- losses


LABELS = targets(integer_share=1.0, value_min=0.0, value_max=9.0, value_mean=4.5, value_std=2.9, rows_seen=640)


def test_squared_error_on_labels() -> None:
    shapes = {"output-shape": "64x10", "target-shape": "64x1"}
    assert severity("wrong-loss", trace(LABELS, outputs(width=10), facts=shapes, loss="mse")) == "sick"
    beyond = targets(integer_share=1.0, value_min=0.0, value_max=10.0)
    assert severity("wrong-loss", trace(beyond, outputs(width=10), facts=shapes, loss="mse")) == ""
    parts = targets(integer_share=[1, 0.9], value_min=0.0, value_max=9.0)
    assert severity("wrong-loss", trace(parts, outputs(width=10), facts=shapes, loss="mse")) == ""
    assert severity("wrong-loss", trace(LABELS, outputs(width=10), facts=shapes, loss="cross-entropy")) == ""


def test_counts_are_numbers() -> None:
    shapes = {"output-shape": "64x1", "target-shape": "64x1"}
    assert severity("wrong-loss", trace(LABELS, outputs(width=1), facts=shapes, loss="mse")) == ""
    binary = targets(integer_share=1.0, value_min=0.0, value_max=1.0)
    assert severity("wrong-loss", trace(binary, outputs(width=1), facts=shapes, loss="mse")) == "note"


@pytest.mark.parametrize(("mean", "rows", "expected"), [(0.1, 640, "warning"), (0.13, 640, ""), (0.1, 20, "")])
def test_one_hot_targets(mean: float, rows: int, expected: str) -> None:
    shapes = {"output-shape": "64x10", "target-shape": "64x10"}
    hot = targets(integer_share=1.0, value_min=0.0, value_max=1.0, value_mean=mean, rows_seen=rows)
    assert severity("wrong-loss", trace(hot, outputs(width=10), facts=shapes, loss="mse")) == expected
    brier = trace(hot, probabilities(), facts=shapes, loss="mse")
    assert severity("wrong-loss", brier) == ("note" if expected else "")


def test_cross_entropy_on_one_output() -> None:
    one = {"output-shape": "64x1", "target-shape": "64"}
    assert severity("wrong-loss", trace(facts=one, loss="cross-entropy")) == "sick"
    assert severity("wrong-loss", trace(facts={**one, "output-shape": "64x2"}, loss="cross-entropy")) == ""
    assert severity("wrong-loss", trace(facts={"output-shape": "4x1x8x8"}, loss="cross-entropy")) == "sick"
    row = {"output-shape": "10", "target-shape": ""}  # a single row, without a batch
    assert severity("wrong-loss", trace(facts=row, loss="cross-entropy")) == ""
    squeezed = {"output-shape": "64", "target-shape": "64", "target-kind": "probabilities"}
    zeros_and_ones = targets(value_min=0.0, value_max=1.0, value_mean=0.45)
    assert severity("wrong-loss", trace(zeros_and_ones, facts=squeezed, loss="cross-entropy")) == "sick"
    soft_row = targets(value_min=0.0, value_max=1.0, value_mean=1 / 64)
    assert severity("wrong-loss", trace(soft_row, facts=squeezed, loss="cross-entropy")) == ""


def test_cross_entropy_on_numbers() -> None:
    shapes = {"output-shape": "64x3", "target-shape": "64x3", "target-kind": "probabilities"}
    assert severity("wrong-loss", trace(numbers(-3, 3, 0, 1), facts=shapes, loss="cross-entropy")) == "sick"
    assert severity("wrong-loss", trace(numbers(0, 1, 0.3, 0.2), facts=shapes, loss="cross-entropy")) == ""


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0, 1, ""), (0.1, 0.9, ""), (0, 1.2, "warning"), (-1, 1, "sick"), (0, 255, "sick"),
])  # fmt: skip
@pytest.mark.parametrize("loss", ["bce", "bce-with-logits"])
def test_binary_cross_entropy_of_other_targets(loss: str, low: float, high: float, expected: str) -> None:
    given = trace(targets(value_min=low, value_max=high), outputs(value_min=0.1, value_max=0.9), loss=loss)
    assert severity("wrong-loss", given) == expected


def test_binary_cross_entropy_of_logits() -> None:
    logits, labels = outputs(value_min=-2.0, value_max=3.0), targets(value_min=0.0, value_max=1.0)
    found = findings("wrong-loss", trace(logits, labels, loss="bce"))
    assert [str(remedy) for remedy in found[0].remedies] == ["loss=bce-with-logits"]
    assert severity("wrong-loss", trace(logits, labels, loss="bce-with-logits")) == ""


def test_nll_of_raw_outputs() -> None:
    raw = outputs(log_normalised_share=0.0, row_sum_one_share=0.0, value_min=-2.0, value_max=2.0)
    assert severity("wrong-loss", trace(raw, loss="nll")) == "sick"
    assert (
        severity("wrong-loss", trace(outputs(log_normalised_share=1.0, value_min=-5.0, value_max=-0.01), loss="nll"))
        == ""
    )
    smoothed = outputs(log_normalised_share=0.0, value_min=-4.6, value_max=0.01)  # log(p + 0.01)
    assert severity("wrong-loss", trace(smoothed, loss="nll")) == ""


@pytest.mark.parametrize(("output", "target", "expected"), [
    ("64x1", "64", "sick"),
    ("64", "64x1", "sick"),
    ("64x1", "1x64", "sick"),
    ("64x1", "64x1x1", "sick"),
    ("64x1", "64x1", ""),
    ("1x1", "1", ""),  # one row: the same number
    ("64x5", "64x1", ""),  # five models on one target
    ("5x64x1", "64x1", ""),
    ("64x1x8", "64x8x1", ""),  # pairs of quantiles
    ("64x1", "64x3", "warning"),  # one output for three targets
    ("64x64", "64", "warning"),
    ("64x1", "32", "sick"),
    ("64x10", "64", ""),  # refused by PyTorch
    ("64x1", "", ""),
    ("what", "64", ""),
])  # fmt: skip
def test_loss_broadcasts(output: str, target: str, expected: str) -> None:
    facts = {"output-shape": output, "target-shape": target}
    assert severity("loss-broadcasts", trace(facts=facts, loss="mse")) == expected
    assert severity("loss-broadcasts", trace(facts=facts, loss="cross-entropy")) == ""


def test_loss_broadcasts_in_a_hand_written_loss() -> None:
    facts, spread = {"output-shape": "32x1", "target-shape": "32"}, targets(value_std=8.0)
    assert severity("loss-broadcasts", trace(facts=facts)) == "warning"
    stuck = series("loss", [500.0] * 10 + [64.0] * 60)
    assert severity("loss-broadcasts", trace(stuck, spread, facts=facts, loss="other")) == "sick"
    assert severity("loss-broadcasts", trace(stuck[:12], spread, facts=facts, loss="other")) == "warning"
    learns = series("loss", [500.0] * 10 + [64.0, 30.0, 5.0] + [2.0] * 60)
    assert severity("loss-broadcasts", trace(learns, spread, facts=facts, loss="other")) == ""
    batches = {"output-shape": "64x10", "target-shape": "64"}
    assert severity("loss-broadcasts", trace(facts=batches, loss="other")) == ""
