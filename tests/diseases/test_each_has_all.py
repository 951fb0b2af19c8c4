"""No disease without its patient, its healthy twin and its page: a new one fails here until it has all three."""

from __future__ import annotations

import pathlib
import re

import pytest
from docs.write_diseases import page

from babysit.diseases import DISEASES, Disease
from babysit.record import OUTPUTS, Event, Row, Trace
from tests.diseases import sick_data, sick_set_up, test_dynamics_missing, test_wiring_findings
from tests.diseases.test_dependence_diseases import PROVEN, unscored
from tests.diseases.test_search_diseases import curve, failing, hill, searched
from tests.diseases.traces_dynamics import SHAPES, noisy, training


def pushed(zero_rows: float) -> Trace:
    """What a loss does to the outputs: the share of rows whose outputs get a gradient of zero, in each of 60 steps."""
    return Trace(tuple(Row(step, "train", OUTPUTS, "gradient-zero-row-share", zero_rows) for step in range(60)))


LEARNS = training(noisy(SHAPES["exponential"], 300), ratios=1e-3)
OTHER_EVENTS = {name: Trace(events=tuple(Event(0, other, "a.py:1: seen") for other in PROVEN if other != name))
                for name in PROVEN}  # fmt: skip
# By disease: a trace that shows it.
PATIENTS: dict[str, Trace] = {
    **sick_data.SICK,
    **sick_set_up.SICK,
    **test_wiring_findings.SICK,
    **test_dynamics_missing.SICK,
    **{name: Trace(events=(Event(7, name, "train.py:12: it was seen"),)) for name in PROVEN},
    "padding-counts": Trace(events=(Event(7, "padding-averaged", "train.py:12: it was seen"),)),
    "loss-ignores-outputs": pushed(zero_rows=1.0),
    "evaluation-inputs-differ": unscored(shift=0.91, ratio=0.24),
    "best-at-edge": searched([0.95, 0.96, 0.98, 0.99, 1.0, *hill(1.2, 20)[0]],
                             [2.95, 2.96, 2.98, 2.99, 3.0, *hill(1.2, 20)[1]]),
    "most-trials-fail": failing(30, 60),
    "search-too-small": curve([0.5, 0.6, 0.7, 0.8, 0.85]),
}  # fmt: skip
# By disease: the same without the fault.
TWINS: dict[str, Trace] = {
    **sick_data.HEALTHY,
    **sick_set_up.TWINS,
    **dict.fromkeys(test_wiring_findings.SICK, test_wiring_findings.healthy(20)),
    **dict.fromkeys(test_dynamics_missing.SICK, LEARNS),
    **OTHER_EVENTS,
    "padding-counts": OTHER_EVENTS[PROVEN[0]],
    "loss-ignores-outputs": pushed(zero_rows=0.1),
    "evaluation-inputs-differ": unscored(),
    "best-at-edge": searched(*hill(0.5)),
    "most-trials-fail": failing(20, 60),
    "search-too-small": curve([0.5, 0.7, 0.8, 0.84, 0.845]),
}
PROGRAMS = [path.read_text(encoding="utf-8") for folder in ("scripts", "rehearsal", "remedies", "probes", "fire", "api")
            for path in (pathlib.Path(__file__).parents[1] / folder).rglob("*.py")]  # fmt: skip


@pytest.mark.parametrize("disease", DISEASES.values(), ids=lambda disease: disease.name)
def test_it_has_a_patient_a_twin_and_a_page(disease: Disease) -> None:
    name = disease.name
    assert name in PATIENTS, f"{name} has no trace that shows it: write one in tests/diseases"
    assert name in TWINS, f"{name} has no healthy twin: write one in tests/diseases"
    assert {finding.name for finding in disease.find(PATIENTS[name])} == {name}
    assert TWINS[name].rows or TWINS[name].events, "an empty trace is no twin"
    assert disease.find(TWINS[name]) == []
    assert f"\n## {name}\n" in page(DISEASES.values())


@pytest.mark.parametrize("name", PROVEN)
def test_what_is_proven_is_proven_on_a_program(name: str) -> None:
    """Its trace is one event, which says nothing of how the event came about."""
    quoted = re.compile(rf"[\"'\s]{re.escape(name)}[\"'\s]")
    assert any(quoted.search(text) for text in PROGRAMS), f"no test runs a program that has {name}"
