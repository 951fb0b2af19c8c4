"""tune: coarse to fine, on data, a recipe or a script."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from babysit.api._carry_out import Tuned, begin, carry_out
from babysit.api._folders import folder_for
from babysit.api._search_set_up import (
    REPEATS,
    SECONDS,
    WINNERS,
    Options,
    engine_for,
    fitting,
    folds_of,
    options_of,
    plan_for,
    plan_of,
    recipe_and_source,
    space_from,
    steps_of,
    try_network,
)
from babysit.api._subjects import is_script
from babysit.api._tune_script import resume_script, tune_script
from babysit.data import prepare
from babysit.nn import NetworkFactory, maker_of
from babysit.record import InputError, Progress, Recipe, RunFolderError, Study, silent
from babysit.search import GENERATIONS, PointKind, Space, export_to_optuna, space_for, with_architecture
from babysit.training import decide


def tune(
    subject: object,
    target: str | None = None,
    *,
    space: Space | Mapping[str, Any] | Iterable[str] | None = None,
    recipe: Recipe | str | pathlib.Path | None = None,
    settings: Iterable[str] = (),
    arguments: Sequence[str] = (),
    unprotected: bool = False,
    network: bool = False,
    seconds: float | None = None,
    trials: float | None = None,
    folds: int = 0,
    points: PointKind = "sobol",
    sampler: str = "own",
    winners: int = WINNERS,
    repeats: int = REPEATS,
    generations: int = GENERATIONS,
    structure: bool = False,
    widen: bool | None = None,
    score: str | None = None,
    lower: bool = False,
    steps: int | None = None,
    jobs: int | None = None,
    seed: int = 0,
    out: str | pathlib.Path | None = None,
    model: Callable[..., nn.Module] | None = None,
    ray: str | None = None,
    optuna: str | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Search the hyper-parameters coarse to fine, train the winners in full, and say how sure the answer is.

    Args:
        subject: Data as `fit` takes it; a Recipe or its file (.toml) with the data in it; or a script (a .py file).
        target: Of data: the column to learn.
        space: What is searched: a Space, a mapping of names, or texts as after `--space`. Of data and recipes None
            takes rate, regularisation and dropout, as far as the recipe leaves them open. Of a script: names in braces
            among its arguments; or, of a script without such arguments, remedies such as `lr` and `batch-size`.
        recipe: Of data: the recipe that is varied.
        settings: Of data and recipes: changes to the recipe, as `path=value`.
        arguments: Of a script: its arguments, with `{NAME}` for each searched setting, perhaps `{steps}` and `{seed}`.
        unprotected: Of a script: let its trials write to your files, where the system cannot keep them away.
        network: Of a script: let its trials reach the network.
        seconds: Time limit in seconds. With neither this nor `trials` it is 60; of a script there is none then.
        trials: Instead: how much may be trained, in full trainings; of a script 20 with neither.
        folds: Of data and recipes: validate each point on so many folds; 0 takes the data's own split.
        points: Of the coarse stage: sobol, random or grid.
        sampler: What chooses the points: `own`, or Optuna's `tpe`, `gp`, `cmaes`, `qmc` (extra `[optuna]`).
        winners: Points that are trained in full at the end.
        repeats: Seeds of each; of a script that takes no `{seed}` 1.
        generations: Of finer points, after each wave of coarse ones; 0 is successive halving alone.
        structure: Of data and recipes: search the network's shape, too: depth, width, activation, batch norm, first
            weights, preprocessing.
        widen: Of data and recipes: go beyond a range at whose end the best lies. None does so where babysit chose the
            ranges, and stays within a `space` that is given.
        score: Of a script: the name that it prints before its score; None takes what is measured in its training: the
            score of the last evaluation, else the loss.
        lower: Of a script: a lower printed score is better.
        steps: Of a script: what `{steps}` stands for in a full training, in the script's own unit, such as epochs. A
            script that takes no `{steps}` is run for so many epochs instead.
        jobs: Of a script: processes at a time; None takes as many as there are cores.
        seed: Makes every draw of the search.
        out: The Study folder to make; None takes `studies/NAME-NUMBER`.
        model: Of data and recipes: a function (or class) of yours that makes the network, in the place of the recipe's
            own networks; see `babysit.nn.NetworkFactory` for what it is given. Its parameters can be searched by name.
        ray: Of data and recipes: the address of a Ray cluster that trains: local, auto, or HOST:PORT of its head.
        optuna: Storage to which the finished search is copied, such as sqlite:///studies.db.
        progress: Receives progress events.

    Returns:
        What was found: print it, look at `.best`, `.recipe` and `.result`.

    Raises:
        InputError: Data, recipe, script or space cannot be used, or something is at `out`.

    Example:
        >>> tuned = tune("iris", space={"lr": "1e-4:1e-1:log"}, trials=4, settings=["epochs=5"])  # doctest: +SKIP
        >>> tuned.best  # doctest: +SKIP
        {'optimizer.lr': 0.0123}
        >>> def perceptron(inputs, outputs, width=32):  # doctest: +SKIP
        ...     return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
        >>> tune("iris", model=perceptron, space={"lr": "1e-4:1e-1:log", "width": [8, 32, 128]})  # doctest: +SKIP
        >>> tune("train.py", arguments=["--lr", "{lr}"], space={"lr": "1e-5:1:log"})  # doctest: +SKIP
    """
    if seconds is not None and trials is not None:
        raise InputError("a search has either --seconds or --trials", write=f"--seconds {seconds:g}")
    if seconds is not None and not seconds > 0:
        raise InputError(f"a search of {seconds:g} seconds", legal="more than 0", write=f"--seconds {SECONDS:g}")
    if is_script(subject):
        _refuse(
            "a script",
            "data and recipes",
            target=target,
            recipe=recipe,
            settings=[*settings],
            folds=folds,
            structure=structure,
            model=model,
            ray=ray,
        )
        tuned = tune_script(
            pathlib.Path(str(subject)),
            arguments,
            space=space or (),
            score=score,
            lower=lower,
            protected=not unprotected,
            network=network,
            steps=steps,
            seconds=seconds,
            trials=trials,
            jobs=jobs,
            points=points,
            sampler=sampler,
            winners=winners,
            repeats=repeats,
            generations=generations,
            seed=seed,
            out=out,
            progress=progress,
        )
        return _copied(tuned, optuna)
    of_scripts = {"arguments": arguments, "score": score, "lower": lower, "steps": steps, "jobs": jobs}
    _refuse("data or a recipe", "scripts", **of_scripts, unprotected=unprotected, network=network)
    make = maker_of(model)
    known = make.arguments if isinstance(make, NetworkFactory) else ()
    settings = [f"model.arguments.{text}" if text.partition("=")[0] in known else text for text in settings]
    if isinstance(make, NetworkFactory):
        settings = [f"model.factory={make.name}", *settings]
    chosen, source = recipe_and_source(subject, target, recipe, settings)
    limit = None if trials else (seconds or SECONDS)
    widens = space is None if widen is None else widen
    options = Options(folds, repeats, winners, widens, structure, limit, chosen.device, sampler)
    if trials is not None and not trials >= 1:
        raise InputError(f"a search of {trials:g} full trainings", legal="1 and more", write="--trials 20")
    with folder_for(Study, out, chosen.data.source) as path:
        Study.refuse_existing(path)
        prepared = prepare(chosen, source)
        filled, _ = decide(chosen, prepared)
        given = space if isinstance(space, Space) or space is None else space_from(space, known)
        searched = space_for(chosen, filled, given, structure=structure, widen=widens)
        chosen = with_architecture(chosen, filled, searched)
        try_network(chosen, prepared, searched, make)
        fold_rows = folds_of(prepared, chosen, folds)
        full = steps_of(filled, prepared, fold_rows)
        engine = engine_for(ray, prepared, fold_rows, chosen.device, make)
        try:
            plan = plan_for(
                full,
                (trials or 0) * full,
                generations=generations,
                points=points,
                seed=seed,
                side_by_side=math.ceil(engine.side_by_side / max(1, folds)),
            )
            if trials is None:
                plan, options = fitting(plan, engine, searched, chosen, prepared, fold_rows, options)
            tuned = begin(path, chosen, prepared, searched, fold_rows, plan, options, engine, progress, make)
        finally:
            engine.close()
    return _copied(tuned, optuna)


