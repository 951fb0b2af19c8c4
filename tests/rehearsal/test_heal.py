"""Healing on subjects whose answers are known beforehand, so that what is recommended can be derived by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.record import (
    BabysitError,
    Finding,
    InputError,
    ProgressEvent,
    RehearsalError,
    RemediesTried,
    Remedy,
    Row,
    Trace,
    silent,
)
from babysit.rehearsal import Combination, RehearsalOutcome, asked_by, gain, heal, outcome_of
from babysit.rehearsal._combinations import NOTHING
from babysit.rehearsal._heal_rounds import HealRounds, HealStanding, _treated_unseen
from babysit.rehearsal._heal_session import HealSession
from tests.rehearsal.known import STEPS, Known

CALLS = [
    Finding("clipped", "sick", remedies=(Remedy("lr"), Remedy("standardise-inputs"))),
    Finding("slow", "warning", remedies=(Remedy("insert-batch-norm"),)),
]


def test_one_remedy_is_found_with_its_effect_on_three_seeds() -> None:
    subject = Known(lambda names, seed: 0.9 if "standardise-inputs" in names else 0.3 + 0.01 * seed)
    found = heal(subject, findings=CALLS)
    assert [str(one) for one in found.remedies] == ["standardise-inputs"]
    assert found.effect is not None
    assert [one["training balanced-accuracy"] for one in found.effect.before] == [0.3, 0.31, 0.32]
    assert [one["training balanced-accuracy"] for one in found.effect.after] == [0.9, 0.9, 0.9]
    assert found.effect.gain == pytest.approx((0.9 - 0.31) / (1 - 0.31))
    assert found.runs == len(subject.asked)


def test_two_that_only_work_together_are_found_and_nothing_is_added() -> None:
    def accuracy(names: dict[str, str], seed: int) -> float:
        both = {"lr", "insert-batch-norm"} <= names.keys()
        return 0.95 if both else 0.25 if "lr" in names else 0.2

    found = heal(Known(accuracy), findings=CALLS)
    assert {one.name for one in found.remedies} == {"lr", "insert-batch-norm"}


def test_what_is_not_needed_is_left_out() -> None:
    """What three findings ask for together works at once; the third has no part in it."""

    def accuracy(names: dict[str, str], seed: int) -> float:
        return 0.95 if {"lr", "insert-batch-norm"} <= names.keys() else 0.2

    third = Finding("long", "warning", remedies=(Remedy("clip-norm", "1"),))
    found = heal(Known(accuracy), findings=[*CALLS, third])
    assert {one.name for one in found.remedies} == {"lr", "insert-batch-norm"}


NOT_CLEARED = Finding("gradients-not-cleared", "sick", remedies=(Remedy("clear-gradients"),))


def test_what_mends_a_fault_of_the_wiring_is_kept_though_another_rate_makes_up_for_it() -> None:
    def accuracy(names: dict[str, str], seed: int) -> float:
        return 0.9 if names.get("lr") == "0.01" else 0.5 if "clear-gradients" in names else 0.3

    found = heal(Known(accuracy), findings=[NOT_CLEARED])
    assert [str(one) for one in found.remedies] == ["clear-gradients", "lr=0.01"]


def test_what_mends_a_fault_of_the_wiring_is_tried_in_full_whatever_the_lower_rungs_say() -> None:
    others = ["standardise-inputs", "centre-inputs", "insert-batch-norm", "initialise", "clip-norm=1", "dropout=0.2"]
    calls = [NOT_CLEARED, Finding("slow", "warning", remedies=tuple(map(Remedy.parse, others)))]
    subject = Known(lambda names, seed: 0.1 if "clear-gradients" in names else 0.3 + 0.01 * len(names))
    heal(subject, findings=calls, most_steps=12 * STEPS)
    assert any(steps == STEPS and "clear-gradients" in names for names, steps, _ in subject.asked)


def test_what_a_remedy_mends_unseen_by_the_probes_is_not_told_as_still_wrong() -> None:
    """What is left over of a gradient is measured before the remedy clears it."""
    assert "gradients-not-cleared" in _treated_unseen(Combination((Remedy("clear-gradients"),)))
    assert "gradients-not-cleared" not in _treated_unseen(Combination((Remedy("lr", "0.1"),)))


def test_luck_on_one_seed_is_not_recommended() -> None:
    subject = Known(lambda names, seed: 0.9 if "standardise-inputs" in names and seed == 0 else 0.3)
    assert heal(subject, findings=CALLS).remedies == ()


def test_a_remedy_that_a_finding_asks_for_wins_against_an_equal_one() -> None:
    subject = Known(lambda names, seed: 0.8 if names.keys() & {"insert-batch-norm", "initialise"} else 0.3)
    assert [one.name for one in heal(subject, findings=CALLS).remedies] == ["insert-batch-norm"]


def test_a_healthy_training_is_left_alone() -> None:
    subject = Known(lambda names, seed: 0.97 - 0.02 * len(names))
    found = heal(subject, findings=[])
    assert found.remedies == ()
    assert found.effect is None


def test_a_solved_training_costs_no_search() -> None:
    subject = Known(lambda names, seed: 1.0)
    heal(subject, findings=[])
    assert [names for names, _, _ in subject.asked] == [{}, {}]  # watched, and beside it its first steps


def test_refused_and_failing_changes_cost_nothing_but_their_run() -> None:
    def accuracy(names: dict[str, str], seed: int) -> float | BabysitError:
        if "lr" in names:
            return InputError("no rate here")
        if "optimizer" in names:
            return RehearsalError("it broke")
        return 0.9 if "standardise-inputs" in names else 0.3

    found = heal(Known(accuracy), findings=CALLS)
    assert [one.name for one in found.remedies] == ["standardise-inputs"]
    refused = {str(one.remedies[0]): one.refused for one in found.tried if one.refused}
    assert refused["lr=0.01"] == "no rate here"


def test_ctrl_c_keeps_what_is_known() -> None:
    def impatient(event: ProgressEvent, /) -> None:
        if isinstance(event, RemediesTried):
            raise KeyboardInterrupt

    found = heal(Known(lambda names, seed: 0.5), findings=CALLS, progress=impatient)
    assert found.interrupted
    assert len(found.tried) == 1
    assert found.findings == tuple(CALLS)


def test_with_little_time_most_changes_get_a_third_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HealSession, "affordable", lambda self, share: 6.0)
    remedies = tuple(Remedy("weight-decay", str(number)) for number in range(12))
    subject = Known(lambda names, seed: 0.9 if names.get("weight-decay") == "5" else 0.3)
    session = HealSession(subject, STEPS, 60.0, 0, silent)
    trace = session.watch()
    rounds = HealRounds(session, HealStanding(NOTHING, session.before, 0.0, trace, ()))
    trials = rounds._halving([Combination((one,)) for one in remedies], "all")
    short = [names["weight-decay"] for names, steps, _ in subject.asked if names and steps == STEPS // 3]
    full = [names["weight-decay"] for names, steps, _ in subject.asked if names and steps == STEPS]
    assert short == [str(number) for number in range(12)]
    assert len(full) == 4
    assert trials[0].combination.remedies == (Remedy("weight-decay", "5"),)


def test_without_time_nothing_is_tried() -> None:
    subject = Known(lambda names, seed: 0.3)
    found = heal(subject, findings=CALLS, seconds=1e-9)
    assert found.remedies == ()
    assert [names for names, _, _ in subject.asked] == [{}, {}]
    assert found.seconds_wanted > 0, "nothing was tried: the time that would do is told"


@pytest.mark.parametrize(("seconds", "steps", "seeds"), [(0, 10, 3), (10, 0, 3), (10, 10, 0), (math.nan, 10, 3)])
def test_a_healing_of_nothing_is_refused(seconds: float, steps: int, seeds: int) -> None:
    with pytest.raises(InputError, match="a healing of"):
        heal(Known(lambda names, seed: 0.5), seconds=seconds, steps=steps, seeds=seeds)


scores = st.floats(0, 1, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(before=scores, after=scores)
def test_gain_is_the_share_of_the_gap(before: float, after: float) -> None:
    first, second = RehearsalOutcome(9, 1.0, 2.0, ("r2", before)), RehearsalOutcome(9, 0.5, 2.0, ("r2", after))
    closed = gain(first, second)
    assert -1 <= closed <= 1
    if before < 0.995 and after >= before:
        assert closed == pytest.approx((after - before) / (1 - before))
    assert gain(first, first) == 0


@pytest.mark.parametrize(
    "broken", [RehearsalOutcome(3, math.inf, 2.0), RehearsalOutcome(0, math.inf, math.nan, failed="it broke")]
)
def test_what_breaks_is_no_gain_and_anything_is_better_than_it(broken: RehearsalOutcome) -> None:
    sound = RehearsalOutcome(9, 0.5, 2.0, ("r2", 0.6))
    assert gain(sound, broken) == -1
    assert gain(broken, sound) > 0


def test_evaluations_count_before_training_rows() -> None:
    by_heart = RehearsalOutcome(9, 0.0, 2.0, ("accuracy", 1.0), ("accuracy", 0.5))
    sound = RehearsalOutcome(9, 0.1, 2.0, ("accuracy", 0.9), ("accuracy", 0.9))
    assert gain(by_heart, sound) == pytest.approx(0.8)


def test_losses_of_different_kinds_are_not_compared() -> None:
    assert gain(RehearsalOutcome(9, 2.0, 2.0), RehearsalOutcome(9, 0.1, 2.0), comparable=False) == -1
    assert gain(RehearsalOutcome(9, 2.0, 2.0), RehearsalOutcome(9, 0.5, 2.0)) == 0.75


def test_outcomes_of_errors() -> None:
    failed = RehearsalError("at step 3")
    failed.trace = Trace((Row(0, "train", "", "loss", 2.0),))
    assert outcome_of(failed) == RehearsalOutcome(1, math.inf, 2.0, failed="at step 3")
    assert outcome_of(Trace((Row(0, "train", "", "loss", math.nan),))).loss == math.inf


def test_the_causes_together_come_first_then_each_then_further_values() -> None:
    trace = Trace((Row(0, "train", "", "lr", 0.1),))
    texts = [" ".join(map(str, one.remedies)) for one in asked_by(CALLS, trace)]
    assert texts == ["lr=0.01 insert-batch-norm", "lr=0.01", "insert-batch-norm", "lr=1", "standardise-inputs"]
