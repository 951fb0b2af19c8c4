"""How good an answer a search finds for what it spends: regret over 34 tasks of recorded trainings.

Cost is counted in epochs over all trials: 10, 30 and 100 times a full trial's 52. Regret is the highest accuracy there
is on a task less the highest that the search saw, in percent of rows. Each contender continues trials where they
stopped, and pays for the epochs it adds alone.

    coarse to fine       babysit's search, sized for the budget
    ... two workers      the same as two cores have it: rungs of few trials beside the next points' first
    successive halving   babysit's coarse stage alone, on random points, sized for the budget
    TPE + Hyperband      Optuna's sampler and pruner with their defaults, rungs from 2 epochs by factors of 3; once with
                         its own whole and logarithmic ranges, once with every parameter as a number from 0 to 1
    random               full trials

Two halves of the tasks are told apart: the strategy was looked at on the first, which holds every third task.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import torch

from _lcbench import EPOCHS, LCBench, score_of
from _measure import RESULTS, store
from babysit.search import Plan, Range, coarse_to_fine

BUDGETS = (10, 30, 100)  # full trials
LOWEST = 2  # epochs of the lowest rung
OPTUNA_SEEDS = 3  # of ten seconds each a task; the others take as many seeds as are asked for
Regrets = dict[int, float]


def planned(bench: LCBench, task: str, seed: int, **changes: Any) -> Regrets:
    """Highest accuracy of a plan, for each budget."""
    found = {}
    for budget in BUDGETS:
        plan = Plan(full=EPOCHS, budget=budget * EPOCHS, lowest=LOWEST, seed=seed, **changes)
        search = coarse_to_fine(bench.space, plan)
        asked = next(search, None)
        best, left, at = 0.0, budget * EPOCHS, dict[int, int]()
        while asked is not None:
            numbers = []
            points, steps = asked.points, asked.steps
            for number in points:
                if steps[number] - at.get(number, 0) <= left:
                    left -= steps[number] - at.get(number, 0)
                    at[number] = steps[number]
                    numbers.append(number)
            if not numbers:
                break
            accuracies = bench.accuracy(
                task, [points[number] for number in numbers], [steps[number] for number in numbers]
            )
            best = max(best, float(accuracies.max()))
            scores = {
                number: score_of(number, steps[number], one) for number, one in zip(numbers, accuracies, strict=True)
            }
            try:
                asked = search.send(scores)
            except StopIteration:
                break
        found[budget] = best
    return found


def ours(bench: LCBench, task: str, seed: int) -> Regrets:
    return planned(bench, task, seed)


def side_by_side(bench: LCBench, task: str, seed: int) -> Regrets:
    """As on two cores: the next points begin while the last of those before are still trained."""
    return planned(bench, task, seed, workers=2)


def halving(bench: LCBench, task: str, seed: int) -> Regrets:
    return planned(bench, task, seed, generations=0, points="random")


def at_random(bench: LCBench, task: str, seed: int) -> Regrets:
    random = np.random.default_rng(seed)
    points = [bench.space.point(units) for units in random.random((max(BUDGETS), len(bench.space)))]
    # A full trial shows every epoch of its course, of which the best counts.
    courses = [bench.accuracy(task, points, epoch) for epoch in range(5, EPOCHS + 1)]
    best = np.max(courses, axis=0)
    return {budget: float(best[:budget].max()) for budget in BUDGETS}


def tpe_hyperband(bench: LCBench, task: str, seed: int) -> Regrets:
    return by_optuna(bench, task, seed, suggest)


def tpe_hyperband_in_unit_cube(bench: LCBench, task: str, seed: int) -> Regrets:
    return by_optuna(bench, task, seed, suggest_unit)


def suggest(trial: optuna.Trial, one: Range) -> float:
    """As Optuna's users write it."""
    if one.whole:
        return trial.suggest_int(one.path, int(one.low), int(one.high), log=one.scale == "log")
    return trial.suggest_float(one.path, one.low, one.high, log=one.scale == "log")


def suggest_unit(trial: optuna.Trial, one: Range) -> float:
    """Every parameter from 0 to 1, whole numbers rounded afterwards: TPE's kernels take these better."""
    value = one.value(trial.suggest_float(one.path, 0.0, 1.0))
    assert isinstance(value, int | float)
    return value


