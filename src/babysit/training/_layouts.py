"""How members of a kind are computed: measured, chosen, and reported.

The choice changes how long a member takes, and not what it becomes, except for the rounding of another order of
additions. What is fastest depends on the network, the machine's caches and its BLAS. So it is measured with a few steps
of throwaway copies: of one member, of a few, and of many. A stack of one is the plain loop without a graph of
operations, so nothing is lost where stacking gains nothing. A network that has no stacked rule is computed through
torch.func where that is 1.3 times as fast as one member after the other. Where the work is less than ten times what
these measurements take, one measurement says how long a step is, and so how many processes are worth starting. The
choice is kept in an engine's state, so that a search that goes on computes as it began.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from babysit.record import stored
from babysit.training._cohort_stack import Stack
from babysit.training._stacked_optimizer import STATES
from babysit.training._trial_alone import Alone
from babysit.training._trial_member import Member
from babysit.training._trial_starts import Start
from babysit.training._vmap_network import unlike_alone

STEPS = 3  # measured of each layout, after one that is not; the fastest counts, as others on the machine only slow down
# Members of a stack, at most. On a CPU a step of a member took as long in stacks of 60 as in stacks of 32, within a
# tenth, in all works of `benchmarks/search.py`; a GPU takes as long to begin a kernel as to run it on a few members.
LARGEST = {"cpu": 32, "cuda": 128}
FEW = 8  # members, whose parameters a cache may hold
# A layout is taken instead of a simpler one where its time is less than this share: measurements are noisy.
MARGIN = 0.9
EARNED = 1.3  # times as fast as one by one, from which networks without a stacked rule are computed through torch.func
# Seconds of a step from which two threads with a stack each beat one after the other, where processes cannot be forked.
# Below, what Python does between the calls, which only one thread can do at a time, is most of it.
WORTH_A_THREAD = 1.5e-3
MEMORY_SHARE = 0.25  # of the machine's memory that stacks may take at a time


@contextlib.contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Within, PyTorch's calls use so many threads; afterwards as many as before.

    Threads that share one call wait for each other at its end, many times a step. Where another program takes one of
    the cores for a moment, all of them wait. Threads with a stack each do not.
    """
    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@stored
class ComputePlan:
    """How members of a kind are computed.

    Attributes:
        way: As stacks, or one by one.
        size: Members of a stack at most.
        threads: That compute a call: one, where stacks have a thread each.
        seconds: Measured for a step of one member; 0 when nothing was measured.
        why: In words.
        channels_last: How images lie in memory where members are computed one by one.
    """

    way: Literal["stacked", "alone"]
    size: int
    threads: int
    seconds: float
    why: str
    channels_last: bool = False


def choose_plan(
    members: Sequence[Member],
    starts: Sequence[Start],
    threads: int,
    memory: int,
    clock: Callable[[], float] | None = None,
    *,
    by_process: bool = False,
    beside: bool = False,
    thorough: bool = True,
) -> ComputePlan:
    """Measure and choose for members of a kind.

    Args:
        members: With steps to take; they are left as they are.
        starts: Where each began.
        threads: How many of the processor's may be used.
        memory: Bytes that may be taken.
        clock: Seconds; None takes this thread's own processor time where one thread computes, as that leaves out what
            others on the machine do, and the wall's where more do or a GPU does.
        by_process: Whether several members keep the processor busy in processes of one thread each.
        beside: Whether members of other kinds are trained at the same time.
        thorough: Whether layouts are compared, or the usual one is measured once.
    """
    device = starts[0].examples.device
    wall = clock or time.perf_counter
    own = clock or (time.thread_time if device.type == "cpu" else time.perf_counter)
    processes = by_process and (beside or len(members) > 1)
    bearable = memory // (threads * bytes_of_member(members[0], starts[0]))
    most = max(1, min(LARGEST["cpu" if device.type == "cpu" else "cuda"], bearable, len(members)))
    few = min(FEW, most)
    measured: dict[int, float] = {}

    def measure(size: int) -> float:
        with computing_with(1):
            measured[size] = _time_stack(members[:size], starts[:size], own)
        return measured[size]

    def calls(used: int) -> str:
        note = f", up to {threads} processes side by side" if processes and used < threads else ""
        return f"{used} thread{'s' * (used > 1)} a call{note}"

    if starts[0].no_rule:
        alone = _one_by_one(members[0], starts[0], 1 if processes else threads, wall)
        why = f"{starts[0].no_rule}; {calls(alone.threads)}{alone.why}"
        if few == 1 or (unlike := unlike_alone(starts[0], members[0])):
            return replace(alone, why=why if few == 1 else f"{why}; {unlike}")
        worth = measure(few) * EARNED <= alone.seconds
        if worth and thorough and most > few:
            measure(most)
        why += f"; microseconds for a step of one member: by itself {alone.seconds * 1e6:.0f}, through torch.func in"
        why += " stacks of " + ", ".join(f"{size} {cost * 1e6:.0f}" for size, cost in measured.items())
        if not worth:
            return replace(alone, why=why)
        size = max(size for size in measured if measured[size] * MARGIN <= min(measured.values()))
        return ComputePlan("stacked", size, 1, measured[size], why)
    if thorough:
        sizes = [*dict.fromkeys((1, few, most))]
        fastest = min(measure(size) for size in sizes)
        size = max(size for size in sizes if measured[size] * MARGIN <= fastest)
    else:
        measure(few)
        size = most
    seconds, used = measured.get(size, measured[few]), 1
    if len(members) == 1 and not processes and seconds >= WORTH_A_THREAD:
        # Nothing else is there for the other cores to do.
        used, seconds = _with_threads(Stack(starts, members, [0.0]).rehearse, starts[0], threads, wall)
    told = ", ".join(f"{size} {cost * 1e6:.0f}" for size, cost in measured.items())
    why = f"microseconds for a step of one member, on one core, in stacks of {told}; {calls(used)}"
    return ComputePlan("stacked", size, used, seconds, why)


