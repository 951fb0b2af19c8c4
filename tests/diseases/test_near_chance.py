"""Trainings that end near chance, and which number shows why: steps too short, a penalty, classes that are rare."""

from __future__ import annotations

import pytest

from babysit.diseases import DISEASES
from babysit.record import INPUTS, TARGETS, Row, Trace, TraceLayer

LINEAR = TraceLayer("fc", "linear", units=10, fan_in=10)
PLANNED = {"loss": "cross-entropy", "epochs": "5"}


def near_chance(ratio: float, steps: int = 220, last: float = 2.29, facts: dict[str, str] = PLANNED) -> Trace:
    """SGD whose steps have a size, and losses with the noise of batches."""
    losses = [Row(step, "train", "", "loss", last + 0.01 * (step % 3)) for step in range(steps)]
    sizes = [Row(step, "train", "fc", "update-ratio", ratio) for step in range(0, steps, 5)]
    start = (Row(0, "train", TARGETS, "label-entropy", 2.3026), Row(0, "train", "", "lr", 0.001))
    return Trace((*start, *losses, *sizes), layers=(LINEAR,), facts=facts)


@pytest.mark.parametrize(
    ("trace", "severity"),
    [
        (near_chance(9e-5), "sick"),
        (near_chance(3e-4), "sick"),
        (near_chance(1e-3), ""),  # two tenths of the weights' length: another reason
        (near_chance(9e-5, steps=50), ""),
        (near_chance(9e-5, facts={"loss": "cross-entropy"}), "warning"),  # its own end was not seen
        (near_chance(9e-5, last=1.5), ""),
        (near_chance(9e-5, facts={"loss": "other", "epochs": "5"}), ""),  # no level of it means anything
    ],
)
def test_steps_that_add_up_to_nothing(trace: Trace, severity: str) -> None:
    found = DISEASES["learning-rate-too-low"].find(trace)
    assert [one.severity for one in found] == ([severity] if severity else [])


def penalised(kept: float, penalty: float, last: float = 2.3) -> Trace:
    rows = [Row(step, "train", "", "loss", last * (1 + penalty * (step < 5))) for step in range(60)]
    rows += [Row(step, "train", "", "criterion", last) for step in range(60)]
    rows += [Row(0, "train", TARGETS, "label-entropy", 2.3026)]
    for name, left in (("first", kept), ("second", 0.9), ("third", 1.1)):
        rows += [Row(0, "train", name, "weight-norm", 3.0), Row(50, "train", name, "weight-norm", 3.0 * left)]
    layers = tuple(TraceLayer(name, "linear", units=10, fan_in=10) for name in ("first", "second", "third"))
    return Trace(tuple(rows), layers=layers, facts={"loss": "cross-entropy"})


@pytest.mark.parametrize(
    ("trace", "count"),
    [
        (penalised(0.002, 11.0), 1),
        (penalised(0.002, 0.2), 0),  # a penalty that does not outweigh the data
        (penalised(0.4, 11.0), 0),
        (penalised(0.002, 11.0, last=0.5), 0),  # sparse, and it learns
    ],
)
def test_a_penalty_on_one_layer(trace: Trace, count: int) -> None:
    found = DISEASES["weight-decay-too-strong"].find(trace)
    assert [(one.where, one.severity) for one in found] == [("first", "sick")] * count


def uneven(validation: float | None, balanced: float = 0.37) -> Trace:
    shares = {"label-top-share": 0.86, "label-entropy": 0.72, "classes-seen": 10.0, "rows-seen": 3000.0}
    rows = [Row(0, "train", TARGETS, name, value) for name, value in shares.items()]
    rows += [Row(step, "train", "", "loss", 0.3) for step in range(200)]
    rows += [Row(199, "train", "", "balanced-accuracy", balanced)]
    rows += [] if validation is None else [Row(199, "validation", "", "accuracy", validation)]
    return Trace(tuple(rows), facts={"loss": "cross-entropy"})


@pytest.mark.parametrize(
    ("trace", "severity"),
    [
        (uneven(None), "warning"),
        (uneven(0.9), "warning"),
        (uneven(0.55), "sick"),  # even rows, of which the rare classes are answered wrongly
        (uneven(0.9, balanced=0.9), "note"),
        (uneven(0.55, balanced=0.9), "warning"),
    ],
)
def test_rare_classes_that_evaluated_rows_have_more_of(trace: Trace, severity: str) -> None:
    (found,) = DISEASES["labels-imbalanced"].find(trace)
    assert found.severity == severity


def test_all_rows_in_each_step_are_no_small_batch() -> None:
    rows = [Row(step, "train", "fc", "gradient-noise-scale", 5000.0) for step in range(40)]
    rows += [Row(step, "train", INPUTS, "batch-rows", 4.0) for step in range(40)]
    rows += [Row(step, "train", "", "loss", 0.25) for step in range(200)]
    facts = {"loss": "mse"}
    assert len(DISEASES["batch-too-small"].find(Trace(tuple(rows), facts=facts))) == 1
    assert DISEASES["batch-too-small"].find(Trace(tuple(rows), facts={**facts, "each-step": "the same rows"})) == []
