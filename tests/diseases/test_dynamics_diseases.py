"""Diseases of the dynamics: the sick, their healthy twins, the borders, and what is missing."""

import math
import random

import pytest

from babysit.diseases import diagnose
from babysit.record import TARGETS, Event, Row, Trace
from tests.diseases.found_dynamics import found, names, severity
from tests.diseases.traces_dynamics import (
    LN_TEN,
    SHAPES,
    Ratios,
    cyclic,
    epochs,
    in_both,
    noisy,
    one_cycle,
    series,
    training,
)

# What is sound


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [3, 10, 30, 150, 1000])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.5])
def test_sound_curves_get_nothing(shape: str, steps: int, noise: float) -> None:
    for seed in range(3):
        assert names(training(noisy(SHAPES[shape], steps, noise=noise, seed=seed))) == []


@pytest.mark.parametrize("rates", [cyclic(2000), one_cycle(2000)], ids=["cyclic", "one-cycle"])
def test_the_loss_may_follow_a_rate_that_comes_and_goes(rates: list[float]) -> None:
    shape = SHAPES["exponential"]
    losses = [
        loss * (1 + 3 * rate) for loss, rate in zip(noisy(shape, 2000), rates, strict=True)
    ]  # fmt: skip
    assert names(training(losses, lr=rates)) == []


def test_losses_of_single_rows_exceed_three_times_their_mean_now_and_then() -> None:
    draw = random.Random(1)
    losses = [draw.gauss(0, 1) ** 2 * (0.1 + 0.9 * math.exp(-step / 500)) for step in range(5000)]
    for length in (20, 50, *range(100, 5000, 137)):
        assert names(training(losses[:length], loss="mse")) == []
    assert names(training([0.01, *losses], loss="mse")) == [], "a first loss that is small by luck"


def test_a_layer_that_starts_at_zero_has_infinite_and_huge_ratios() -> None:
    ratios: Ratios = {"fc1": 1e-3, "fc2": lambda step: math.inf if step == 0 else 1.0 / step}
    for steps in (5, 50, 1000):
        assert names(training(noisy(SHAPES["exponential"], steps), ratios=ratios)) == []


def test_a_pretrained_network_may_begin_at_a_small_loss() -> None:
    losses = noisy(lambda x: 0.2 + 0.5 * math.exp(-(((x - 0.05) / 0.04) ** 2)), 1000)
    assert names(training([0.1, *losses])) == []
    assert names(training([0.02] * 300, ratios=1e-7)) == [], "converged before it began"


def test_a_hundred_epochs_of_a_sound_training() -> None:
    train = noisy(lambda x: 0.1 + 2 * math.exp(-6 * x), 100, noise=0.01)
    validation = noisy(lambda x: 0.3 + 1.9 * math.exp(-6 * x), 100, noise=0.03, seed=1)
    accuracy = [min(0.98, 0.98 - 0.88 * math.exp(-8 * epoch / 100)) for epoch in range(100)]
    rows = [
        *epochs(train, validation, steps=20),
        *epochs(accuracy, [value - 0.05 for value in accuracy], steps=20, name="accuracy"),
    ]
    assert names(training(noisy(SHAPES["exponential"], 2000), rows=rows, facts={"rows": "1280"})) == []


# The lecture's babysitting rows


def test_the_lectures_rate_of_1e6() -> None:
    # Measured on CIFAR-10: NaN at the fourth step, ratios of 5e6 and 8e7 at the first.
    ratios: Ratios = {"fc1": lambda step: [5e6, 2e8, math.inf, math.nan][step], "fc2": lambda step: 8e7}
    born = Event(3, "not-finite", "the loss became nan at step 3", "fc1")
    trace = training([2.30261, 2.5e12, 3.8e29, math.nan], lr=1e6, ratios=ratios, events=[born])
    first, second = diagnose(trace)
    assert (first.name, first.severity, first.explained_by) == ("learning-rate-too-high", "sick", "")
    assert (second.name, second.severity, second.explained_by) == ("diverged", "sick", "learning-rate-too-high")
    assert first.evidence["lr"] == 1e6
    assert 1e-6 <= float(first.remedies[0].value or 0) <= 1e-2, "from 1e6 back to where rates are sound"
    assert second.where == "fc1"
    assert second.evidence["first NaN at step"] == 3
    assert second.evidence["first"] == "above the limit"