def _one_by_one(member: Member, start: Start, threads: int, clock: Callable[[], float]) -> ComputePlan:
    """With so many threads at most; where there are convolutions, in the faster of two layouts of images."""
    used, seconds = _with_threads(Alone(start, member, 0.0).rehearse, start, threads, clock)
    plan = ComputePlan("alone", 1, used, seconds, "")
    layers = start.model.network.modules()
    if start.examples.device.type == "cpu" and any(isinstance(layer, nn.Conv2d) for layer in layers):
        step = Alone(start, member, 0.0, channels_last=True).rehearse
        with torch.random.fork_rng(), computing_with(used):
            other = _fastest(step, start.examples.device, clock)
        if other < seconds * MARGIN:
            plan = replace(plan, seconds=other, why=", channels last in memory", channels_last=True)
    return plan


def pace(member: Member, start: Start) -> float:
    """Seconds of a step of one member by itself, with one thread. They say whether few steps are worth processes."""
    with torch.random.fork_rng(), computing_with(1):
        step = Alone(start, member, 0.0).rehearse if start.no_rule else Stack([start], [member], [0.0]).rehearse
        return _fastest(step, start.examples.device, time.perf_counter)


def cut(members: Sequence[Member], plan: ComputePlan, threads: int, processes: int = 1) -> list[list[Member]]:
    """Members of a kind as jobs of about equal size: stacks, or single members.

    Args:
        members: Of a kind.
        plan: How they are computed.
        threads: That may be kept busy where there are no processes.
        processes: That will be kept busy.

    Example:
        >>> plan = ComputePlan("stacked", 4, 1, 1e-3, "")
        >>> [len(job) for job in cut([None] * 9, plan, threads=2)]  # type: ignore[list-item]
        [3, 2, 2, 2]
    """
    count = -(-len(members) // plan.size)
    if processes > 1:
        count = min(len(members), -(-count // processes) * processes)
    elif threads > 1 and plan.seconds * min(plan.size, len(members)) >= WORTH_A_THREAD * threads:
        count = min(len(members), -(-count // threads) * threads)
    short, longer = divmod(len(members), count)
    sizes = [short + (number < longer) for number in range(count)]
    ends = [*itertools.accumulate(sizes)]
    return [list(members[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def side_by_side(jobs: Sequence[Sequence[Member]], plan: ComputePlan) -> bool:
    """Whether stacks are worth a thread each, where processes are not to be had."""
    return plan.way == "stacked" and len(jobs) > 1 and plan.seconds * len(jobs[0]) >= WORTH_A_THREAD


def bytes_of_member(member: Member, start: Start) -> int:
    """Memory that a member takes in a stack: parameters, gradients, the optimizer's state, and activations."""
    parameters = sum(parameter.numel() for parameter in start.model.network.parameters())
    states = len(STATES[member.trial.recipe.optimizer.name])
    batch = member.trial.recipe.budget.batch_size or 1
    # Of each layer the outputs, their gradient, and a copy where a nonlinearity or normalisation keeps one.
    activations = 3 * batch * start.activations
    return 4 * ((2 + states) * parameters + activations)


def _time_stack(members: Sequence[Member], starts: Sequence[Start], clock: Callable[[], float]) -> float:
    stack = Stack(starts, members, [0.0] * len(members))
    return _fastest(stack.rehearse, starts[0].examples.device, clock) / len(members)


def _with_threads(
    step: Callable[[], None], start: Start, threads: int, clock: Callable[[], float]
) -> tuple[int, float]:
    """With how many threads a call steps are fastest, and the seconds of one."""
    times: dict[int, float] = {}
    for used in dict.fromkeys((1, threads)):
        with torch.random.fork_rng(), computing_with(used):
            times[used] = _fastest(step, start.examples.device, clock)
    used = threads if times[threads] < times[1] * MARGIN else 1
    return used, times[used]


def _fastest(step: Callable[[], None], device: torch.device, clock: Callable[[], float]) -> float:
    step()
    times = []
    for _ in range(STEPS):
        _wait(device)
        began = clock()
        step()
        _wait(device)
        times.append(clock() - began)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
