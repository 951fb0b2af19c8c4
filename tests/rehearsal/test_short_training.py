"""What the short training tells of a script: all of it where it was watched to its end."""

from __future__ import annotations

import dataclasses

import pytest

from babysit.record import DOES_NOT_APPLY, BabysitError, InputError, StorageError, Trace
from babysit.rehearsal import Examination, pre_flight
from babysit.rehearsal._check_short_training import check_short_training
from tests.diseases.sick_set_up import shrinking
from tests.diseases.traces_dynamics import validated
from tests.rehearsal.known import Known


class Watched(Known):
    """A script of which this was seen."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(lambda names, seed: 0.5)
        self._trace = trace

    def rehearse(self, *given: object, **named: object) -> Trace:
        return self._trace


def told(trace: Trace) -> list[str]:
    step = check_short_training(Examination(Watched(trace), seconds=60))
    names = [finding.name for finding in step.findings]
    assert len(names) == len(set(names))
    return names


STEEP = [2.3 - 0.15 * epoch for epoch in range(10)]


@pytest.mark.parametrize("whole", [True, False])
def test_how_it_ends_is_told_where_the_end_was_seen(whole: bool) -> None:
    trace = validated(STEEP, STEEP)
    if not whole:
        trace = dataclasses.replace(trace, facts={key: value for key, value in trace.facts.items() if key != "epochs"})
    assert ("stopped-too-early" in told(trace)) == whole


def test_weight_decay_is_told_here_as_no_other_step_reaches_the_weights() -> None:
    assert "weight-decay-too-strong" in told(shrinking(0.01))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (InputError(f"{DOES_NOT_APPLY}the rows are nodes of a graph"), DOES_NOT_APPLY),
        (StorageError("the disk is full"), "this step failed: the disk is full"),
    ],
)
def test_one_step_that_fails_or_does_not_apply_says_so_and_ends_nothing(answer: BabysitError, why: str) -> None:
    subject = Known(lambda names, seed: answer if "tiny-batch" in names else 0.5)
    done = {step.name: step for step in pre_flight(subject, seconds=20).steps}
    assert done["overfit-tiny"].verdict == "skip"
    assert done["overfit-tiny"].why.startswith(why)
    assert done["rate-range"].verdict != "skip"


def test_a_loss_without_targets_has_no_tiny_batch_and_a_training_that_fits_all_rows_needs_none() -> None:
    def few(names: dict[str, str], seed: int) -> float:
        return 0.5 if "tiny-batch" in names else 1.0

    class WithoutScores(Known):
        def rehearse(self, *arguments: object, **options: object) -> Trace:
            trace = super().rehearse(*arguments, **options)  # type: ignore[arg-type]
            return dataclasses.replace(trace, rows=tuple(row for row in trace.rows if "accuracy" not in row.quantity))

    policy = pre_flight(WithoutScores(few, {"loss": "other"}), only=["overfit-tiny"], seconds=20).steps[0]
    assert policy.why.startswith(DOES_NOT_APPLY)
    fitted = pre_flight(Known(few), only=["overfit-tiny"], seconds=20).steps[0]
    assert fitted.verdict == "pass"
    assert "balanced-accuracy 1" in fitted.measured


def test_a_step_that_a_script_cannot_be_rehearsed_for_is_left_out_and_the_others_are_done() -> None:
    subject = Known(lambda names, seed: InputError("there is no optimizer") if "tiny-batch" in names else 0.5)
    done = {step.name: step for step in pre_flight(subject, seconds=20).steps}
    assert done["overfit-tiny"].verdict == "skip"
    assert "there is no optimizer" in done["overfit-tiny"].why
    assert done["short-training"].verdict != "skip"
