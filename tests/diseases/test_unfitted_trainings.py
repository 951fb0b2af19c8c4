"""Rules that trainings nobody had seen before asked for: each with a sick trace and a healthy one beside it."""

import dataclasses
import math

import pytest

from babysit.diseases import DISEASES, diagnose
from babysit.record import INPUTS, OUTPUTS, TARGETS, Event, Row, Trace, TraceLayer
from tests.diseases.found_dynamics import severity
from tests.diseases.traces_dynamics import epochs, noisy, series, training

FLAT = noisy(lambda _: 2.305, 300)


def with_rows(trace: Trace, *rows: Row, **more: object) -> Trace:
    return dataclasses.replace(trace, rows=(*trace.rows, *rows), **more)  # type: ignore[arg-type]


def at_the_end(name: str, value: float) -> Row:
    return Row(299, "train", "", name, value)


def evaluated(name: str, values: list[float]) -> list[Row]:
    return [Row(30 * (place + 1), "validation", "", name, value) for place, value in enumerate(values)]


def first(trace: Trace) -> str:
    return diagnose(trace)[0].name


# What explains what

NORM = (
    TraceLayer("fc1", "linear", depth=1, units=50, fan_in=3072),
    TraceLayer("norm", "batch-norm", depth=1, units=50),
    TraceLayer("relu", "activation", "relu", depth=1, units=50),
    TraceLayer("fc2", "linear", depth=2, units=10, fan_in=50),
)


def test_training_in_evaluation_mode_explains_a_loss_that_stays() -> None:
    rows = series("evaluation-mode-share", [1.0] * 300)
    trace = dataclasses.replace(training(FLAT, rows=rows), layers=NORM)
    assert [finding.name for finding in diagnose(trace)] == ["evaluation-mode-in-training", "stuck-at-chance"]


def test_clipping_to_nothing_explains_a_loss_that_stays() -> None:
    trace = training(FLAT, rows=series("clip-factor", [0.01] * 300))
    assert [finding.name for finding in diagnose(trace)] == ["gradients-clipped-always", "stuck-at-chance"]
    assert diagnose(training(FLAT, rows=series("clip-factor", [0.5] * 300)))[0].name == "stuck-at-chance"


@pytest.mark.parametrize(("rows", "expected"), [(2, "batch-too-small"), (16, "learning-rate-too-high")])
def test_batch_normalisation_over_two_rows_comes_before_the_rate(rows: int, expected: str) -> None:
    sizes = [Row(step, "train", INPUTS, "batch-rows", rows) for step in range(1, 300)]
    assert first(dataclasses.replace(training(FLAT, ratios=0.3, rows=sizes), layers=NORM)) == expected


@pytest.mark.parametrize(
    ("left", "expected"), [(0.001, ["weight-decay-too-strong"]), (1.0, ["learning-rate-too-high"])]
)
def test_any_step_is_large_against_weights_that_were_pulled_to_zero(left: float, expected: list[str]) -> None:
    lengths = [row for layer in ("fc1", "fc2") for row in series("weight-norm", [1.0, *[left] * 299], layer=layer)]
    trace = training(FLAT, ratios=0.3, rows=lengths, optimizer="adam", facts={"weight-decay": "0.5"})
    assert [found.name for found in diagnose(trace) if found.name != "stuck-at-chance"] == expected


def test_one_number_in_all_weights_is_symmetric_though_dropout_tells_units_apart() -> None:
    layers = (TraceLayer("fc1", "linear", depth=1, units=50, fan_in=20, parameters=1050), *NORM[2:])
    rows = [
        Row(0, "train", "fc1", "identical-units-share", 1.0), Row(1, "train", "fc1", "identical-units-share", 0.6),
        Row(0, "train", "fc1", "row-spread", 1.0), Row(0, "train", "fc1", "weight-std", 0.0),
        Row(1, "train", "fc1", "weight-std", 0.01),
    ]  # fmt: skip
    trace = Trace(tuple(rows), layers=layers)
    assert DISEASES["weights-symmetric"].find(trace)
    fixed = (layers[0]._replace(parameters=0), *layers[1:])
    assert not DISEASES["weights-symmetric"].find(dataclasses.replace(trace, layers=fixed)), (
        "a blur that is not learned"
    )
    drawn = tuple(row._replace(value=0.1) if row.quantity == "weight-std" else row for row in rows)
    assert not DISEASES["weights-symmetric"].find(dataclasses.replace(trace, rows=drawn))


# Losses that nobody knows


def test_a_loss_written_by_hand_may_rise() -> None:
    rising = [1.0, *noisy(lambda x: 1.0 + 9 * x, 300)]
    assert severity("learning-rate-too-high", training(rising, ratios=0.02, loss="mse")) == "sick"
    assert severity("learning-rate-too-high", training(rising, ratios=0.02, loss="other")) in ("", "note")
    away = [1.0, *[10.0 * step for step in range(1, 300)]]
    assert severity("learning-rate-too-high", training(away, ratios=0.2, loss="other")) == "sick"
    assert severity("learning-rate-too-high", training([1.0, 2.0, math.nan], ratios=0.2, loss="other")) == "sick"


