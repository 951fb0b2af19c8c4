"""Cures tried in a check: what they prove, and what they leave alone."""

from __future__ import annotations

import pytest

from babysit.diseases import DISEASES
from babysit.record import Finding
from babysit.rehearsal import Examination
from babysit.rehearsal._tried_remedies import with_tried_remedies
from tests.rehearsal.known import Known


def found(name: str, severity: str = "sick", explained_by: str = "") -> Finding:
    made = DISEASES[name].finding("here", evidence={"threshold": 1}, severity=severity)  # type: ignore[arg-type]
    return Finding(**{**vars(made), "explained_by": explained_by})


def examined(subject: Known, *findings: Finding, ignore: tuple[str, ...] = ()) -> dict[str, Finding]:
    examination = Examination(subject, seconds=60, ignore=ignore)
    return {one.name: one for one in with_tried_remedies(examination, findings)}


def test_what_its_remedy_mends_comes_first() -> None:
    subject = Known(lambda names, seed: 0.95 if names.get("weight-decay") == "0" else 0.5)
    told = examined(subject, found("inputs-badly-scaled"), found("weight-decay-too-strong"))
    assert next(iter(told)) == "weight-decay-too-strong"
    assert "balanced-accuracy 0.5 -> " in told["weight-decay-too-strong"].evidence["tried"]
    assert str(told["weight-decay-too-strong"].remedies[0]) == "weight-decay=0"
    assert "tried" in told["inputs-badly-scaled"].evidence


def test_a_remedy_without_effect_is_told_and_changes_no_order() -> None:
    subject = Known(lambda names, seed: 0.5)
    told = examined(subject, found("inputs-badly-scaled"), found("weight-decay-too-strong"))
    assert list(told) == ["inputs-badly-scaled", "weight-decay-too-strong"]
    assert "tried" in told["inputs-badly-scaled"].evidence


@pytest.mark.parametrize(
    ("remedy", "value", "disease"),
    [
        ("lr", "1", "learning-rate-too-low"),
        ("lr", "0.01", "learning-rate-too-high"),
        ("epochs", "30", "stopped-too-early"),
        ("weight-decay", "0", "weight-decay-too-strong"),
    ],
)
def test_a_hidden_disease_is_proven_by_its_cure(remedy: str, value: str, disease: str) -> None:
    subject = Known(
        lambda names, seed: 0.9 if names.get(remedy) == value else 0.5, {"epochs": "10", "weight-decay": "0.1"}
    )
    told = examined(subject)
    assert list(told) == [disease]
    assert told[disease].severity == "warning"
    assert examined(subject, ignore=(disease,)) == {}


def test_a_note_becomes_a_warning_when_its_remedy_mends() -> None:
    subject = Known(lambda names, seed: 0.9 if "class-weights" in names else 0.5)
    told = examined(subject, found("labels-imbalanced", "note"))
    assert told["labels-imbalanced"].severity == "warning"


def test_a_sound_training_stays_without_findings() -> None:
    subject = Known(lambda names, seed: 0.9 + 0.02 * bool(names), {"epochs": "10", "weight-decay": "0.1"})
    assert examined(subject) == {}
    assert examined(subject, found("inputs-not-centred", "note"))["inputs-not-centred"].severity == "note"


def test_consequences_are_not_treated() -> None:
    subject = Known(lambda names, seed: 0.5)
    examined(subject, found("inputs-badly-scaled"), found("units-dead", explained_by="inputs-badly-scaled"))
    assert not any("initialise" in names for names, _, _ in subject.asked)


def test_of_two_that_mend_the_one_nearer_to_the_data_comes_first() -> None:
    """Fresh weights let a network learn that is wired wrongly, too; but not as well."""
    reached = {"train-mode": 0.97, "initialise": 0.9}
    told = examined(
        Known(lambda names, seed: max([reached[one] for one in names if one in reached], default=0.1)),
        found("activations-vanish"),
        found("evaluation-mode-in-training", "warning"),
    )
    assert list(told) == ["evaluation-mode-in-training", "activations-vanish"]
    reached |= {"train-mode": 0.85}
    told = examined(
        Known(lambda names, seed: max([reached[one] for one in names if one in reached], default=0.1)),
        found("activations-vanish"),
        found("evaluation-mode-in-training", "warning"),
    )
    assert list(told) == ["activations-vanish", "evaluation-mode-in-training"]