def test_the_lectures_rate_of_1e6_told_by_losses_alone() -> None:
    trace = Trace(tuple(series("loss", [2.30261, math.nan])))
    assert names(trace) == ["learning-rate-too-high", "diverged"]
    rows = [*series("loss", [2.30261, math.nan]), Row(0, "train", "(inputs)", "not-finite-share", 0.1)]
    trace = Trace(tuple(rows))
    assert [(finding.name, finding.explained_by) for finding in diagnose(trace)] == [
        ("inputs-not-finite", ""), ("diverged", "inputs-not-finite"),
    ]  # fmt: skip


@pytest.mark.parametrize("measured", [True, False])
def test_the_lectures_rate_of_3e3_ends_in_inf(measured: bool) -> None:
    levels = [2.187, 2.176, 1.942, 1.828]
    losses = [level for level in levels for _ in range(490)] + [math.inf]
    ratios = {"fc1": 0.04, "fc2": 0.3} if measured else None  # measured on CIFAR-10
    high, diverged = diagnose(training(losses, lr=3e-3, ratios=ratios))
    assert (high.name, high.severity) == ("learning-rate-too-high", "sick" if measured else "warning")
    assert (diverged.name, diverged.explained_by) == ("diverged", "learning-rate-too-high")
    assert diverged.evidence["first inf at step"] == 4 * 490
    assert "first NaN at step" not in diverged.evidence
    if measured:
        assert str(high.remedies[0]) == "lr=0.0001"


def test_the_lectures_rate_of_1e_minus_6() -> None:
    # Ratios as measured on CIFAR-10. The loss is that of an answer which knows nothing, and yet it falls.
    draw = random.Random(0)
    losses = [2.302576 - 0.000156 * step / 4900 + draw.gauss(0, 2e-5) for step in range(4900)]
    trace = training(losses, lr=1e-6, ratios={"fc1": 5e-6, "fc2": 8e-5})
    low, stuck = diagnose(trace)
    assert (low.name, low.severity) == ("learning-rate-too-low", "sick")
    assert (stuck.name, stuck.explained_by) == ("stuck-at-chance", "learning-rate-too-low")
    assert low.evidence["fell by"] == pytest.approx(0.000156 / 2.3025, rel=0.1)
    assert float(low.remedies[0].value or 0) >= 1e-5
    unmeasured, _ = diagnose(training(losses, lr=1e-6, ratios=None))
    assert (unmeasured.name, unmeasured.severity) == ("learning-rate-too-low", "warning")


def test_the_lectures_good_rates() -> None:
    draw = random.Random(0)
    for end in (1.9, 1.5, 1.35):
        losses = [end + (LN_TEN - end) / (1 + (step / 400) ** 2) + draw.gauss(0, 0.08) for step in range(2000)]
        assert diagnose(training(losses, lr=5e-4, ratios={"fc1": 0.01, "fc2": 0.03})) == []
        assert diagnose(training(losses, lr=1e-3, ratios={"fc1": 0.05, "fc2": 0.09})) == []


# learning-rate-too-high


def test_a_plateau_with_large_updates() -> None:
    losses = noisy(lambda _: 2.4, 500, noise=0.1)
    assert severity("learning-rate-too-high", training(losses, ratios=0.2)) == "sick"
    assert severity("learning-rate-too-high", training(losses, ratios=0.09)) == ""
    assert severity("learning-rate-too-high", training(losses[:99], ratios=0.2)) == "warning"
    assert severity("learning-rate-too-high", training(losses[:49], ratios=0.2)) == "", "too short to say"
    half = noisy(lambda x: 2.4 - 0.9 * x**0.1, 500, noise=0.1)
    assert severity("learning-rate-too-high", training(half, ratios=0.2)) == "warning"
    assert severity("learning-rate-too-high", training(noisy(SHAPES["exponential"], 500), ratios=0.2)) == ""