def test_noise_about_zero_is_no_loss_that_stands_still() -> None:
    scales = [Row(step, "train", "", "gradient-noise-scale", 1e6) for step in range(100)]
    sizes = [Row(step, "train", INPUTS, "batch-rows", 8) for step in range(1, 200)]
    for level, count in ((1.0, 1), (-0.01, 0)):
        trace = Trace((*series("loss", [level] * 200), *scales, *sizes))
        assert len(DISEASES["batch-too-small"].find(trace)) == count


def likelihood(losses: list[float], mean: float) -> Trace:
    """A loss written by hand over log-probabilities of three classes."""
    rows = [row for step in range(5) for row in (
        Row(step, "train", OUTPUTS, "log-normalised-share", 1.0), Row(step, "train", OUTPUTS, "value-mean", mean),
    )]  # fmt: skip
    return training(losses, loss="other", rows=rows)


def test_a_likelihood_without_its_minus() -> None:
    run_away = [-1.1 - 10 * step for step in range(100)]
    assert severity("gradient-sign-flipped", likelihood(run_away, -500.0)) == "sick"
    assert severity("gradient-sign-flipped", likelihood([-loss for loss in run_away[::-1]], -500.0)) == ""
    assert severity("gradient-sign-flipped", likelihood(noisy(lambda _: -0.01, 100), -1.2)) == "", "a policy's gradient"
    assert severity("gradient-sign-flipped", likelihood(run_away, -2000.0)) == "", "other classes are less likely still"


# What evaluations tell


def strange(score: float, validation: list[float], name: str = "balanced-accuracy") -> Trace:
    trace = training(FLAT, rows=[at_the_end(name, score)], facts={"rows": "1400"})
    return with_rows(trace, *evaluated("accuracy" if "acc" in name else "r2", validation))


def test_memorising_that_has_begun_while_validation_stays_at_chance() -> None:
    at_chance = [0.08, 0.09, 0.11, 0.1]
    assert severity("labels-unrelated", strange(0.21, at_chance)) == "warning"
    assert severity("labels-unrelated", strange(0.7, at_chance)) == "sick"
    assert severity("labels-unrelated", strange(0.12, at_chance)) == "", "nothing is learned at all"
    assert severity("labels-unrelated", strange(0.3, [*at_chance, 0.2])) == "", "it is learned slowly"
    assert severity("labels-unrelated", strange(0.21, at_chance[:2])) == ""
    assert severity("labels-unrelated", strange(0.1, [-0.03, -0.02, -0.06], "r2")) == "warning"
    assert severity("labels-unrelated", strange(0.1, [-0.03, 0.05, 0.04], "r2")) == ""


@pytest.mark.parametrize(("balanced", "expected"), [(0.37, "warning"), (0.9, "note")])
def test_rare_classes_that_are_not_learned(balanced: float, expected: str) -> None:
    losses = noisy(lambda x: 0.3 + 0.4 * math.exp(-6 * x), 300)
    targets = {"label-entropy": 0.745, "label-top-share": 0.85, "classes-seen": 10, "rows-seen": 3000}
    rows = [Row(299, "train", TARGETS, name, value) for name, value in targets.items()]
    trace = training(losses, rows=[*rows, at_the_end("balanced-accuracy", balanced)])
    assert severity("labels-imbalanced", trace) == expected


@pytest.mark.parametrize(
    ("accuracy", "largest", "expected"), [(0.41, 9, "warning"), (None, 9, ""), (0.41, 80, ""), (0.9, 4, "")]
)
def test_whole_numbers_that_are_to_be_hit_exactly_are_classes(
    accuracy: float | None, largest: float, expected: str
) -> None:
    numbers = {"integer-share": 1.0, "value-min": 0.0, "value-max": largest}
    rows = [Row(0, "train", TARGETS, name, value) for name, value in numbers.items()]
    rows += [Row(0, "train", OUTPUTS, "width", 1)]
    trace = training(FLAT, loss="mse", rows=rows, facts={"output-shape": "32x1", "target-shape": "32x1"})
    if accuracy is not None:
        trace = with_rows(trace, *evaluated("accuracy", [accuracy]))
    assert severity("wrong-loss", trace) == expected


def test_what_answers_well_has_learned_whatever_its_losses_floor() -> None:
    grey = training(noisy(lambda x: 0.25 + 0.2 * math.exp(-6 * x), 300), loss="bce")
    dead = [Row(step, "train", "relu", "never-active-share", 0.4) for step in (100, 200, 299)]
    dead += [Row(step, "train", "relu", "window-rows", 1000) for step in (100, 200, 299)]
    layers = tuple(layer._replace(units=50) for layer in grey.layers)
    assert severity("units-dead", with_rows(grey, *dead, layers=layers)) == "warning"
    learned = with_rows(grey, *dead, at_the_end("balanced-accuracy", 0.85), layers=layers)
    assert severity("units-dead", learned) == "note"


