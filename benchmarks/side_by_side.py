"""Two stacks side by side: two threads, two processes, or one after the other. Microseconds of a step of a member.

    python benchmarks/side_by_side.py

The digits MLP (64-100-100-10) with Adam and batches of 64, stacks of 30 members and of 10; every call computes with one
thread. Contenders take turns; what is told are medians and quartiles over rounds, and ratios round by round.
"""

from __future__ import annotations

import multiprocessing
import threading
from typing import Any

import numpy as np
import torch

from _measure import quartiles, ratio, store, take_turns
from _search_works import CPU, Work, works
from babysit.training import Cohort, Starts
from babysit.training._cohort_stack import Stack

SIZES = (30, 10)  # members of a stack
ROUNDS = 7
STEPS = 9_000  # of members, of each stack a round: so many that what a fork takes is little of it


def stacks(work: Work, size: int) -> list[Stack]:
    """Two, of different members."""
    random, starts = np.random.default_rng(0), Starts(work.prepared, (), CPU)
    cohort = Cohort(starts, layout="stacked")
    made = []
    for first in (0, size):
        trials = [work.trial(first + place, work.draw(random)) for place in range(size)]
        members = [cohort.begin(trial) for trial in trials]
        made.append(Stack([starts.of(trial) for trial in trials], members, [0.0] * size))
    return made


def steps(stack: Stack, count: int) -> None:
    """So many steps, in whichever thread or process this is."""
    torch.set_num_threads(1)
    for _ in range(count):
        stack.rehearse()


def measured(work: Work, size: int) -> dict[str, Any]:
    """One size of stack."""
    both, count = stacks(work, size), STEPS // size
    fork = multiprocessing.get_context("fork")

    def one_after_another() -> None:
        for stack in both:
            steps(stack, count)

    def together(workers: list[Any]) -> None:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    seconds = take_turns(
        {
            "one after the other": one_after_another,
            "two threads": lambda: together([threading.Thread(target=steps, args=(one, count)) for one in both]),
            "two processes": lambda: together([fork.Process(target=steps, args=(one, count)) for one in both]),
        },
        ROUNDS,
    )
    done = 2 * count * size
    return {
        "microseconds of a step of a member": {
            name: quartiles([1e6 * one / done for one in times]) for name, times in seconds.items()
        },
        "threads over one after the other": ratio(seconds, "two threads", "one after the other"),
        "processes over one after the other": ratio(seconds, "two processes", "one after the other"),
        "rounds": ROUNDS,
    }


def main() -> None:
    work = works()["digits"]()
    results: dict[str, Any] = {}
    for size in SIZES:
        results[f"stacks of {size}"] = measured(work, size)
        for name, told in results[f"stacks of {size}"]["microseconds of a step of a member"].items():
            print(f"stacks of {size}, {name:20s} {told['median']:6.0f} us ({told['low']:.0f} to {told['high']:.0f})")
    store("side_by_side", results)


if __name__ == "__main__":
    main()
