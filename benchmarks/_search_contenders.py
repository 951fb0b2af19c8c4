"""Who searches: babysit's stacked trials, and peers, which are imported when they are asked for."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from _search_works import FACTOR, Curve, PlainLoop, Work
from babysit.record import Trial
from babysit.search import LocalEngine, Plan, Space, coarse_to_fine, log_uniform, measure_speed, random_points, sized

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
Contender = Callable[[Work, int, float], tuple[Curve, int]]  # (work, seed, seconds) to curve and trials begun


def babysit_halving(work: Work, seed: int, limit: float) -> tuple[Curve, int]:
    """Random points, successive halving, trials stacked; another set of points for as long as there is time."""
    torch.set_num_threads(CORES)
    random = np.random.default_rng(seed)
    engine = LocalEngine(work.prepared, device="cpu")
    curve, begun = Curve(), 0
    while curve.seconds < limit:
        alive = [work.trial(begun + place, work.draw(random)) for place in range(work.trials)]
        begun += len(alive)
        for rung in work.rungs:
            scores = engine.train(alive, rung, stop=lambda: curve.seconds >= limit)
            for score in scores.values():
                if work.judged_share(score.step) == 1:
                    curve.add(score.score)
            sound = sorted((s for s in scores.values() if not s.failed), key=lambda s: (-s.score, s.loss))
            kept = {score.trial for score in sound[: max(1, round(len(alive) / FACTOR))]}
            engine.drop([trial.number for trial in alive if trial.number not in kept])
            alive = [trial for trial in alive if trial.number in kept]
            if not alive or curve.seconds >= limit:
                break
        engine.drop([trial.number for trial in alive])
    for decision in engine.decisions():
        print(f"    {decision.value}: {decision.why}")
    engine.close()
    return curve, begun


def babysit_search(work: Work, seed: int, limit: float) -> tuple[Curve, int]:
    """Coarse to fine as `babysit tune --seconds` has it; where it is done too early, once more from the best."""
    torch.set_num_threads(CORES)
    space = space_of(work)
    engine = LocalEngine(work.prepared, device="cpu")
    curve, begun = Curve(), 0
    first: tuple[tuple[float, ...], ...] = ()
    speed = measure_speed(
        engine, lambda number, count: random_trials(work, number, count, seed), limit, work.judged_share
    )
    while curve.seconds < limit:
        plan = Plan(
            full=work.full, budget=0, lowest=work.lowest, factor=FACTOR, seed=seed + begun, first=first,
            workers=engine.side_by_side,
        )  # fmt: skip
        plan = sized(plan, speed, limit - curve.seconds, share=work.judged_share)
        search = coarse_to_fine(space, plan)
        best: tuple[float, float] = (0.0, -math.inf)
        asked, offset = next(search, None), begun
        while asked is not None and curve.seconds < limit:
            engine.drop([offset + number for number in asked.dropped])
            points = asked.points
            alive = [work.trial(offset + number, as_floats(point)) for number, point in points.items()]
            begun = max(begun, 1 + max(trial.number for trial in alive))
            until = {offset + number: step for number, step in asked.steps.items()}
            scores = engine.train(alive, until, stop=lambda: curve.seconds >= limit)
            for score in scores.values():
                if work.judged_share(score.step) == 1:  # else it was judged on a part of the rows that others have
                    curve.add(score.score)
                if until[score.trial] == work.full and (score.score, -score.loss) > best:
                    best = score.score, -score.loss
                    first = (tuple(space.units(points[score.trial - offset])),)
            try:
                asked = search.send({n - offset: dataclasses.replace(s, trial=n - offset) for n, s in scores.items()})
            except StopIteration:
                break
        engine.drop(engine.numbers)
    for decision in engine.decisions():
        print(f"    {decision.value}: {decision.why}")
    engine.close()
    return curve, begun


def space_of(work: Work) -> Space:
    """What is searched."""
    return Space({name: log_uniform(low, high) for name, (low, high) in work.space.items()}, free_names=True)


def random_trials(work: Work, number: int, count: int, seed: int) -> list[Trial]:
    """So many, numbered from a number on."""
    space = space_of(work)
    points = [space.point(units.tolist()) for units in random_points(space, count, seed + number)]
    return [work.trial(number + place, as_floats(point)) for place, point in enumerate(points)]


def as_floats(point: Mapping[str, object]) -> dict[str, float]:
    """A point of numbers alone."""
    return {name: float(value) for name, value in point.items() if isinstance(value, int | float)}


def _optuna(work: Work, seed: int, limit: float, kind: str) -> tuple[Curve, int]:
    import optuna

    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)  # a thread a trial: `n_jobs` has all the cores
    loop, curve = PlainLoop(work), Curve()
    sampler: Any
    pruner: Any
    if kind == "random":
        sampler = optuna.samplers.RandomSampler(seed=seed)
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=work.rungs[0], reduction_factor=FACTOR)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed)
        pruner = optuna.pruners.HyperbandPruner(work.rungs[0], work.full, FACTOR)

    def objective(trial: Any) -> float:
        point = {name: trial.suggest_float(name, low, high, log=True) for name, (low, high) in work.space.items()}
        best = [0.0]

        def report(step: int, loss: float, accuracy: float) -> bool:
            curve.add(accuracy)
            best[0] = accuracy
            trial.report(accuracy, step)
            return bool(trial.should_prune()) or curve.seconds >= limit

        loop.train(point, report)
        return best[0]

    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.optimize(objective, timeout=limit, n_jobs=CORES)
    torch.set_num_threads(CORES)
    return curve, len(study.trials)


def optuna_random(work: Work, seed: int, limit: float) -> tuple[Curve, int]:
    """Random points, successive halving; as many trials at a time as there are cores."""
    return _optuna(work, seed, limit, "random")


def optuna_tpe(work: Work, seed: int, limit: float) -> tuple[Curve, int]:
    """TPE with Hyperband; as many trials at a time as there are cores."""
    return _optuna(work, seed, limit, "tpe")


def ray_asha(work: Work, seed: int, limit: float) -> tuple[Curve, int]:
    """Ray Tune's ASHA on random points: a process a core, started before the clock."""
    import logging

    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    # Ray lets its workers give way to everything else on the machine; the other contenders do not.
    os.environ.update({"RAY_worker_niceness": "0"})
    # Workers import this work's modules, too.
    paths = os.pathsep.join(path for path in sys.path if path)
    ray.init(
        num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
    )  # fmt: skip
    folder = tempfile.mkdtemp()
    try:
        kept = ray.put(PlainLoop(work))

        def trainable(point: dict[str, float]) -> None:
            torch.set_num_threads(1)

            def report(step: int, loss: float, accuracy: float) -> bool:
                tune.report({"accuracy": accuracy, "training_iteration_steps": step, "at": time.time()})
                return False

            ray.get(kept).train(point, report)

        scheduler = ASHAScheduler(
            time_attr="training_iteration_steps", metric="accuracy", mode="max", max_t=work.full,
            grace_period=work.rungs[0], reduction_factor=FACTOR,
        )  # fmt: skip
        space = {name: tune.loguniform(low, high) for name, (low, high) in work.space.items()}
        np.random.seed(seed)  # noqa: NPY002, Ray Tune draws from the global stream
        curve, began = Curve(), time.time()
        results: Any = tune.Tuner(
            trainable,
            param_space=space,
            tune_config=tune.TuneConfig(scheduler=scheduler, num_samples=-1, time_budget_s=limit),
            run_config=tune.RunConfig(verbose=0, storage_path=folder),
        ).fit()
        if results.errors:
            raise RuntimeError(f"a trial failed: {results.errors[0]}")
        rows = [
            (float(at) - began, float(accuracy))
            for result in results
            if result.metrics_dataframe is not None and "at" in result.metrics_dataframe  # else it was cut off before
            for at, accuracy in zip(result.metrics_dataframe["at"], result.metrics_dataframe["accuracy"], strict=True)
        ]
        for at, accuracy in sorted(rows):
            curve.add(accuracy, at)
        return curve, len(results)
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def sklearn_halving(work: Work, seed: int, limit: float) -> tuple[Curve, int]:
    """HalvingRandomSearchCV around MLPClassifier, halving its epochs; it tells its best when it is done.

    It has neither batch normalisation nor convolutions nor a limit of time: it is given as many trials as the work
    names, and its network is the work's without what it lacks.
    """
    from scipy.stats import loguniform
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV, PredefinedSplit
    from sklearn.neural_network import MLPClassifier

    loop, recipe = PlainLoop(work), work.recipe
    rows = torch.cat([loop.examples.train, loop.examples.validation])
    inputs, targets = loop.examples.cut(rows)
    fold = np.r_[np.full(len(loop.examples.train), -1), np.zeros(len(loop.examples.validation))]
    curve = Curve()
    search = HalvingRandomSearchCV(
        MLPClassifier(
            recipe.model.widths, solver="sgd" if recipe.optimizer.name == "sgd" else "adam", random_state=0,
            batch_size=recipe.budget.batch_size, n_iter_no_change=10_000,
        ),
        {"learning_rate_init": loguniform(*work.space["lr"]), "alpha": loguniform(*work.space["l2"])},
        resource="max_iter", max_resources=recipe.budget.epochs, min_resources=1, n_candidates=work.trials,
        factor=FACTOR, cv=PredefinedSplit(fold), refit=False, n_jobs=CORES, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(inputs.flatten(1).numpy(), targets.numpy())
    curve.add(float(search.best_score_))
    return curve, work.trials


CONTENDERS: dict[str, Contender] = {
    "babysit": babysit_search,
    "babysit-halving": babysit_halving,
    "optuna-random": optuna_random,
    "optuna-tpe": optuna_tpe,
    "ray-asha": ray_asha,
    "sklearn": sklearn_halving,
}
# Networks that scikit-learn's classifier has, with numbers only.
FOR_SKLEARN = ("digits", "lecture")