def resume_search(
    study: Study,
    data: object = None,
    *,
    model: Callable[..., nn.Module] | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Go on with a search; `resume` has the arguments.

    Raises:
        InputError: Another process writes to the Study, or the data has changed.
    """
    if study.info.kind == "script":
        return resume_script(study, progress)
    recipe, make = study.recipe, maker_of(model)
    prepared = prepare(recipe, data)
    if prepared.fingerprint != study.info.fingerprint:
        raise RunFolderError(
            f"the data of {study.path} has changed since the search began",
            cause="the file was edited or replaced",
            write="babysit tune again, into another --out",
        )
    options, plan = options_of(study), plan_of(study)
    filled, _ = decide(recipe, prepared)
    searched = space_for(recipe, filled, Space(study.info.given), structure=False, widen=options.widen)
    fold_rows = folds_of(prepared, recipe, options.folds)
    engine = engine_for(ray, prepared, fold_rows, recipe.device, make)
    try:
        return carry_out(study, recipe, prepared, searched, fold_rows, plan, options, engine, progress, make)
    finally:
        engine.close()


def _refuse(subject: str, owner: str, **given: object) -> None:
    """Arguments that belong to another kind of subject.

    Raises:
        InputError: One of them was given.
    """
    for name, value in given.items():
        if value:
            raise InputError(f"{subject} takes no {name}", legal=f"{name} belongs to {owner}")


def _copied(tuned: Tuned, optuna: str | None) -> Tuned:
    if optuna is not None and tuned.result is not None:
        export_to_optuna(tuned.study, optuna)
    return tuned
