"""Diseases of dependence: proven ones are told by an event; evaluated rows that differ by numbers."""

from __future__ import annotations

import pytest

from babysit.diseases import DISEASES, diagnose
from babysit.record import INPUTS, OUTPUTS, TARGETS, Event, Row, Trace

PROVEN = sorted(name for name, one in DISEASES.items() if one.group == "dependence" and one.reads == (f"event:{name}",))


@pytest.mark.parametrize("name", PROVEN)
def test_an_event_is_a_finding_with_its_line_and_what_was_seen(name: str) -> None:
    trace = Trace(events=(Event(7, name, "train.py:12: it was seen: twice"), Event(9, name, "train.py:12: again")))
    (found,) = DISEASES[name].find(trace)
    assert (found.name, found.severity, found.where) == (name, DISEASES[name].severity, "train.py:12")
    assert found.evidence == {"step": 7, "seen": "it was seen: twice", "threshold": "seen once"}


@pytest.mark.parametrize("name", PROVEN)
def test_without_its_event_there_is_none(name: str) -> None:
    others = tuple(Event(0, other, "train.py:1: seen") for other in PROVEN if other != name)
    assert DISEASES[name].find(Trace(events=others)) == []


def test_there_are_eighteen_of_them() -> None:
    assert len(PROVEN) == 18
    assert [name for name in PROVEN if DISEASES[name].severity != "sick"] == ["tied-weights-badly-scaled"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("padding-averaged", "padding-counts"), ("schedule-before-optimizer", "scheduler-misused")],
)
def test_milder_forms_are_warnings(kind: str, name: str) -> None:
    (found,) = DISEASES[name].find(Trace(events=(Event(7, kind, "train.py:12: it was seen"),)))
    assert (found.name, found.severity, found.where) == (name, "warning", "train.py:12")


def test_a_likelihood_that_cannot_be_explains_a_loss_that_does_not_fit() -> None:
    assert "loss-impossible" in DISEASES["wrong-loss"].explained_by


def evaluated(*, shift: float = 0.0, ratio: float = 1.0, trained: float = 0.95, validation: float = 0.2) -> Trace:
    return Trace(
        (
            Row(0, "train", TARGETS, "classes-seen", 10.0),
            Row(90, "train", "", "balanced-accuracy", trained),
            Row(90, "validation", "", "accuracy", validation),
            Row(99, "validation", INPUTS, "evaluation-shift", shift),
            Row(99, "validation", INPUTS, "evaluation-spread-ratio", ratio),
        )
    )


def unscored(*, shift: float = 0.0, ratio: float = 1.0) -> Trace:
    return Trace(
        (
            Row(99, "validation", INPUTS, "evaluation-shift", shift),
            Row(99, "validation", INPUTS, "evaluation-spread-ratio", ratio),
        )
    )


@pytest.mark.parametrize(
    ("trace", "sick"),
    [
        (evaluated(shift=0.91, ratio=0.24), True),
        (evaluated(shift=0.6), True),
        (evaluated(ratio=1.6), True),
        (evaluated(ratio=0.6), True),
        (evaluated(shift=0.24, ratio=0.77), False),  # a crop with a border
        (evaluated(shift=0.91, ratio=0.24, validation=0.9), False),  # it does not matter
        (evaluated(shift=0.91, ratio=0.24, trained=0.15), False),  # nothing was learned at all
        (Trace(), False),
        (unscored(shift=1.6), True),
        (unscored(ratio=0.3), True),
        (unscored(shift=0.9, ratio=0.5), False),  # an augmentation may do this, and nobody knows the answers
    ],
)
def test_evaluated_rows_of_another_scale(trace: Trace, sick: bool) -> None:
    found = diagnose(trace)
    assert ("evaluation-inputs-differ" in [one.name for one in found]) == sick


def test_inputs_that_lie_far_beyond_are_sick_without_a_score() -> None:
    (found,) = DISEASES["evaluation-inputs-differ"].find(unscored(shift=48.0, ratio=52.0))
    assert found.severity == "sick"
    (found,) = DISEASES["evaluation-inputs-differ"].find(unscored(shift=0.5, ratio=52.0))
    assert found.severity == "warning"


@pytest.mark.parametrize(("last", "severity"), [(2.3, "sick"), (0.5, "warning")])
def test_rows_that_are_mixed_are_sick_where_nothing_is_learned(last: float, severity: str) -> None:
    losses = [Row(step, "train", "", "loss", 2.3 if step < 50 else last) for step in range(200)]
    (found,) = DISEASES["rows-mixed"].find(Trace((*losses, Row(3, "train", OUTPUTS, "row-mixing", 0.3))))
    assert found.severity == severity
