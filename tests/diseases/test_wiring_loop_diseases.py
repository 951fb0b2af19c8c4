"""The wiring diseases of the network and the loop: layers, parameters, gradients, modes, steps and rates."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from babysit.record import TraceLayer
from tests.diseases.traces_wiring import (
    MLP,
    activation,
    conv,
    event,
    findings,
    linear,
    of,
    plain,
    rates,
    series,
    severity,
    trace,
)

NAN, INF = math.nan, math.inf


# ---- nonlinearity


def test_a_linear_network() -> None:
    name = "nonlinearity-missing"
    net = [linear("hidden", 64, 30), linear("output", 30, 10)]
    assert severity(name, trace(layers=net)) == "sick"
    assert (
        severity(name, trace(layers=[*net, activation("softmax")])) == "sick"
    )  # an activation at the end is not between layers
    assert severity(name, trace(layers=[net[0], plain("bn", "batch-norm"), plain("drop", "dropout"), net[1]])) == "sick"
    assert severity(name, trace(layers=[net[0], activation("relu"), net[1]])) == ""
    assert severity(name, trace(layers=[net[0], plain("pool", "pooling"), net[1]])) == ""
    assert severity(name, trace(layers=[net[0], TraceLayer("clamp", "function"), net[1]])) == ""
    assert severity(name, trace(layers=[net[0], activation("identity"), net[1]])) == "sick"
    assert severity(name, trace(layers=[net[0], plain("ln", "norm"), net[1]])) == "warning"
    assert severity(name, trace(layers=net, events=event("unseen", "hidden"))) == "warning"
    assert severity(name, trace(layers=net[:1])) == ""  # logistic regression
    assert severity(name, trace(layers=[linear("a", 64, 10), linear("b", 64, 3)])) == ""  # two heads
    assert severity(name, trace(layers=[linear("code", 64, 8), linear("back", 8, 64)])) == "warning"  # low rank


def test_a_linear_convolutional_network() -> None:
    net = [conv("c1", 1, 32), conv("c2", 32, 64), linear("fc", 64 * 49, 10)]
    assert severity("nonlinearity-missing", trace(layers=net)) == "sick"
    recurrent = [TraceLayer("gru", "recurrent", "", 1, 64, 80, 9000, True), linear("head", 64, 3)]
    assert severity("nonlinearity-missing", trace(layers=recurrent)) == ""


def test_a_linear_pair_in_a_plain_sequential() -> None:
    net = [linear("0", 64, 64), linear("1", 64, 50), activation("relu", "2"), linear("3", 50, 10)]
    found = findings("nonlinearity-missing", trace(layers=net))
    assert [(one.severity, one.where) for one in found] == [("warning", "0, 1")]
    named = [linear("fc1", 20, 64), linear("fc2", 64, 50), activation("relu"), linear("fc3", 50, 10)]
    assert severity("nonlinearity-missing", trace(layers=named)) == "note"


def test_a_pair_called_by_consecutive_numbers_alone() -> None:
    middle = [activation("relu"), linear("head", 50, 10)]
    assert severity("nonlinearity-missing", trace(layers=[linear("fc1", 20, 64), linear("fc3", 64, 50), *middle])) == ""
    assert (
        severity("nonlinearity-missing", trace(layers=[linear("stem", 20, 64), linear("b.0", 64, 50), *middle])) == ""
    )


def test_a_network_that_is_one_layer() -> None:
    twice = [TraceLayer("linear", "linear", "", 1, 1), linear("", 1, 1)]
    assert severity("nonlinearity-missing", trace(layers=twice)) == ""


def test_weights_that_are_no_layers() -> None:
    products = [TraceLayer("matmul", "linear", "", 1, 64), TraceLayer("matmul#2", "linear", "", 2, 10)]
    assert severity("nonlinearity-missing", trace(layers=products)) == "warning"
    bent = [products[0], TraceLayer("clamp", "function"), products[1]]
    assert severity("nonlinearity-missing", trace(layers=bent)) == ""


TRANSFORMER = [
    plain("embed", "embedding"), plain("ln1", "norm"), linear("q", 64, 64), linear("k", 64, 64), linear("v", 64, 64),
    activation("softmax"), linear("project", 64, 64), plain("ln2", "norm"), linear("up", 64, 256), activation("gelu"),
    linear("down", 256, 64), plain("ln3", "norm"), linear("head", 64, 1000),
]  # fmt: skip
RESNET = [
    conv("stem", 3, 64), plain("bn", "batch-norm"), activation("relu"), conv("b.conv1", 64, 128),
    plain("b.bn1", "batch-norm"), activation("relu", "b.relu"), conv("b.conv2", 128, 128),
    plain("b.bn2", "batch-norm"), conv("b.short", 64, 128, kernel=1), plain("b.bn3", "batch-norm"),
    activation("relu", "b.relu#2"), linear("fc", 128, 10),
]  # fmt: skip
REPVGG = [conv("dense", 64, 64), plain("bn", "batch-norm"), conv("point", 64, 64, kernel=1), activation("relu"),
          linear("fc", 64, 10)]  # fmt: skip
SEPARABLE = [conv("0", 3, 32), activation("relu", "1"), conv("2", 32, 32, groups=32), conv("3", 32, 64, kernel=1),
             activation("relu", "4"), linear("5", 64, 10)]  # fmt: skip
MOBILE = [conv("e1", 16, 96, kernel=1), activation("relu6"), conv("p1", 96, 24, kernel=1), plain("bn", "batch-norm"),
          conv("e2", 24, 144, kernel=1), activation("relu6", "r2"), linear("fc", 144, 10)]  # fmt: skip
VAE = [linear("enc", 784, 400), activation("relu"), linear("mu", 400, 20), linear("logvar", 400, 20),
       TraceLayer("exp", "function"), linear("dec1", 20, 400), activation("relu", "relu#2"),
       linear("dec2", 400, 784), activation("sigmoid")]  # fmt: skip
ACTOR = [linear("body", 8, 64), activation("tanh"), linear("policy", 64, 4), linear("value", 64, 1)]


@pytest.mark.parametrize("layers", [TRANSFORMER, RESNET, REPVGG, SEPARABLE, MOBILE, VAE, ACTOR])
def test_sound_networks_with_linear_layers_called_in_a_row(layers: list[TraceLayer]) -> None:
    assert findings("nonlinearity-missing", trace(layers=layers)) == []


# ---- parameters


def test_parameters_not_optimised() -> None:
    name = "parameters-not-optimised"
    assert severity(name, trace(layers=MLP)) == ""
    assert severity(name, trace(layers=MLP, events=event("parameter-not-optimised", "2", "2.bias"))) == "warning"
    every = event("parameter-not-optimised", "0", "0.bias", "2", "2.bias")
    assert severity(name, trace(layers=MLP, events=every)) == "sick"
    assert severity(name, trace(layers=MLP, events=event("parameter-not-optimised", "0.bias", "2.bias"))) == "warning"
    assert severity(name, trace(events=every)) == "warning"
    assert severity(name, trace(layers=MLP, events=event("parameter-in-two-optimizers", "0"))) == "warning"


def test_parameters_detached() -> None:
    name = "parameters-frozen"
    assert severity(name, trace(layers=MLP, events=event("gradient-missing", "0", "0.bias"))) == "warning"
    assert severity(name, trace(layers=MLP, events=event("gradient-missing", "0", "2.weight"))) == "sick"
    assert severity(name, trace(layers=MLP, events=event("gradient-missing", "2.bias"))) == "note"
    assert severity(name, trace(layers=MLP, events=event("gradient-missing", "pooler"))) == "note"  # never called


def test_detached_layers_are_noise_when_they_are_new() -> None:
    events, new = event("gradient-missing", "0"), of("0", weight_std=1 / math.sqrt(3 * 20))
    assert severity("parameters-frozen", trace(new, layers=MLP, events=events)) == "sick"
    learned = of("0", weight_std=0.2)
    assert severity("parameters-frozen", trace(learned, layers=MLP, events=events)) == "warning"


def test_parameters_frozen() -> None:
    name = "parameters-frozen"
    layers = [conv("conv", 1, 24, kernel=5), plain("bn", "batch-norm"), activation("relu"), linear("_fc", 384, 10)]
    backbone, everything = event("parameter-frozen", "conv"), event("parameter-frozen", "conv", "_fc", "_fc.bias")
    assert severity(name, trace(layers=layers, events=backbone)) == "note"
    assert severity(name, trace(layers=layers, events=everything)) == "sick"
    falling = series("loss", [2.3, 2.3, 2.2, 2, 1.8, 1.5, 1.2, 1, 0.8, 0.7])
    assert severity(name, trace(falling, layers=layers, events=everything)) == "warning"  # something else learns
    turns = trace(of("conv", update_norm=[0, 0.1, 0]), layers=layers, events=backbone)
    assert severity(name, turns) == ""  # frozen for a while
    new = of("conv", weight_std=1 / math.sqrt(3 * 25))
    assert severity(name, trace(new, layers=layers, events=backbone)) == "warning"


def test_gradients_of_zero() -> None:
    name, some = "parameters-frozen", of("2", gradient_norm=0.5)
    assert severity(name, trace(of("0", gradient_norm=0.0), some, layers=MLP)) == "warning"
    assert severity(name, trace(of("0", gradient_norm=0.0), of("2", gradient_norm=0.0), layers=MLP)) == "sick"
    assert severity(name, trace(of("0", gradient_norm=[0, 0, 0, 1e-9]), some, layers=MLP)) == ""
    assert severity(name, trace(of("0", gradient_norm=[0, 0]), some, layers=MLP)) == ""
    dead = of("1", activation_zero_share=1.0)
    assert severity(name, trace(of("0", gradient_norm=0.0), some, dead, layers=MLP)) == ""
    assert severity(name, trace(of("0", gradient_norm=NAN), some, layers=MLP)) == ""


# ---- the loop


def test_gradients_not_cleared() -> None:
    name = "gradients-not-cleared"
    left = series("left-over-gradient", [0, 1, 2, 3, 4])
    once = series("backwards", 1)
    assert severity(name, trace(left, once)) == "sick"
    assert severity(name, trace(left)) == "sick"
    assert severity(name, trace(series("left-over-gradient", 0.0), series("backwards", 4))) == ""
    assert severity(name, trace(left, series("backwards", 4))) == ""
    assert severity(name, trace(series("left-over-gradient", [0, 1, 2, 0, 1, 2, 0]))) == ""
    assert severity(name, trace(series("left-over-gradient", [5, 5, 5]))) == ""  # step 0 does not count
    assert severity(name, trace(left, series("gradient-norm", 1000.0))) == ""
    monthly = series("left-over-gradient", [0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    assert severity(name, trace(monthly, series("backwards", [1] * 10))) == "sick"


def test_evaluation_mode_in_training() -> None:
    name = "evaluation-mode-in-training"
    assert severity(name, trace(series("evaluation-mode-share", 1.0))) == "warning"
    assert severity(name, trace(series("evaluation-mode-share", [0, 0, 0.2, 0.4, 0.5]))) == "warning"
    assert severity(name, trace(series("evaluation-mode-share", [0, 0, 0, 0.05]))) == ""
    assert severity(name, trace(series("evaluation-mode-share", [1.0, 0.5]))) == ""
    first = {"network-mode": "evaluation"}
    assert severity(name, trace(layers=[*MLP, plain("drop", "dropout")], facts=first)) == "warning"
    assert severity(name, trace(layers=MLP, facts=first)) == ""


def test_training_mode_in_evaluation() -> None:
    name = "training-mode-in-evaluation"
    assert severity(name, trace(series("training-mode-evaluations", [0, 1, 3]))) == "warning"
    assert severity(name, trace(series("training-mode-evaluations", [1, 2, 2]))) == ""


def test_loss_negated() -> None:
    name = "gradient-sign-flipped"
    up = [2.3, 2.4, 2.7, 3.5, 6.0]
    negated = trace(series("criterion", up), series("loss", [-value for value in up]), loss="cross-entropy")
    assert severity(name, negated) == "sick"
    assert severity(name, trace(series("criterion", up), series("loss", up), loss="cross-entropy")) == ""
    own = trace(series("criterion", up), series("loss", [-value for value in up]), loss="kl")
    assert severity(name, own) == ""
    # a generator that is trained against the loss it lowers in turn
    turns = trace(series("criterion", up), series("loss", [2.3, -2.4, 2.7, -3.5, 6]), loss="bce")
    assert severity(name, turns) == ""


def test_steps_up_the_gradient() -> None:
    name = "gradient-sign-flipped"
    rising = series("loss", [2.3, 2.4, 2.8, 3.5, 6, 9, 20, INF])
    assert severity(name, trace(series("update-cosine", -1.0), rising)) == "sick"
    assert severity(name, trace(series("update-cosine", [-1, -1]), rising)) == ""
    assert severity(name, trace(series("update-cosine", [-0.3, -0.5, 0.4, -0.3, 0.2]), rising)) == ""
    assert severity(name, trace(series("update-cosine", -0.12), rising)) == ""
    falling = series("loss", [2.3, 2.2, 2.1, 1.5, 1, 0.8, 0.6, 0.5])
    assert severity(name, trace(series("update-cosine", -0.5), falling)) == ""


def test_loss_below_zero() -> None:
    name = "gradient-sign-flipped"
    assert severity(name, trace(series("loss", [-2.3, -3, -9, -40]), loss="cross-entropy")) == "sick"
    assert severity(name, trace(series("loss", [0.5, 0.1, -0.2, -0.3]), loss="cross-entropy")) == ""
    assert severity(name, trace(series("loss", [-0.3, -0.31, -0.32]), loss="mse")) == ""
    assert severity(name, trace(series("loss", [-2.3, -3, -9, -40]), loss="gaussian-nll")) == ""


def test_step_missing() -> None:
    name = "step-missing"
    assert severity(name, trace(events=event("step-missing", ""))) == "sick"
    still = of("0", update_norm=0.0, weight_norm=1.0, gradient_norm=0.3)
    rate = series("lr", 0.1)
    assert severity(name, trace(still, rate)) == "sick"
    assert severity(name, trace(still)) == ""
    assert severity(name, trace(still, series("lr", 0.0))) == ""
    assert severity(name, trace(still, series("lr", 1e-9))) == ""  # lost in rounding
    assert severity(name, trace(still, rate, of("2", update_norm=[0, 0, 1e-9]))) == ""
    assert severity(name, trace(still, rate, events=event("parameter-not-optimised", "0"))) == ""
    short = of("0", update_norm=[0, 0], weight_norm=1.0, gradient_norm=0.3)
    assert severity(name, trace(short, rate)) == ""
    no_gradient = of("0", update_norm=0.0, weight_norm=1.0, gradient_norm=0.0)
    assert severity(name, trace(no_gradient, rate)) == ""


HIGH, LEARNED = [2.3] * 200, [2.3, 2.3, 2.2] + [0.4] * 197


def test_scheduler_stepped_every_batch() -> None:
    name, stuck = "scheduler-misused", series("loss", HIGH)
    plan = {"epochs": "20", "steps-per-epoch": "50"}
    assert severity(name, trace(rates(0.9, 200), stuck, facts=plan)) == "sick"
    assert severity(name, trace(rates(0.9, 200), stuck)) == "sick"
    assert severity(name, trace(rates(0.9, 200), series("loss", LEARNED), facts=plan)) == ""
    assert severity(name, trace(rates(0.9, 200), facts=plan)) == "warning"  # nobody looked at the loss
    # a drop of a tenth every ten batches, and one every thirty epochs
    steps = series("lr", [0.1 * 0.1 ** (step // 10) for step in range(200)])
    assert severity(name, trace(steps, stuck, facts=plan)) == "sick"
    sound = series("lr", [0.1 * 0.1 ** (step // 60) for step in range(200)])
    assert severity(name, trace(sound, stuck, facts={"epochs": "200", "steps-per-epoch": "1"})) == ""


def test_a_slow_fall_is_a_warning() -> None:
    steps = range(0, 10_000, 50)
    falling = series("lr", [0.1 * 0.1 ** (step // 1000) for step in steps], steps=steps)
    given = trace(falling, series("loss", HIGH, steps=steps), facts={"epochs": "100", "steps-per-epoch": "100"})
    assert severity("scheduler-misused", given) == "warning"


@pytest.mark.parametrize(("factor", "planned", "expected"), [
    (0.9, 10_000, "sick"), (0.9, 100, ""), (0.9, 120, "sick"), (0.9997, 100_000, "warning"), (0.9997, 10_000, ""),
    (1.0, 10_000, ""), (1.01, 10_000, ""),
])  # fmt: skip
def test_a_constant_ratio_shows_where_the_rate_goes(factor: float, planned: int, expected: str) -> None:
    facts = {"epochs": str(planned // 20), "steps-per-epoch": "20"}
    given = trace(rates(factor, 20), series("loss", HIGH[:20]), facts=facts)
    assert severity("scheduler-misused", given) == expected


@pytest.mark.parametrize(("factor", "steps", "expected"), [(0.9, 40, "warning"), (0.9, 20, ""), (0.995, 500, "")])
def test_a_constant_ratio_without_a_plan(factor: float, steps: int, expected: str) -> None:
    given = trace(rates(factor, steps), series("loss", [2.3] * steps))
    assert severity("scheduler-misused", given) == expected


@pytest.mark.parametrize("rate", [
    lambda done: 1.0,
    lambda done: (1 + math.cos(math.pi * done)) / 2,
    lambda done: 1 - done,
    lambda done: min(1.0, 20 * done) * (1 - done),
    lambda done: 0.1 ** int(3 * done),
    lambda done: 1e-4**done,
    lambda done: 1 / (1 + 10 * done),
    lambda done: 1e-6 * 1e7**done,
])  # fmt: skip
def test_sound_schedules(rate: Callable[[float], float]) -> None:
    for steps in (10, 50, 500):
        values = series("lr", [0.1 * rate(step / steps) for step in range(steps)])
        stuck = series("loss", [2.3] * steps)
        assert findings("scheduler-misused", trace(values, stuck)) == []
        plan = {"epochs": "10", "steps-per-epoch": str(steps // 10)}
        assert findings("scheduler-misused", trace(values, stuck, facts=plan)) == []


def test_a_rate_of_zero() -> None:
    zero, still = series("lr", [0.0] * 20), of("0", update_norm=0.0)
    assert severity("scheduler-misused", trace(zero, still)) == "sick"
    assert severity("scheduler-misused", trace(zero, of("0", update_norm=[0, 0, 0.1]))) == ""  # other groups move
    assert severity("scheduler-misused", trace(zero)) == ""
