"""Processes that train side by side end where one process ends, whatever becomes of them."""

import gc
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest
import torch

from babysit.data import Prepared
from babysit.record import TrialProgress, never_stop, silent
from babysit.training import Cohort, Member, Starts
from babysit.training._cohort_watch import CohortWatch
from babysit.training._layouts import ComputePlan
from babysit.training._side_by_side import FORKS, Helpers, Job, Measured
from babysit.training._trial_alone import Look
from tests.training.cohort_cases import CASES, data, trial, trials
from tests.training.test_cohort import assert_same
from tests.training.test_cohort_promises import assert_equal

pytestmark = [
    pytest.mark.skipif(not FORKS, reason="processes are forked on Linux alone"),
    pytest.mark.timeout(60),
]
ALL = 10_000
STACKED = ComputePlan("stacked", 4, 1, 1.0, "")
ALONE = ComputePlan("alone", 1, 1, 1.0, "")


@pytest.fixture(autouse=True)
def two_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All is worth a process; none is left when a test is over."""
    monkeypatch.setattr("babysit.training._cohort.WORTH_MEASURING", 0)
    monkeypatch.setattr("babysit.training._side_by_side.WORTH_A_PROCESS", 1e-9)
    monkeypatch.setattr("babysit.training._cohort.Cohort._plan", lambda *rest, **more: STACKED)
    before = {child.pid for child in multiprocessing.active_children()}
    yield
    assert {child.pid for child in multiprocessing.active_children()} <= before


def two(prepared: Prepared) -> Cohort:
    """A cohort on two cores."""
    cohort = Cohort(Starts(prepared))
    cohort._threads = 2
    return cohort


def made(count: int = 9) -> list[Member]:
    """Members with dropout, so that a stream of random numbers travels, too."""
    cohort = two(data("table"))
    return [
        cohort.begin(trial("table", number, f"lr=0.0{number + 1}", "dropout=0.2", "optimizer.name=adam"))
        for number in range(count)
    ]


def here(
    rungs: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, plan: ComputePlan = STACKED
) -> tuple[list[Member], Measured]:
    """What the same jobs give without processes."""
    with monkeypatch.context() as patched:
        patched.setattr("babysit.training._side_by_side.Helpers._begin", lambda self, job: None)
        patched.setattr("babysit.training._cohort.Cohort._plan", lambda *rest, **more: plan)
        cohort = two(data("table"))
        expected, measured = made(), {}
        for until in rungs:
            measured = cohort.train(expected, until, never_stop, silent)
        return expected, measured


@pytest.mark.parametrize("plan", [STACKED, ALONE])
def test_processes_compute_the_same(plan: ComputePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.training._cohort.Cohort._plan", lambda *rest, **more: plan)
    cohort, found = two(data("table")), made()
    told: list[TrialProgress] = []
    measured: Measured = {}
    pids = set()
    for until in (5, ALL):  # stops within an epoch, and goes on
        measured = cohort.train(found, until, never_stop, told.append)
        pids |= {child.pid for child in multiprocessing.active_children()}
    assert len(pids) == 2, "two processes did both rungs"
    assert told[-1].done == sum(member.course.step for member in found) - 9 * 5
    expected, wanted = here((5, ALL), monkeypatch, plan)
    assert measured == wanted
    for member, other in zip(found, expected, strict=True):
        assert_equal(member, other)
    cohort.close()


@pytest.mark.parametrize(
    "case", ["plateau", "patience", "batch-norm-dropout", "convolutional-norm", "embedding", "seeds"]
)
def test_all_that_a_member_is_travels(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, _ = CASES[case]
    both = []
    for away in (True, False):
        with monkeypatch.context() as patched:
            if not away:
                patched.setattr("babysit.training._side_by_side.Helpers._begin", lambda self, job: None)
            cohort = two(data(kind))
            found = [cohort.begin(one) for one in trials(case)]
            for until in (7, ALL):
                cohort.train(found, until, never_stop, silent)
            both.append(found)
            cohort.close()
    for member, other in zip(*both, strict=True):
        assert_equal(member, other)


def test_one_that_is_killed_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort, found = two(data("table")), made()
    killed: list[int] = []

    def tell(progress: TrialProgress) -> None:
        children = [child.pid for child in multiprocessing.active_children() if child.pid]
        if children and not killed:
            os.kill(children[0], signal.SIGKILL)
            killed.append(children[0])

    monkeypatch.setattr("babysit.training._cohort_stack.LOOK_EVERY", 0.0)
    monkeypatch.setattr("babysit.training._side_by_side.LOOK_EVERY", 0.0)
    measured = cohort.train(found, ALL, never_stop, tell)
    assert killed
    expected, wanted = here((ALL,), monkeypatch)
    assert measured == wanted
    for member, other in zip(found, expected, strict=True):
        assert_equal(member, other)
    cohort.close()


def test_what_goes_wrong_in_one_is_told_by_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort, found = two(data("table")), made()

    def broken(*rest: object) -> None:
        raise ArithmeticError(f"in process {os.getpid()}")

    monkeypatch.setattr("babysit.training._cohort_stack.Stack.train", broken)
    with pytest.raises(ArithmeticError, match=str(os.getpid())):
        cohort.train(found, ALL, never_stop, silent)
    assert all(member.course.step == 0 for member in found)
    cohort.close()


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()
    monkeypatch.setattr("babysit.training._side_by_side.SILENT", 0.3)

    def train(job: Job, look: Look) -> Measured:
        if os.getpid() != parent:
            time.sleep(60)
        return {job.members[0].trial.number: None}  # type: ignore[dict-item]

    helpers = Helpers(train)
    found = made()
    watch = _Watch()
    jobs = [Job([member], [1.0], STACKED, 5) for member in found[:2]]
    assert helpers.train(jobs, 2, watch) == {0: None, 1: None}  # type: ignore[arg-type]
    assert not helpers.usable
    helpers.close()


class _Watch:
    asked = False

    def look(self, taken: object, failed: object = ()) -> bool:
        return False

    def report(self) -> None:
        pass


def test_a_stop_keeps_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort, found = two(data("table")), made()
    monkeypatch.setattr("babysit.training._cohort_stack.LOOK_EVERY", 0.0)
    monkeypatch.setattr("babysit.training._side_by_side.LOOK_EVERY", 0.0)
    asked = iter([False, False])
    measured = cohort.train(found, ALL, lambda: next(asked, True), silent)
    assert len(measured) < 9
    measured |= cohort.train(found, ALL, never_stop, silent)
    expected, wanted = here((ALL,), monkeypatch)
    assert measured.keys() == wanted.keys()
    for member, other in zip(found, expected, strict=True):
        assert member.course.step == other.course.step
        assert_same(member.network, other.network)  # to rounding: members stopped elsewhere, and so stacked otherwise
    cohort.close()


def test_an_interruption_leaves_no_process_and_members_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort, found = two(data("table")), made()

    def tell(progress: TrialProgress) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("babysit.training._cohort_stack.Stack.train", lambda *rest: time.sleep(50))
        with pytest.raises(KeyboardInterrupt):
            cohort.train(found, ALL, never_stop, tell)
    assert not multiprocessing.active_children(), "they end with the interruption, not some time later"
    assert {member.course.step for member in found} == {0}
    cohort.train(found, ALL, never_stop, silent)
    assert {member.course.step for member in found} == {12}
    cohort.close()


def test_members_that_failed_elsewhere_are_not_counted_as_alive() -> None:
    told: list[TrialProgress] = []
    watch = CohortWatch(24, made(2), never_stop, told.append)
    watch.look([(0, 3, 0.7), (1, 3, 0.1)], failed=[1])
    assert (told[-1].done, told[-1].alive) == (6, 1)
    assert told[-1].loss == 0.7, "nor is what they had"


def test_processes_that_wait_are_worth_less_work(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = two(data("table"))
    helpers = cohort._helpers
    monkeypatch.setattr("babysit.training._side_by_side.WORTH_A_PROCESS", 0.1)
    assert [helpers.worth(seconds, 2) for seconds in (0.15, 0.25, 9.0)] == [1, 2, 2]
    monkeypatch.setattr("babysit.training._side_by_side.WORTH_A_PROCESS", 1e-9)
    cohort.train(made(), 2, never_stop, silent)
    monkeypatch.setattr("babysit.training._side_by_side.WORTH_A_PROCESS", 0.1)
    assert [helpers.worth(seconds, 2) for seconds in (0.01, 0.06, 0.15, 0.25)] == [0, 1, 2, 2]
    helpers.usable = False
    assert helpers.worth(9.0, 2) == 1
    cohort.close()


def test_what_takes_much_memory_is_not_handed_over() -> None:
    cohort = two(data("table"))
    cohort._bearable = 1000
    cohort.train(made(), ALL, never_stop, silent)
    assert not multiprocessing.active_children()


def test_members_larger_than_was_thought_are_trained_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.training._side_by_side._bytes_of", lambda job: 64)
    cohort, found = two(data("table")), made()
    cohort.train(found, ALL, never_stop, silent)
    assert {member.course.step for member in found} == {12}
    assert not multiprocessing.active_children()


def test_a_larger_job_gets_a_larger_process() -> None:
    cohort = two(data("table"))
    few, many = made(count=2), made(count=9)
    cohort.train(few, ALL, never_stop, silent)
    cohort.train(many, ALL, never_stop, silent)
    assert cohort._helpers.usable
    assert all(member.course.step == many[0].course.step > 0 for member in many)
    cohort.close()


def test_a_cohort_that_is_forgotten_leaves_no_process() -> None:
    cohort = two(data("table"))
    cohort.train(made(), ALL, never_stop, silent)
    assert multiprocessing.active_children()
    del cohort
    gc.collect()
    deadline = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


PROGRAM = """
    import multiprocessing, os, signal, sys, time
    import babysit.training._side_by_side as module
    from babysit.training import Cohort
    from babysit.record import never_stop
    from tests.training.test_side_by_side import ALL, STACKED, made, two
    from tests.training.cohort_cases import data
    module.WORTH_A_PROCESS = 1e-9
    Cohort._plan = lambda *rest, **more: STACKED
    cohort = two(data("table"))
    def tell(progress):
        children = [child.pid for child in multiprocessing.active_children()]
        # Another process that has the pipes open, so that their ends tell nobody that this one is gone.
        holder = os.fork()
        if not holder:
            os.close(1)
            os.close(2)
            time.sleep(60)
            os._exit(0)
        print(holder, *children, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    cohort.train(made(), ALL, never_stop, tell)
"""


def test_none_outlives_a_killed_parent() -> None:
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=root, capture_output=True, text=True, timeout=100
    )
    assert done.stdout, done.stderr
    holder, *pids = (int(word) for word in done.stdout.split())
    assert pids
    try:
        deadline = time.monotonic() + 15
        while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(_runs(pid) for pid in pids)
    finally:
        os.kill(holder, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # what nobody has reaped yet


def test_within_a_daemon_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    cohort, found = two(data("table")), made()
    assert not cohort._helpers.usable
    cohort.train(found, ALL, never_stop, silent)
    assert not multiprocessing.active_children()
    assert all(member.course.step for member in found)
    assert all(torch.isfinite(value).all() for value in found[0].network.values())
