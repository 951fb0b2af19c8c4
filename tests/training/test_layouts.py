"""What is chosen follows from what was measured, and changes no member."""

import threading
from collections.abc import Callable

import pytest
import torch

from babysit.record import TrialProgress, never_stop, silent
from babysit.training import Cohort, Member, Starts
from babysit.training._layouts import LARGEST, ComputePlan, bytes_of_member, choose_plan, cut, side_by_side
from tests.training.cohort_cases import CASES, data, trial
from tests.training.test_cohort import assert_alone, trained
from tests.training.test_cohort_promises import assert_equal

ALL = 10_000


def members(count: int) -> tuple[Cohort, list[Member], Starts]:
    starts = Starts(data("table"))
    cohort = Cohort(starts)
    return cohort, [cohort.begin(trial("table", number, f"lr=0.0{number + 1}")) for number in range(count)], starts


def clock_of(*seconds: float) -> Callable[[], float]:
    """A clock by which the measured steps of one layout after the other take so long."""
    now = 0.0
    durations = iter([duration for each in seconds for duration in [each] * 3])
    running = False

    def clock() -> float:
        nonlocal now, running
        if running:
            now += next(durations)
        running = not running
        return now

    return clock


def chosen(count: int, clock: Callable[[], float], threads: int = 1, memory: int = 2**34) -> ComputePlan:
    _, found, starts = members(count)
    return choose_plan(found, [starts.of(member.trial) for member in found], threads, memory, clock)


def test_the_fastest_is_taken() -> None:
    # Ten members: stacks of 1, 8 and 10.
    assert chosen(10, clock_of(1, 8, 10)).size == 10  # for one member's step: 1, 1 and 1
    assert chosen(10, clock_of(1, 4, 10)).size == 8  # one half
    alone = chosen(10, clock_of(0.5, 8, 10))
    assert (alone.size, alone.seconds, alone.threads) == (1, 0.5, 1)
    assert "in stacks of 1 500000" in alone.why


def test_a_network_without_a_rule_goes_through_torch_func_where_that_is_faster() -> None:
    def chosen_for(settings: str, count: int, *seconds: float) -> ComputePlan:
        starts = Starts(data("images"))
        cohort = Cohort(starts)
        architecture = ("architecture=convolutional", "model.widths=[4]")
        found = [cohort.begin(trial("images", number, *architecture, *settings.split())) for number in range(count)]
        return choose_plan(found, [starts.of(one.trial) for one in found], 1, 2**34, clock_of(*seconds))

    # Ten members: one by itself, with channels last, then stacks of 8 and of 10.
    fast = chosen_for("", 10, 1, 1, 4, 5)
    assert (fast.way, fast.size, fast.seconds) == ("stacked", 10, 0.5)
    assert "Conv2d has no stacked rule" in fast.why
    assert "by itself 1000000, through torch.func in stacks of 8 500000, 10 500000" in fast.why
    slow = chosen_for("", 10, 1, 0.95, 6.5)
    assert (slow.way, slow.size, slow.seconds, slow.channels_last) == ("alone", 1, 1, False)
    last = chosen_for("", 10, 1, 0.75, 5)
    assert (last.way, last.seconds, last.channels_last) == ("alone", 0.75, True)
    assert "channels last in memory" in last.why
    assert chosen_for("", 1, 1, 1).way == "alone"


@pytest.mark.parametrize("case", ["convolutional", "convolutional-norm", "convolutional-maxout", "residual"])
def test_channels_last_in_memory_compute_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ComputePlan("alone", 1, 1, 1.0, "", channels_last=True)
    monkeypatch.setattr("babysit.training._cohort.Cohort._plan", lambda *rest, **more: plan)
    assert_alone(CASES[case][0], trained(case, 3, ALL))


def test_where_little_is_to_be_done_one_measurement_is_taken() -> None:
    _, found, starts = members(10)
    of_each = [starts.of(member.trial) for member in found]
    plan = choose_plan(found, of_each, 1, 2**34, clock_of(4), thorough=False)
    assert (plan.way, plan.size, plan.seconds) == ("stacked", 10, 0.5)


