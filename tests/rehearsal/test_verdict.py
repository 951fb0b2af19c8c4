"""The one rule of verdicts: findings first, then number against expectation; and what a whole check says."""

import math

import pytest

from babysit.diseases import DISEASES, evidence_of_learning
from babysit.record import DOES_NOT_APPLY, TARGETS, CheckVerdict, Event, Finding, PreFlightStep, Row, StepVerdict, Trace
from babysit.rehearsal import _check_data as data
from babysit.rehearsal import _check_init as init
from babysit.rehearsal import _check_initial_loss as initial_loss
from babysit.rehearsal import _check_rate_range as rate_range
from babysit.rehearsal._rate_range import RateRange
from babysit.rehearsal._verdict import verdict_of, verdict_of_check

SICK, WARNING, NOTE = (Finding("diverged", severity) for severity in ("sick", "warning", "note"))
LEARNED = Trace((*(Row(step, "train", "", "loss", 2.3 * 0.9**step) for step in range(60)),
                 Row(0, "train", TARGETS, "label-entropy", 2.3)), facts={"loss": "cross-entropy"})  # fmt: skip
STUCK = Trace((*(Row(step, "train", "", "loss", 2.301) for step in range(60)),
               Row(0, "train", TARGETS, "label-entropy", 2.3)), facts={"loss": "cross-entropy"})  # fmt: skip
BY_HAND = Trace(tuple(Row(step, "train", "", "loss", 2.3 * 0.9**step) for step in range(60)), facts={"loss": "other"})
FAILED = Trace(LEARNED.rows, events=(Event(3, "failed", "ValueError: no such file"),), facts=LEARNED.facts)
UNSEEN = Trace(LEARNED.rows, events=(Event(3, "unseen", "Critic is trained, too, and not measured"),),
               facts=LEARNED.facts)  # fmt: skip


@pytest.mark.parametrize(
    ("findings", "meets", "verdict"),
    [
        ([SICK, NOTE], True, "fail"),
        ([WARNING], None, "warn"),
        ([NOTE], True, "pass"),
        ([], True, "pass"),
        ([], False, "warn"),
        ([], None, "not judged"),
    ],
)
def test_findings_decide_first_then_number_and_expectation(
    findings: list[Finding], meets: bool | None, verdict: StepVerdict
) -> None:
    assert verdict_of(findings, meets) == verdict
    assert meets is not False or verdict_of(findings, meets, "not judged") == "not judged"


def rates(best: float | None) -> RateRange:
    low, high = (None, None) if best is None else (0.0095, 0.095)
    return RateRange(best, low, high, None, 1.0, "" if best is not None else "every rate diverged", (), (), 2.3, 100)


LAYERS = [{"layer": "a", "std": 1.0, "gradient std": 0.1}]


@pytest.mark.parametrize(
    ("meets", "wanted"),
    [
        (data._meets({"mean": 0.0, "std": 1.0}), True),
        (data._meets({"mean": 0.0, "std": 500.0}), False),
        (data._meets({"mean": math.nan, "std": 1.0}), False),
        (data._meets({"std": 1.0, "validation rows among the training rows": 0.4}), False),
        (init._meets(LAYERS), True),
        (init._meets([*LAYERS, {"layer": "b", "std": 1e-6, "gradient std": 0.1}]), False),
        (init._meets([{"layer": "a", "std": math.nan, "gradient std": math.nan}]), None),
        (initial_loss._meets(2.31, 2.303, 2.3), True),
        (initial_loss._meets(0.01, 2.303, 2.3), True),
        (initial_loss._meets(9.0, 2.303, 2.3), False),
        (initial_loss._meets(math.nan, 2.303, 2.3), None),
        (initial_loss._meets(2.31, None, None), None),
        (rate_range._meets(rates(0.03), 0.03), True),
        (rate_range._meets(rates(0.03), 0.003), False),
        (rate_range._meets(rates(0.03), math.nan), None),
        (rate_range._meets(rates(None), 0.03), None),
    ],
)
def test_each_number_meets_what_was_expected_or_not(meets: bool | None, wanted: bool | None) -> None:
    assert meets is wanted


