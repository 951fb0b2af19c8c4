"""tune: coarse to fine, on a recipe or data."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import nn

from babysit.api._carry_out import Tuned, begin, carry_out
from babysit.api._search_set_up import (
    REPEATS,
    SECONDS,
    WINNERS,
    MakeEngine,
    Options,
    fitting,
    folds_of,
    free_folder,
    local_engine,
    plan_for,
    plan_of,
    recipe_and_source,
    space_from,
    steps_of,
    try_network,
)
from babysit.api._tune_script import resume_script
from babysit.data import prepare
from babysit.nn import NetworkFactory, maker_of
from babysit.record import InputError, Progress, Recipe, RunFolderError, Study, silent
from babysit.search import GENERATIONS, PointKind, Space, space_for, with_architecture
from babysit.training import decide


def tune(
    subject: object,
    target: str | None = None,
    *,
    space: Space | Mapping[str, Any] | Iterable[str] | None = None,
    recipe: Recipe | str | pathlib.Path | None = None,
    settings: Iterable[str] = (),
    time: float | None = None,
    trials: float | None = None,
    folds: int = 0,
    points: PointKind = "sobol",
    sampler: str = "own",
    winners: int = WINNERS,
    repeats: int = REPEATS,
    generations: int = GENERATIONS,
    structure: bool = False,
    widen: bool = True,
    seed: int = 0,
    out: str | pathlib.Path | None = None,
    model: Callable[..., nn.Module] | None = None,
    engine: MakeEngine | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Search the hyper-parameters coarse to fine, train the winners in full, and say how sure the answer is.

    Args:
        subject: Data as `fit` takes it, a Recipe or its file with the data in it.
        target: The column to learn.
        space: What is searched: a Space, a mapping of names, or texts as after `--space`; None takes rate,
            regularisation and dropout, as far as the recipe leaves them open.
        recipe: That is varied, where `subject` is data.
        settings: Changes to it, as `path=value`.
        time: Seconds that the search may take; it is sized by a short measurement.
        trials: Instead: what may be spent, in full trainings.
        folds: Validate each point on so many folds; 0 takes the data's own split.
        points: Of the coarse stage: sobol, random or grid.
        sampler: Who says where points are: `own`, or Optuna's `tpe`, `gp`, `cmaes`, `qmc` (extra `[optuna]`).
        winners: Points that are trained in full at the end.
        repeats: Seeds of each.
        generations: Of finer points, after each wave of coarse ones; 0 is successive halving alone.
        structure: Search the network's shape, too: depth, width, activation, batch norm, first weights, preprocessing.
        widen: Go beyond a range at whose end the best lies.
        seed: Makes every draw of the search.
        out: The Study folder to make; None takes `studies/NAME-NUMBER`.
        model: A function (or class) of yours that makes the network, in the place of the recipe's own networks; see
            `babysit.nn.NetworkFactory` for what it is told. Its parameters can be searched by their names.
        engine: Makes what trains: of (data, folds, device, network's maker); None trains in this process.
        progress: Receives progress events.

    Returns:
        What was found: print it, look at `.best`, `.recipe`, `.result`.

    Raises:
        InputError: Data, recipe or space cannot be used, or something is at `out`.

    Example:
        >>> tuned = tune("iris", space={"lr": "1e-4:1e-1:log"}, trials=4, settings=["epochs=5"])  # doctest: +SKIP
        >>> tuned.best  # doctest: +SKIP
        {'optimizer.lr': 0.0123}
        >>> def perceptron(inputs, outputs, width=32):  # doctest: +SKIP
        ...     return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
        >>> tune("iris", model=perceptron, space={"lr": "1e-4:1e-1:log", "width": [8, 32, 128]})  # doctest: +SKIP
    """
    make = maker_of(model)
    known = make.arguments if isinstance(make, NetworkFactory) else ()
    settings = [f"model.arguments.{text}" if text.partition("=")[0] in known else text for text in settings]
    if isinstance(make, NetworkFactory):
        settings = [f"model.factory={make.name}", *settings]
    chosen, source = recipe_and_source(subject, target, recipe, settings)
    options = Options(
        folds, repeats, winners, widen, structure, None if trials else (time or SECONDS), chosen.device, sampler
    )
    path = pathlib.Path(out) if out is not None else free_folder("studies", chosen)
    Study.refuse_existing(path)
    if time is not None and trials is not None:
        raise InputError("a search has either --time or --trials", write=f"--time {time:g}")
    if trials is not None and not trials >= 1:
        raise InputError(f"a search of {trials:g} full trainings", legal="1 and more", write="--trials 20")
    prepared = prepare(chosen, source)
    filled, _ = decide(chosen, prepared)
    given = space if isinstance(space, Space) or space is None else space_from(space, known)
    searched = space_for(chosen, filled, given, structure=structure, widen=widen)
    chosen = with_architecture(chosen, filled, searched)
    try_network(chosen, prepared, searched, make)
    fold_rows = folds_of(prepared, chosen, folds)
    full = steps_of(filled, prepared, fold_rows)
    made = (engine or local_engine)(prepared, fold_rows, chosen.device, make)
    try:
        plan = plan_for(
            full, (trials or 0) * full, generations=generations, points=points, seed=seed,
            side_by_side=math.ceil(made.side_by_side / max(1, folds)),
        )  # fmt: skip
        if trials is None:
            plan, options = fitting(plan, made, searched, chosen, prepared, fold_rows, options)
        return begin(path, chosen, prepared, searched, fold_rows, plan, options, made, progress, make)
    finally:
        made.close()


def resume_study(
    study: str | pathlib.Path,
    source: object = None,
    *,
    model: Callable[..., nn.Module] | None = None,
    engine: MakeEngine | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Go on with a search that was interrupted or killed; it ends as if it had never stopped.

    Args:
        study: The Study folder.
        source: The data, when it was given as an object rather than a path.
        model: The function that makes the network, where the search was given one.
        engine: As in `tune`.
        progress: Receives progress events.

    Raises:
        InputError: The folder is no Study, another process writes to it, or the data has changed.
    """
    folder = Study(study)
    if folder.info.kind == "script":
        return resume_script(folder, progress)
    recipe, make = folder.recipe, maker_of(model)
    prepared = prepare(recipe, source)
    if prepared.fingerprint != folder.info.fingerprint:
        raise RunFolderError(
            f"the data of {folder.path} has changed since the search began",
            cause="the file was edited or replaced",
            write="babysit tune again, into another --out",
        )
    options, plan = Options(**folder.info.options), plan_of(folder)
    filled, _ = decide(recipe, prepared)
    searched = Space(folder.info.given)
    searched = space_for(recipe, filled, searched, structure=False, widen=options.widen)
    fold_rows = folds_of(prepared, recipe, options.folds)
    made = (engine or local_engine)(prepared, fold_rows, recipe.device, make)
    try:
        return carry_out(folder, recipe, prepared, searched, fold_rows, plan, options, made, progress, make)
    finally:
        made.close()