def test_biases_and_scales_may_change_a_lot() -> None:
    ratios = {"fc1": 1e-3, "fc2": 1e-3, "fc1.bias": 5.0, "fc2.bias": 5.0, "relu": 5.0}
    assert severity("learning-rate-too-high", training(noisy(lambda _: 2.31, 300), ratios=ratios)) == ""
    recurrent = {"fc1": 1e-3, "fc2.weight_hh_l0": 0.3}
    assert severity("learning-rate-too-high", training(noisy(lambda _: 2.31, 300), ratios=recurrent)) == "sick"


@pytest.mark.parametrize(("optimizer", "expected"), [("adam", "sick"), ("adamw", "sick"), ("sgd", "")])
def test_rates_that_no_adaptive_optimizer_takes(optimizer: str, expected: str) -> None:
    losses = noisy(lambda _: 2.35, 300)
    assert severity("learning-rate-too-high", training(losses, lr=0.1, optimizer=optimizer)) == expected
    assert severity("learning-rate-too-high", training(losses, lr=0.09, optimizer=optimizer)) == ""
    learned = training(noisy(SHAPES["exponential"], 300), lr=0.1, optimizer=optimizer)
    assert severity("learning-rate-too-high", learned) == "", "a linear model may well learn so"


def test_the_first_steps_killed_the_units() -> None:
    losses = [2.3, 6.0, 4.0, *noisy(lambda _: 2.31, 300)]
    trace = training(losses, ratios=in_both(lambda step: 0.5 if step < 20 else 0.0))
    assert severity("learning-rate-too-high", trace) == "warning"
    assert names(trace) == ["learning-rate-too-high", "stuck-at-chance"]


def test_a_loss_that_rises_from_the_start() -> None:
    losses = noisy(lambda x: 2.3 + 2 * x, 300)
    assert severity("learning-rate-too-high", training(losses, ratios=0.02)) == "sick"
    assert severity("learning-rate-too-high", training(losses, ratios=1e-3)) == "", "it is not the rate"


def test_a_leap_that_was_made_good() -> None:
    losses = [2.3, *[9.0] * 6, *noisy(SHAPES["exponential"], 300)]
    assert severity("learning-rate-too-high", training(losses, ratios=0.05)) == "note"
    assert severity("learning-rate-too-high", training([2.3, *[9.0] * 4, *losses[7:]], ratios=0.05)) == ""


def test_a_loss_that_came_down_to_a_constant_answer_has_not_recovered() -> None:
    losses = [30.0, 5e3, 2e4, 8e3, 900.0, 300.0, 100.0, *noisy(lambda _: 1.0, 300, noise=0.1)]
    trace = training(losses, loss="mse", ratios=in_both(lambda step: 0.4 if step < 3 else 0.0))
    assert severity("learning-rate-too-high", trace) == "sick"
    assert names(trace) == ["learning-rate-too-high", "stuck-at-chance"]


def test_nan_with_sound_updates_is_not_the_rate() -> None:
    losses = [*noisy(SHAPES["exponential"], 300), math.nan]
    assert names(training(losses, ratios=1e-3)) == ["diverged"]


# learning-rate-too-low


def test_tiny_updates_in_all_layers() -> None:
    losses = noisy(lambda _: 2.31, 400)
    assert severity("learning-rate-too-low", training(losses, ratios=9e-6)) == "sick"
    assert severity("learning-rate-too-low", training(losses[:19], ratios=9e-6)) == "warning"
    assert severity("learning-rate-too-low", training(losses, ratios=1.1e-5)) == "warning", "by all steps together"
    assert severity("learning-rate-too-low", training(losses, ratios=3e-4)) == ""
    assert severity("learning-rate-too-low", training(losses, ratios={"fc1": 1e-6, "fc2": 1e-3})) == ""
    assert severity("learning-rate-too-low", training(losses, ratios={"fc1": 0.0, "fc2": 9e-6})) == "sick", (
        "a frozen one"
    )
    assert severity("learning-rate-too-low", training(losses, ratios=0.0)) == "", "nothing stepped"