# Steps and rates


def cut(before: list[float], loss_after: float) -> Trace:
    """Sixty epochs of ten steps; the rate is cut tenfold at each epoch from the fourth to the tenth."""
    validation = [*before, *[loss_after] * (60 - len(before))]
    rates = [0.05 * 0.1 ** min(7, max(0, step // 10 - 3)) for step in range(600)]
    facts = {"epochs": "60", "steps-per-epoch": "10"}
    return training(noisy(lambda x: 0.002 + 0.2 * math.exp(-60 * x), 600), lr=rates, loss="mse",
                    rows=epochs([], validation, steps=10), facts=facts)  # fmt: skip


def test_a_rate_cut_to_nothing_while_the_loss_fell() -> None:
    assert severity("scheduler-misused", cut([0.0066, 0.0047, 0.0037], 0.0033)) == "warning"
    assert severity("scheduler-misused", cut([0.0034, 0.0033, 0.0033], 0.0033)) == "", "it had come to rest"


@pytest.mark.parametrize(("end", "expected"), [(2.2, "warning"), (0.4, "")])
def test_twenty_steps_of_all_rows(end: float, expected: str) -> None:
    losses = [end + (2.3 - end) * 0.7**step for step in range(20)]
    facts = {"steps-per-epoch": "1", "epochs": "20", "batch-size": "3200", "rows": "3200"}
    assert severity("batch-too-large", training(losses, facts=facts)) == expected


def test_two_epochs_and_a_loss_that_has_not_begun_to_bend() -> None:
    straight, bent = noisy(lambda x: 2.3 - 0.9 * x, 60), noisy(lambda x: 1.3 + 1.0 * math.exp(-6 * x), 60)
    assert severity("stopped-too-early", training(straight, facts={"epochs": "2"})) == "warning"
    assert severity("stopped-too-early", training(bent, facts={"epochs": "2"})) == ""
    assert severity("stopped-too-early", training(straight)) == "", "nobody knows whether it has ended"


@pytest.mark.parametrize(("width", "share", "expected"), [(2, 0.45, "warning"), (8, 0.45, ""), (2, 0.05, "")])
def test_fewer_numbers_than_it_takes_to_name_the_classes(width: int, share: float, expected: str) -> None:
    layers = (
        TraceLayer("fc1", "linear", depth=1, units=width, fan_in=64),
        TraceLayer("tanh", "activation", "tanh", 1, width),
        TraceLayer("fc2", "linear", depth=2, units=10, fan_in=width),
    )  # fmt: skip
    losses = noisy(lambda x: 2.3 * (share + (1 - share) * math.exp(-30 * x)), 400)
    trace = training(losses, rows=[Row(0, "train", OUTPUTS, "width", 10)])
    assert severity("capacity-too-low", dataclasses.replace(trace, layers=layers)) == expected


@pytest.mark.parametrize(("known", "expected"), [(True, "warning"), (False, "note")])
def test_targets_that_drift_are_not_rows_in_order(known: bool, expected: str) -> None:
    rows = [Row(step, "train", part, "batch-rows", 32) for step in range(100) for part in (TARGETS, INPUTS)]
    rows.append(Row(99, "train", TARGETS, "target-dispersion", 11.0))
    facts = {"loss": "smooth-l1", **({"rows": "3000"} if known else {})}
    (finding,) = DISEASES["batches-not-shuffled"].find(Trace(tuple(rows), facts=facts))
    assert finding.severity == expected


@pytest.mark.parametrize(
    ("ratio", "gap", "expected"), [(1.0, 0.05, ""), (0.55, 0.3, "warning"), (0.2, 0.3, "sick"), (1.0, 2.0, "sick")]
)
def test_running_statistics_far_from_the_batches(ratio: float, gap: float, expected: str) -> None:
    rows = [
        row for step in range(90, 120) for row in (
            Row(step, "train", "norm", "running-std-ratio", ratio), Row(step, "train", "norm", "running-mean-gap", gap),
        )
    ]  # fmt: skip
    trace = Trace((*rows, Row(0, "train", INPUTS, "batch-rows", 64)), layers=NORM)
    found = DISEASES["batch-norm-statistics-stale"].find(trace)
    assert [finding.severity for finding in found] == ([expected] if expected else [])


def test_sick_when_all_that_could_be_learned_is_left_out() -> None:
    events = tuple(Event(5, "parameter-not-optimised", "", f"fc2.{name}") for name in ("weight", "bias"))
    trace = training(FLAT, ratios=None, events=events)
    assert severity("parameters-not-optimised", trace) == "sick"
    assert (
        severity("parameters-not-optimised", with_rows(trace, *series("update-norm", [0.1], layer="fc1"))) == "warning"
    )