def test_it_is_said_where_processes_work_side_by_side() -> None:
    _, found, starts = members(10)
    of_each = [starts.of(member.trial) for member in found]
    plan = choose_plan(found, of_each, 2, 2**34, clock_of(4), by_process=True, thorough=False)
    assert plan.why.endswith("; 1 thread a call, up to 2 processes side by side")
    assert "processes" not in chosen(10, clock_of(1, 4, 10), threads=2).why


def test_one_member_alone_may_have_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)
    assert chosen(1, clock_of(1, 1, 0.6), threads=2).threads == 2
    assert chosen(1, clock_of(1, 1, 0.95), threads=2).threads == 1
    assert chosen(1, clock_of(1e-4), threads=2).threads == 1  # not worth asking


def test_noise_decides_nothing() -> None:
    assert chosen(10, clock_of(0.95, 7.9, 10)).size == 10


def test_a_stack_takes_no_more_than_its_share_of_memory() -> None:
    _, found, starts = members(1)
    each = bytes_of_member(found[0], starts.of(found[0].trial))
    assert chosen(10, clock_of(*[1.0] * 9), memory=4 * each).size == 4
    assert chosen(10, clock_of(*[1.0] * 9), threads=1, memory=0).size == 1
    assert LARGEST["cpu"] == 32


def test_measuring_leaves_members_as_they_are() -> None:
    _, found, starts = members(3)
    before = {name: value.clone() for name, value in found[1].network.items()}
    state = torch.get_rng_state()
    choose_plan(found, [starts.of(member.trial) for member in found], 1, 2**34)
    assert all(torch.equal(found[1].network[name], value) for name, value in before.items())
    assert found[1].course.step == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_stacks_are_as_many_as_threads_where_that_is_worth_it() -> None:
    _, found, _ = members(9)
    slow = ComputePlan("stacked", 128, 1, 1.0, "")
    quick = ComputePlan("stacked", 128, 1, 1e-6, "")
    assert [len(job) for job in cut(found, slow, 2)] == [5, 4]
    assert side_by_side(cut(found, slow, 2), slow)
    assert [len(job) for job in cut(found, quick, 2)] == [9]
    assert [len(job) for job in cut(found[:1], slow, 2)] == [1]


def test_threads_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ComputePlan("stacked", 4, 1, 1.0, "")
    monkeypatch.setattr("babysit.training._cohort.choose_plan", lambda *rest, **options: plan)
    monkeypatch.setattr("babysit.training._cohort.WORTH_MEASURING", 0)
    monkeypatch.setattr("babysit.training._side_by_side.FORKS", False)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)
    cohort, found, starts = members(9)
    told: list[tuple[int, int]] = []
    measured = cohort.train(
        found, ALL, never_stop, lambda progress: told.append((progress.done, threading.get_ident()))
    )
    assert told[-1] == (9 * 12, threading.get_ident())
    assert {thread for _, thread in told} == {threading.get_ident()}
    monkeypatch.setattr("babysit.training._cohort.side_by_side", lambda *rest: False)
    other = Cohort(starts)
    expected = [other.begin(member.trial) for member in found]
    assert other.train(expected, ALL, never_stop, silent) == measured
    for member, wanted in zip(found, expected, strict=True):
        assert_equal(member, wanted)


def test_an_error_in_a_thread_is_raised_and_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ComputePlan("stacked", 4, 1, 1.0, "")
    monkeypatch.setattr("babysit.training._cohort.choose_plan", lambda *rest, **options: plan)
    monkeypatch.setattr("babysit.training._cohort.WORTH_MEASURING", 0)
    monkeypatch.setattr("babysit.training._side_by_side.FORKS", False)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)
    before = threading.active_count()
    cohort, found, _ = members(9)

    def tell(progress: TrialProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cohort.train(found, ALL, never_stop, tell)
    assert threading.active_count() == before
