"""How a search scales: 10 to 100,000 trials on 1 to 1,000 workers, with recorded trainings and a simulated clock.

The trials are looked up (see `_lcbench.py`), so what takes real time is the driver: asking, ranking, drawing points,
handing shards to workers one by one. A worker is busy for as long as the recorded trainings of its shard took; the
driver's own seconds (of its process, as machines are shared) are put on the same clock, and meanwhile no worker is
given work. Told are, of each size:

    driver       milliseconds a trial, and as a share of the whole time
    idle         share of the workers' time, up to the end, in which they had nothing to do
    regret       the highest accuracy there is less the best found, in percent of rows

A rung waits for its slowest trial, and few trials are left at the upper rungs: with more workers than trials there,
workers are idle whatever the driver does. Shards are such that every worker gets one, but of no more than 24 trials.
"""

from __future__ import annotations

import argparse
import heapq
import math
import statistics
import time
from typing import Any

import torch

from _lcbench import EPOCHS, LCBench, score_of
from _measure import store
from babysit.search import Plan, coarse_to_fine

SIZES = (10, 100, 1_000, 10_000, 100_000)  # trials
WORKERS = (1, 10, 100, 1_000)
LARGEST_SHARD = 24
TASKS = ("3945", "126025", "167190", "168910", "189865")
LOWEST = 2
TRIALS_A_BUDGET = 7.5  # full trials cost about so many trials of a search with rungs from 2 epochs


def simulated(bench: LCBench, task: str, trials: int, workers: int, peak: float, seed: int) -> dict[str, float]:
    """One search, every second of it accounted for."""
    budget = max(2.0, trials / TRIALS_A_BUDGET)
    plan = Plan(
        full=EPOCHS,
        budget=budget * EPOCHS,
        lowest=LOWEST,
        seed=seed,
        together=min(workers, trials // 10) or 1,
        workers=workers,
    )
    search = coarse_to_fine(bench.space, plan)
    clock = driver = busy = 0.0
    best, seen, at = 0.0, 0, dict[int, int]()
    began = time.process_time()
    asked = next(search, None)
    while asked is not None:
        spent = time.process_time() - began
        driver, clock = driver + spent, clock + spent
        points, steps = asked.points, asked.steps
        numbers = sorted(points, key=lambda number: -steps[number])  # those with most to do first
        shown, ends = [points[number] for number in numbers], [steps[number] for number in numbers]
        accuracies = bench.accuracy(task, shown, ends)
        best = max(best, float(accuracies.max()))
        began = time.process_time()
        size = max(1, min(LARGEST_SHARD, math.ceil(len(numbers) / workers)))
        free = [clock] * min(workers, math.ceil(len(numbers) / size))
        heapq.heapify(free)
        until = bench.seconds(task, shown, ends)
        before = bench.seconds(task, shown, [at.get(n, 0) for n in numbers])
        work = (until - before).clip(0)
        began = time.process_time()
        for first in range(0, len(numbers), size):
            shard = float(work[first : first + size].sum())
            busy += shard
            heapq.heappush(free, heapq.heappop(free) + shard)
        end = max(free)
        at |= steps
        seen = max(seen, max(numbers) + 1)
        scores = {number: score_of(number, steps[number], one) for number, one in zip(numbers, accuracies, strict=True)}
        driver += time.process_time() - began
        clock = end + (time.process_time() - began)
        began = time.process_time()
        try:
            asked = search.send(scores)
        except StopIteration:
            break
    driver += time.process_time() - began
    return {
        "trials": seen,
        "driver, ms a trial": 1000 * driver / seen,
        "driver, share of the time": driver / clock,
        "idle share": 1 - busy / (workers * clock),
        "simulated seconds": clock,
        "regret": peak - best,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--largest", type=int, default=SIZES[-1])
    arguments.add_argument("--tasks", type=int, default=len(TASKS))
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    bench = LCBench()
    tasks = TASKS[: chosen.tasks]
    peaks = {task: bench.best(task) for task in tasks}
    results: dict[str, Any] = {"tasks": list(tasks), "rows": []}
    for trials in (size for size in SIZES if size <= chosen.largest):
        for workers in WORKERS:
            # Of the largest searches one task tells the driver's time; regret is averaged over all tasks below.
            some = tasks[:1] if trials >= 100_000 else tasks
            runs = [simulated(bench, task, trials, workers, peaks[task], seed=0) for task in some]
            row = {name: statistics.fmean(run[name] for run in runs) for name in runs[0]}
            row |= {"asked for": trials, "workers": workers, "searches": len(runs)}
            results["rows"].append(row)
            print(
                f"{trials:7,} trials, {workers:5,} workers: driver {row['driver, ms a trial']:7.3f} ms a trial,"
                f" {row['driver, share of the time']:6.1%} of the time, idle {row['idle share']:5.1%},"
                f" regret {row['regret']:5.2f}",
                flush=True,
            )
    store("scale", results)


if __name__ == "__main__":
    main()
