"""What a search does with the seconds it is given, what judging costs at its lowest rung, and what a step costs.

    python benchmarks/search_time.py                               # all works of search.py, a quarter of an hour
    python benchmarks/search_time.py --only digits --seeds 0

Told for each work:

    time         seconds that were given, that the measurement beforehand took, that the plan was thought to take, and
                 that all of it took; when the first trial stood at full length
    judging      seconds of nine trials' lowest rung, judged on a part of the validation rows, as babysit does, and on
                 all of them
    step         milliseconds for a step of one trial on one core: the plain loop of search.py, and stacks of 1, 8, 24
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import torch

from _measure import quartiles, ratio, store, take_turns
from _search_contenders import CORES, as_floats, random_trials, space_of
from _search_works import FACTOR, Curve, PlainLoop, Work, works
from babysit.search import (
    LocalEngine,
    Plan,
    coarse_to_fine,
    measure_speed,
    predicted_seconds,
    sized,
)
from babysit.training import _judging

GIVEN = {"cnn": 60.0}  # seconds of a search; 20 of the others
MEMBERS, ROUNDS = (1, 8, 24), 3


def searched(work: Work, seed: int, given: float) -> dict[str, float]:
    """One search as `babysit tune --seconds` has it."""
    torch.set_num_threads(CORES)
    space = space_of(work)
    engine, curve = LocalEngine(work.prepared, device="cpu"), Curve()
    speed = measure_speed(
        engine, lambda number, count: random_trials(work, number, count, seed), given, work.judged_share
    )
    measured = curve.seconds
    plan = Plan(
        full=work.full, budget=0, lowest=work.lowest, factor=FACTOR, seed=seed, workers=engine.side_by_side
    )  # fmt: skip
    plan = sized(plan, speed, given, share=work.judged_share)
    search = coarse_to_fine(space, plan)
    asked, first = next(search), math.nan
    while True:
        engine.drop(asked.dropped)
        alive = [work.trial(number, as_floats(point)) for number, point in asked.points.items()]
        scores = engine.train(alive, asked.steps)
        if math.isnan(first) and any(score.step == work.full for score in scores.values()):
            first = curve.seconds
        try:
            asked = search.send(scores)
        except StopIteration:
            break
    taken = curve.seconds
    engine.close()
    return {
        "given": given, "measured": measured, "planned": predicted_seconds(plan, speed, share=work.judged_share),
        "taken": taken, "first in full": first, "full trainings": plan.budget / plan.full,
    }  # fmt: skip


def judging(work: Work) -> dict[str, Any]:
    """Nine trials to the lowest rung, judged on a part of the rows and on all, in turns."""
    torch.set_num_threads(CORES)
    engines = {"part": LocalEngine(work.prepared, device="cpu"), "all": LocalEngine(work.prepared, device="cpu")}
    rule, numbers = _judging.judged_rows, {"part": 0, "all": 0}

    def rung(name: str) -> None:
        _judging.judged_rows = rule if name == "part" else every_row
        first, numbers[name] = numbers[name], numbers[name] + 9
        engines[name].train(random_trials(work, first, 9, 1), work.rungs[0])
        engines[name].drop(range(first, first + 9))

    seconds = take_turns({"part": lambda: rung("part"), "all": lambda: rung("all")}, ROUNDS)
    _judging.judged_rows = rule
    for engine in engines.values():
        engine.close()
    return {name: quartiles(values) for name, values in seconds.items()} | {"ratio": ratio(seconds, "all", "part")}


def every_row(step: int, batch_size: int, per_epoch: int, rows: int) -> int:
    return rows


class Stamped(PlainLoop):
    """Tells when a rung's steps were over, before it validates."""

    stamp = 0.0

    def _validate(self, network: torch.nn.Module) -> tuple[float, float]:
        self.stamp = time.perf_counter()
        return super()._validate(network)


def plain_step(work: Work) -> float:
    """Seconds of a step between the two uppermost rungs."""
    torch.set_num_threads(1)
    loop, began = Stamped(work), [0.0]
    before, last = work.rungs[-2:]
    took = [math.nan]

    def report(step: int, loss: float, accuracy: float) -> bool:
        if step == last:
            took[0] = (loop.stamp - began[0]) / (last - before)
        began[0] = time.perf_counter()
        return False

    loop.train(usual(work), report)
    return took[0]


def stacked_step(work: Work, members: int, steps: int) -> float:
    """Seconds of a step of a member: a long rung less a short one, both judged on all rows."""
    torch.set_num_threads(1)
    engine = LocalEngine(work.prepared, device="cpu")
    chosen = [work.trial(number, usual(work)) for number in range(members)]
    at = min(work.rungs[-2], work.full - 6 * steps)
    engine.train(chosen, at)
    took = []
    for more in (2 * steps, steps, 3 * steps):  # the first chooses how to compute so many
        at += more
        began = time.perf_counter()
        scores = engine.train(chosen, at)
        took.append(time.perf_counter() - began)
        assert all(score.step == at for score in scores.values())
    engine.close()
    return (took[2] - took[1]) / (2 * steps * members)


def usual(work: Work) -> dict[str, float]:
    """The middle of the space, where nothing fails."""
    return {name: math.sqrt(low * high) for name, (low, high) in work.space.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", choices=[*works()], default=[*works()])
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments.add_argument("--no-store", action="store_true")
    chosen = arguments.parse_args()
    results: dict[str, Any] = {"seeds": chosen.seeds, "works": {}}
    for name in chosen.only:
        work = works()[name]()
        row: dict[str, Any] = {}
        steps = 10 if name == "cnn" else 60
        row["step"] = {"plain": quartiles([1000 * plain_step(work) for _ in range(ROUNDS)])}
        for members in MEMBERS:
            if name != "cnn" or members < MEMBERS[-1]:
                values = [1000 * stacked_step(work, members, steps) for _ in range(ROUNDS)]
                row["step"][f"stack of {members}"] = quartiles(values)
        print(f"{name}: ms a step: " + ", ".join(f"{key} {one['median']:.3f}" for key, one in row["step"].items()))
        row["judging"] = judging(work)
        print(
            f"{name}: nine trials' lowest rung {row['judging']['part']['median']:.2f} s,"
            f" judged on all rows {row['judging']['all']['median']:.2f} s",
            flush=True,
        )
        row["searches"] = [searched(work, seed, GIVEN.get(name, 20.0)) for seed in chosen.seeds]
        for one in row["searches"]:
            print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in one.items()), flush=True)
        results["works"][name] = row
        if not chosen.no_store:  # after each work: what is stopped has kept what it measured
            store("search_time", results)


if __name__ == "__main__":
    main()