def test_a_head_that_began_at_zero_does_not_hide_a_low_rate() -> None:
    ratios: Ratios = {"fc1": 1e-7, "fc2": lambda step: math.inf if step == 0 else 1.0 / step}
    assert severity("learning-rate-too-low", training(noisy(lambda _: 2.31, 400), ratios=ratios)) == "sick"


def test_a_long_straight_fall() -> None:
    straight = noisy(lambda x: 50 - 20 * x, 600)
    assert severity("learning-rate-too-low", training(straight, ratios=3e-3)) == "warning"
    assert severity("learning-rate-too-low", training(straight[:250], ratios=3e-3)) == "", "too short to say"
    bent = noisy(lambda x: 30 + 20 * math.exp(-2 * x), 600)
    assert severity("learning-rate-too-low", training(bent, ratios=3e-3)) == ""
    assert severity("learning-rate-too-low", training(straight, lr=one_cycle(600), ratios=3e-3)) == ""


def test_what_looks_like_a_low_rate_and_is_none() -> None:
    losses = noisy(lambda _: 2.31, 400)
    warming = training(losses, lr=[1e-6 * (step + 1) for step in range(400)], ratios=9e-6)
    assert severity("learning-rate-too-low", warming) == ""
    vanished = training(losses, ratios=9e-6, rows=series("gradient-norm", [1e-9] * 20))
    assert severity("learning-rate-too-low", vanished) == ""
    annealed = training(losses, ratios=in_both(lambda step: 1e-3 if step < 300 else 1e-9))
    assert severity("learning-rate-too-low", annealed) == ""
    slow_then_fast = [2.3026 - 0.02 * (step / 400) ** 4 for step in range(400)]
    assert severity("learning-rate-too-low", training(slow_then_fast, ratios=5e-5)) == "", "it gathers speed"


# diverged


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([2.3, 2.2, 7.1, 7.2, 7.3, 7.4, 7.5], "sick"),
        ([2.3, 2.2, 6.8, 6.8, 6.8, 6.8, 6.8], ""),
        ([2.3] * 50 + [50.0, 400.0], "sick"),
        ([2.3, 2.2, 8.0, 2.1, 2.0, 8.1, 8.2], ""),
        ([2.3] * 50 + [50.0], ""),
        ([2.3] + [9.0] * 20 + [2.0] * 100, ""),
        ([2.3, math.nan, 2.2, 2.1, 2.0, 1.9, 1.8], "warning"),
        ([2.3, math.nan], "sick"),
        ([math.nan, math.nan], "sick"),
        ([-1.0, -2.0, -30.0], ""),
        ([], ""),
    ],
)
def test_diverged(losses: list[float], expected: str) -> None:
    assert severity("diverged", training(losses)) == expected


def test_an_unknown_loss_function_may_be_meant_to_rise() -> None:
    rising = [1.0, *[4.0] * 30]
    assert severity("diverged", training(rising, loss="other")) == "warning"
    assert severity("diverged", training([1.0, *[400.0] * 30], loss="other")) == "sick"
    assert severity("diverged", training(rising, loss="hinge")) == "sick"


def test_weights_and_events_tell_of_it_without_losses() -> None:
    broken = Trace((Row(4, "train", "fc2", "weight-not-finite-share", 0.5),))
    finding = found("diverged", broken)
    assert finding is not None
    assert (finding.where, finding.severity) == ("fc2", "sick")
    event = Event(4, "not-finite", "born in fc1", "fc1")
    finding = found("diverged", Trace(events=(event,)))
    assert finding is not None
    assert finding.where == "fc1"
    went_on = training([2.3] * 10, events=[event])
    assert severity("diverged", went_on) == "", "the step was skipped"


# stuck-at-chance