def by_optuna(bench: LCBench, task: str, seed: int, suggest: Callable[[optuna.Trial, Range], float]) -> Regrets:
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.HyperbandPruner(min_resource=LOWEST, max_resource=EPOCHS, reduction_factor=3),
    )
    spent, best, found = 0, 0.0, dict[int, float]()
    while spent < max(BUDGETS) * EPOCHS:
        trial = study.ask()
        point: dict[str, float] = {}
        for one in bench.space:
            assert isinstance(one, Range)
            point[one.path] = suggest(trial, one)
        course = bench.accuracy(task, [point] * EPOCHS, list(range(1, EPOCHS + 1)))
        pruned = False
        for epoch, accuracy in enumerate(course, start=1):
            spent, best = spent + 1, max(best, float(accuracy))
            if spent % EPOCHS == 0 and spent // EPOCHS in BUDGETS:
                found[spent // EPOCHS] = best
            trial.report(float(accuracy), epoch)
            if trial.should_prune():
                pruned = True
                break
        state = optuna.trial.TrialState.PRUNED if pruned else None
        study.tell(trial, None if pruned else float(course.max()), state=state)
    return found


CONTENDERS: dict[str, Callable[[LCBench, str, int], Regrets]] = {
    "coarse to fine": ours,
    "coarse to fine, two workers": side_by_side,
    "successive halving": halving,
    "random": at_random,
    "TPE + Hyperband": tpe_hyperband,
    "TPE + Hyperband, unit cube": tpe_hyperband_in_unit_cube,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--tasks", type=int, default=34, help="the first so many; for a quick look")
    arguments.add_argument("--part", type=pathlib.Path, help="file where finished runs are kept, to go on from")
    arguments.add_argument("--contenders", nargs="+", choices=[*CONTENDERS], default=[*CONTENDERS])
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bench = LCBench()
    part = chosen.part or RESULTS / "search_quality.part.json"
    done: dict[str, Any] = json.loads(part.read_text()) if part.exists() else {"best": {}, "runs": {}, "seconds": {}}
    for task in bench.tasks[: chosen.tasks]:
        if task not in done["best"]:
            done["best"][task] = bench.best(task)
    turns = [(seed, name) for seed in range(chosen.seeds) for name in chosen.contenders]
    for seed, name in turns:
        contender = CONTENDERS[name]
        if name.startswith("TPE") and seed >= OPTUNA_SEEDS:
            continue
        for task in bench.tasks[: chosen.tasks]:
            key = f"{name}/{task}/{seed}"
            if key in done["runs"]:
                continue
            began = time.process_time()
            done["runs"][key] = contender(bench, task, seed)
            done["seconds"][key] = time.process_time() - began
            part.write_text(json.dumps(done))
        print(f"{name}, seed {seed}: done", flush=True)
    if chosen.contenders == [*CONTENDERS]:  # else their runs are kept in the part, for a call that names all
        store("search_quality", summarised(done, bench.tasks[: chosen.tasks]))


def summarised(done: dict[str, Any], tasks: list[str]) -> dict[str, Any]:
    """Mean regrets with their standard errors over tasks; on both halves; and who is best where."""
    # What a contender found may lie above what the search for the peak found: the peak is the highest of all.
    peaks = dict(done["best"])
    for key, bests in done["runs"].items():
        task = key.split("/")[1]
        peaks[task] = max(peaks[task], *map(float, bests.values()))
    results: dict[str, Any] = {"tasks": len(tasks), "regret": {}}
    by_task: dict[tuple[str, int], dict[str, float]] = {}
    for name in CONTENDERS:
        seeds = sorted({key.split("/")[2] for key in done["runs"] if key.startswith(f"{name}/")})
        results["regret"][name] = {"seeds": len(seeds)}
        for budget in BUDGETS:
            means = {}
            for task in tasks:
                bests = [done["runs"][f"{name}/{task}/{seed}"] for seed in seeds]
                means[task] = peaks[task] - statistics.fmean(
                    best[str(budget)] if str(budget) in best else best[budget] for best in bests
                )
            by_task[name, budget] = means
            values = list(means.values())
            looked_at, others = values[::3], [value for place, value in enumerate(values) if place % 3]
            results["regret"][name][f"{budget} full trials"] = {
                "mean": statistics.fmean(values),
                "standard error over tasks": statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0,
                "median": statistics.median(values),
                "tasks looked at": statistics.fmean(looked_at),
                "other tasks": statistics.fmean(others) if others else None,
            }
        seconds = [value for key, value in done["seconds"].items() if key.startswith(f"{name}/")]
        results["regret"][name]["CPU seconds a task and seed"] = statistics.fmean(seconds)
    for budget in BUDGETS:
        for rival in CONTENDERS:
            if rival != "coarse to fine":
                pairs = [(by_task["coarse to fine", budget][task], by_task[rival, budget][task]) for task in tasks]
                differences = [theirs - own for own, theirs in pairs]
                results.setdefault("less regret than", {}).setdefault(rival, {})[f"{budget} full trials"] = {
                    "mean": statistics.fmean(differences),
                    "standard error": statistics.stdev(differences) / len(differences) ** 0.5
                    if len(differences) > 1
                    else 0.0,
                    "tasks won": sum(difference > 0 for difference in differences),
                }
    for name, numbers in results["regret"].items():
        told = "  ".join(f"{numbers[f'{budget} full trials']['mean']:6.2f}" for budget in BUDGETS)
        print(f"{name:20} {told}   ({numbers['seeds']} seeds)")
    return results


if __name__ == "__main__":
    main()