def step(name: str, verdict: StepVerdict, measured: str = "20 rows: loss 1.02 after 225 steps", why: str = "",
         **numbers: float) -> PreFlightStep:  # fmt: skip
    return PreFlightStep(name, verdict, measured, why=why, numbers=numbers)


TINY = step("overfit-tiny", "pass", accuracy=1.0)
SHORT = step("short-training", "pass")


@pytest.mark.parametrize(
    ("trace", "steps", "findings", "verdict", "words"),
    [
        (LEARNED, [TINY, SHORT], [], "sound", "it learns"),
        (LEARNED, [TINY, SHORT], [SICK], "sick", "diverged"),
        (STUCK, [TINY, SHORT], [], "not judged", "not seen to learn"),
        (BY_HAND, [step("overfit-tiny", "pass"), SHORT], [], "not judged", "weak evidence"),
        (BY_HAND, [TINY, SHORT], [], "sound", "weak evidence"),
        (FAILED, [TINY, SHORT], [], "not judged", "no such file"),
        (UNSEEN, [TINY, SHORT], [], "not judged", "Critic"),
        (Trace(), [SHORT], [], "not judged", "no training was seen"),
        (LEARNED, [step("overfit-tiny", "not judged"), SHORT], [], "not judged", "225 steps"),
        (LEARNED, [step("overfit-tiny", "skip", "", "no time"), SHORT], [], "not judged", "no time"),
        (LEARNED, [step("overfit-tiny", "skip", "", f"{DOES_NOT_APPLY}a game"), SHORT], [], "sound", "it learns"),
        (STUCK, [step("data", "pass")], [], "sound", "data"),
        (LEARNED, [step("rate-range", "not judged", "no answer")], [], "not judged", "no answer"),
        (LEARNED, [], [], "not judged", "no step"),
    ],
)
def test_sound_needs_evidence_and_sick_a_finding(
    trace: Trace, steps: list[PreFlightStep], findings: list[Finding], verdict: CheckVerdict, words: str
) -> None:
    said, reasons = verdict_of_check(trace, steps, findings)
    assert said == verdict
    assert any(words in reason for reason in reasons), reasons


def test_interrupted_it_is_not_judged() -> None:
    assert verdict_of_check(LEARNED, [TINY, SHORT], [], interrupted=True)[0] == "not judged"


def test_a_loss_that_is_no_number_is_no_evidence() -> None:
    rows = (*LEARNED.rows, Row(60, "train", "", "loss", math.nan))
    assert evidence_of_learning(Trace(rows, facts=LEARNED.facts)).strength == "none"


def test_a_training_that_loses_to_a_constant_answer_is_not_learning() -> None:
    rows = [Row(at, "train", "", "loss", 3.0 + at % 7) for at in range(84)]
    rows += [Row(83, "train", "", "balanced-accuracy", 0.1), Row(0, "train", TARGETS, "classes-seen", 10.0)]
    rows += [Row(0, "train", TARGETS, "label-entropy", 2.3)]
    trace = Trace(tuple(rows), facts={"loss": "cross-entropy"})
    assert [one.severity for one in DISEASES["not-learning"].find(trace)] == ["sick"]
    few = Trace(tuple(row for row in rows if row.quantity != "loss" or row.step < 20), facts=trace.facts)
    assert not DISEASES["not-learning"].find(few)
    by_hand = Trace(tuple(rows), facts={"loss": "other"})
    assert not DISEASES["not-learning"].find(by_hand)


def test_validation_alone_may_learn_nothing() -> None:
    rows = [
        *LEARNED.rows,
        Row(59, "train", "", "balanced-accuracy", 0.98),
        Row(0, "train", TARGETS, "classes-seen", 10),
    ]
    rows += [Row(60 + at, "train", "", "loss", 0.01) for at in range(40)]
    rows += [Row(at, "validation", "", "balanced-accuracy", 0.1) for at in (30, 60, 90)]
    found = DISEASES["not-learning"].find(Trace(tuple(rows), facts=LEARNED.facts))
    assert [(one.where, one.severity) for one in found] == [("validation", "sick")]
