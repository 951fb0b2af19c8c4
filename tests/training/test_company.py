"""Members of unlike shapes, on their way to unlike steps, at the same time: they share cores, and end as if alone."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from babysit.record import TrialProgress, never_stop, silent
from babysit.training import Cohort, Member, Starts
from babysit.training._batches import Examples
from babysit.training._layouts import ComputePlan, choose_plan
from babysit.training._side_by_side import FORKS, Helpers, Job, Measured
from tests.training.cohort_cases import data, trial
from tests.training.test_cohort_promises import assert_equal

pytestmark = [
    pytest.mark.skipif(not FORKS, reason="processes are forked on Linux alone"),
    pytest.mark.timeout(60),
]
# Two members of 30 steps, seven of 10, three of a larger network of 10, one of 12 in which threads share a call.
UNTIL = {0: 30, 1: 30} | dict.fromkeys(range(2, 12), 10) | {12: 12}


def of_kind(number: int) -> str:
    return "model.widths=[9]" if 9 <= number < 12 else "dropout=0.2" if number < 12 else "model.widths=[5]"


def begun(cohort: Cohort) -> list[Member]:
    return [
        cohort.begin(trial("table", number, f"lr=0.0{number + 1}", "epochs=9", of_kind(number))) for number in UNTIL
    ]


def plan_of(group: Sequence[Member]) -> ComputePlan:
    """A second a step of a member; of the last, by two threads a call."""
    return ComputePlan("stacked", 4, 2 if group[0].trial.number == 12 else 1, 1.0, "")


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.training._cohort.Cohort._plan", lambda self, group, *rest, **more: plan_of(group))


def two_cores() -> Cohort:
    cohort = Cohort(Starts(data("table")))
    cohort._threads = 2
    return cohort


def test_all_kinds_and_all_steps_are_handed_over_together(planned: None, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[list[Job]] = []
    train = Helpers.train

    def heard(self: Helpers, jobs: Sequence[Job], count: int, watch: Any) -> Measured:
        handed.append([*jobs])
        assert count == 2
        return train(self, jobs, count, watch)

    monkeypatch.setattr(Helpers, "train", heard)
    cohort, told = two_cores(), list[TrialProgress]()
    found = begun(cohort)
    measured = cohort.train(found, UNTIL, never_stop, told.append)
    cohort.close()
    assert len(handed) == 1, "in one go"
    jobs = handed[0]
    assert sorted(member.trial.number for job in jobs for member in job.members) == list(range(12))
    assert all(len({of_kind(member.trial.number) for member in job.members}) == 1 for job in jobs)
    assert all({UNTIL[member.trial.number] for member in job.members} == {job.until} for job in jobs)
    work = [len(job.members) * job.until for job in jobs]
    assert work == sorted(work, reverse=True), "the longest first"
    # 60 of 160 steps are less than a core's share, so they are one job; 70, too, but stacks have four at most.
    assert sorted((job.until, len(job.members)) for job in jobs) == [(10, 3), (10, 3), (10, 4), (30, 2)]
    assert (told[-1].done, told[-1].steps) == (sum(UNTIL.values()), sum(UNTIL.values()))

    monkeypatch.setattr(Helpers, "worth", lambda self, seconds, most: 1)
    other = two_cores()
    expected = begun(other)
    wanted: Measured = {}
    for member in expected:
        wanted |= other.train([member], UNTIL[member.trial.number], never_stop, silent)
    assert measured.keys() == wanted.keys()
    for member, single in zip(found, expected, strict=True):
        assert member.course.step == single.course.step == UNTIL[member.trial.number]
        for name, value in member.network.items():
            torch.testing.assert_close(value, single.network[name], rtol=1e-4, atol=1e-6)
        loss = measured[member.trial.number].loss
        assert loss == pytest.approx(wanted[member.trial.number].loss, rel=1e-4)


def test_the_same_jobs_give_the_same_bits_in_processes_and_here(planned: None, monkeypatch: pytest.MonkeyPatch) -> None:
    away = two_cores()
    found = begun(away)
    measured = away.train(found, UNTIL, never_stop, silent)
    away.close()
    monkeypatch.setattr(Helpers, "_begin", lambda self, job: None)
    here = two_cores()
    expected = begun(here)
    assert here.train(expected, UNTIL, never_stop, silent) == measured
    for member, wanted in zip(found, expected, strict=True):
        assert_equal(member, wanted)


def test_whoever_is_asked_to_stop_between_two_kinds_measures_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def plan(self: Cohort, group: Sequence[Member], *rest: Any, **more: Any) -> ComputePlan:
        asked.append(len(group))
        return plan_of(group)

    monkeypatch.setattr("babysit.training._cohort.Cohort._plan", plan)
    cohort = two_cores()
    found = begun(cohort)
    assert cohort.train(found, UNTIL, lambda: True, silent) == {}
    assert len(asked) == 1
    assert all(member.course.step == 0 for member in found)


def test_one_member_beside_others_leaves_them_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, a slow one is computed by all cores; its plan is another then, and is kept as another."""
    beside: list[tuple[int, bool]] = []

    def chosen(group: Sequence[Member], *rest: Any, **options: Any) -> ComputePlan:
        beside.append((len(group), options["beside"]))
        return ComputePlan("stacked", 4, 1, 1e-6, "")

    monkeypatch.setattr("babysit.training._cohort.choose_plan", chosen)
    monkeypatch.setattr("babysit.training._cohort.WORTH_MEASURING", 0)
    cohort = two_cores()
    one, *others = begun(cohort)[:4]
    cohort.train([one, *others], {0: 5, 1: 9, 2: 9, 3: 9}, never_stop, silent)
    cohort.train([one], 8, never_stop, silent)
    cohort.train([one], 9, never_stop, silent)
    assert sorted(beside) == [(1, False), (1, True), (3, True)]


def test_a_plan_beside_others_uses_one_thread() -> None:
    cohort = two_cores()
    one = begun(cohort)[:1]
    starts = [cohort._starts.of(one[0].trial)]
    seconds = iter(range(1000))

    def slow_at_first() -> float:
        """Every step takes a second."""
        return float(next(seconds))

    alone = choose_plan(one, starts, 2, 2**34, slow_at_first, by_process=True)
    among = choose_plan(one, starts, 2, 2**34, slow_at_first, by_process=True, beside=True)
    assert "; 1 thread a call" in alone.why or "; 2 threads a call" in alone.why
    assert among.threads == 1
    assert "up to 2 processes side by side" in among.why
    assert "side by side" not in alone.why


def test_a_part_of_the_rows_is_no_copy() -> None:
    cohort = two_cores()
    examples: Examples = cohort._starts.of(begun(cohort)[0].trial).examples
    few, more = examples.judged_on(4), examples.judged_on(9)
    assert few.held_out is not None
    assert more.held_out is not None
    assert few.held_out.data_ptr() == more.held_out.data_ptr()
    assert torch.equal(few.validation, more.validation[:4])
    assert examples.judged_on(10_000) is examples
