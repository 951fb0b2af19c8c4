"""Stored records: one way to JSON and back, NaN and infinities as words, and schemas that hold."""

import json
import math

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from babysit.record import (
    CurvePoint,
    Diagnosis,
    Effect,
    Evaluation,
    Finding,
    Healing,
    InitialisationComparison,
    PreFlight,
    PreFlightStep,
    Recipe,
    Remedy,
    SchemeLayer,
    SchemeResult,
    Score,
    StudyResult,
    Trial,
    Tried,
    Winner,
    from_json,
    json_schema,
    to_json,
)

NAN, INF = math.nan, math.inf
LR = Remedy("lr", "0.01")
FOUND = Finding("diverged", "sick", "step 3", {"loss": INF, "layers": ("a", "b"), "mean": NAN}, "why", (LR,))
STEP = PreFlightStep("init", "fail", findings=(FOUND,), numbers={"std": -INF}, seconds=1.23456)
WINNER = Winner(
    1, {"lr": 0.1, "name": "sgd", "nesterov": True, "depth": 2}, (0.5,), 0.5, NAN, (0.0, -INF, INF), True, (3,)
)
RECORDS: dict[str, tuple[object, list[str]]] = {
    "finding": (
        FOUND,
        [
            *("name", "severity", "where", "evidence", "why", "remedies", "explained_by", "page", "schema"),
            *("file", "line", "fix", "did"),
        ],
    ),
    "diagnosis": (Diagnosis((FOUND,)), ["schema", "findings", "verdict", "reasons", "not_judged"]),
    "step": (STEP, ["name", "verdict", "measured", "expected", "why", "findings", "numbers", "seconds"]),
    "check": (
        PreFlight("net", (STEP,), (FOUND,), 2.0),
        ["schema", "subject", "ok", "interrupted", "seconds", "notes", "findings", "steps", "verdict", "reasons"],
    ),
    "tried": (
        Tried((LR,), -INF, {"loss": NAN}, "diverged"),
        ["remedies", "gain", "outcome", "because", "refused", "share of the steps"],
    ),
    "effect": (Effect(({"loss": INF},), ({"loss": 0.1},), 0.98765), ["seeds", "gain", "before", "after"]),
    "heal": (
        Healing("t.py", (FOUND,), (LR,), Effect(({},), ({},), NAN), (Tried((LR,), 0.5),), diff="- a"),
        "schema subject findings remedies effect advice tried seconds runs steps notes patched interrupted diff left"
        " mended unjudged seconds_wanted".split(),
    ),
    "comparison": (
        InitialisationComparison(
            "net", (SchemeResult("he", (SchemeLayer("fc", NAN, 0, 1, None, (0, 1), (5,)),), 2.3, (INF,)),), "he", "", 9
        ),
        ["schema", "subject", "results", "take", "why", "steps"],
    ),
    "trial": (Trial(3, Recipe(seed=7), {"optimizer.lr": 0.1}, fold=1), ["number", "recipe", "settings", "fold"]),
    "study": (
        StudyResult("accuracy", (WINNER,), (CurvePoint(1, 0.5, 0.4, NAN),), {"lr": 0.5}, findings=(FOUND,)),
        "score_name winners best_of importance interactions explained failing by_status random_against_grid ensemble"
        " findings interrupted seconds trials steps decisions".split(),
    ),
    "evaluation": (
        Evaluation(phase="test", rows=9, scores=(Score(name="R2", value=-INF, low=NAN),)),
        "schema_number phase rows scores classes confusion by_class calibration residuals notes".split(),
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_json_has_these_keys_is_strict_and_keeps_its_schema(name: str) -> None:
    record, keys = RECORDS[name]
    content = to_json(record)
    assert sorted(content) == sorted(keys)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    schema = json_schema(type(record))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(content)
    assert sorted(schema["properties"]) == sorted(keys)


@pytest.mark.parametrize("name", ["finding", "diagnosis", "tried", "trial", "study", "evaluation"])
def test_what_was_written_is_read(name: str) -> None:
    record, _ = RECORDS[name]
    again = from_json(type(record), to_json(record))
    assert to_json(again) == to_json(record)
    if name == "trial":
        assert again == record


def test_values() -> None:
    finding = to_json(FOUND)
    assert finding["evidence"] == {"loss": "Infinity", "layers": ["a", "b"], "mean": "NaN"}
    assert finding["remedies"] == ["lr=0.01"]
    assert to_json(STEP)["findings"] == ["diverged"]
    assert to_json(STEP)["seconds"] == 1.235
    assert to_json(Tried((LR,), 0.123456, share=1 / 3))["share of the steps"] == 0.333
    assert to_json(Effect((), (), 0.123456))["gain"] == 0.1235
    study = from_json(StudyResult, to_json(RECORDS["study"][0]))
    assert math.isnan(study.winners[0].spread)
    assert study.winners[0].behind == (0.0, -INF, INF)
    assert study.winners[0].settings == WINNER.settings
    assert isinstance(study.best_of[0], CurvePoint)


def test_a_healing_without_effect_has_an_empty_one() -> None:
    healing = Healing("t.py", (), (), None, ())
    assert to_json(healing)["effect"] == {}
    jsonschema.validate(to_json(healing), json_schema(Healing))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**to_json(healing), "effect": {"gain": 1}}, json_schema(Healing))


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.text() | st.lists(st.floats())))
def test_any_evidence_becomes_strict_json(evidence: dict[str, object]) -> None:
    json.dumps(to_json(Finding("x", "note", evidence=evidence)), allow_nan=False)


def test_a_record_is_checked_when_it_is_made_and_when_it_is_read() -> None:
    with pytest.raises(ValidationError):
        Finding("x", "grave")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown"):
        from_json(Finding, {"name": "x", "severity": "sick", "unknown": 1})