@pytest.mark.parametrize("noise", [0.002, 0.05, 0.15])
def test_stuck_at_chance(noise: float) -> None:
    losses = noisy(lambda _: 2.305, 400, noise=noise, seed=4)
    assert severity("stuck-at-chance", training(losses)) == "sick"
    assert severity("stuck-at-chance", training(losses[:150])) == "warning"
    assert severity("stuck-at-chance", training(losses[:99])) == ""
    accuracies = epochs([0.1] * 4, [0.11] * 4, name="accuracy")
    finding = found("stuck-at-chance", training(losses, rows=accuracies))
    assert finding is not None
    assert finding.evidence["validation accuracy"] == 0.11
    assert severity("stuck-at-chance", training(losses, rows=epochs([0.2] * 4, [0.2] * 4, name="accuracy"))) == ""


def test_stuck_from_any_first_loss() -> None:
    losses = [math.exp(-step / 5) * 20 + loss for step, loss in enumerate(noisy(lambda _: 2.305, 400))]
    assert severity("stuck-at-chance", training(losses)) == "sick"
    assert severity("stuck-at-chance", training(noisy(lambda _: 3.5, 400))) == "sick", "above chance, and unmoving"
    assert severity("stuck-at-chance", training([9.0, *noisy(lambda _: 3.5, 400)])) == "", "weights of classes do so"


@pytest.mark.parametrize(
    ("facts", "rows", "level"),
    [
        ({"loss": "bce-with-logits"}, [], math.log(2)),
        ({"loss": "cross-entropy", "classes": "5"}, [], math.log(5)),
        ({"loss": "cross-entropy"}, [Row(0, "train", "(outputs)", "width", 5.0)], math.log(5)),
        ({"loss": "mse"}, [Row(0, "train", TARGETS, "value-std", 2.0)], 4.0),
    ],
)
def test_what_a_constant_answer_costs(facts: dict[str, str], rows: list[Row], level: float) -> None:
    def trace(times: float) -> Trace:
        losses = noisy(lambda _: level * times, 400, noise=0.02)
        return Trace((*series("loss", losses), *rows), facts=facts)

    assert severity("stuck-at-chance", trace(1.0)) == "sick"
    assert severity("stuck-at-chance", trace(0.97)) == ""


def test_creeping_evenly_is_standing_still() -> None:
    even = [1e15 * (1 - 1e-7 * step) for step in range(400)]
    trace = Trace((*series("loss", even), Row(0, "train", TARGETS, "value-std", 3e7)), facts={"loss": "mse"})
    assert severity("stuck-at-chance", trace) == "sick"


def test_sound_networks_that_look_stuck_for_a_while() -> None:
    waits = noisy(lambda x: 2.303 if x < 0.6 else 2.303 - 3 * (x - 0.6), 300)
    assert severity("stuck-at-chance", training(waits)) == ""
    creeps = [2.3026 - 1e-7 * step**2 + 1e-6 * (step % 3) for step in range(300)]
    assert severity("stuck-at-chance", training(creeps)) == "", "small weights: hardly moving, yet no noise hides it"
    faster = [2.3026 - 2e-13 * step**4 + 1e-6 * (step % 3) for step in range(300)]
    assert severity("stuck-at-chance", training(faster)) == "", "less than a thousandth, but ever faster"
    warming = training(noisy(lambda _: 2.305, 400), lr=[1e-4 * step for step in range(400)])
    assert severity("stuck-at-chance", warming) == ""
    one_class = Trace(
        (*series("loss", [0.7] * 300), Row(0, "train", TARGETS, "label-entropy", 0.0)), facts={"loss": "bce"}
    )
    assert severity("stuck-at-chance", one_class) == ""


def test_a_penalty_hides_neither_learning_nor_standing_still() -> None:
    criteria = noisy(lambda _: 2.305, 400)
    penalised = [loss + 5 * math.exp(-step / 100) for step, loss in enumerate(criteria)]
    assert severity("stuck-at-chance", training(penalised, rows=series("criterion", criteria))) == "sick"
    learning = noisy(lambda x: 2.3 - x, 400)
    penalised = [max(2.31, loss) for loss in learning]
    assert severity("stuck-at-chance", training(penalised, rows=series("criterion", learning))) == ""
