"""fit: from data to a trained, scored and kept network with a report."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from babysit.api._search_first import SEARCH_SECONDS, search_first, search_folder
from babysit.api._search_set_up import Options
from babysit.data import Prepared, prepare
from babysit.diseases import check_names, diagnose
from babysit.record import (
    Evaluation,
    Finding,
    InputError,
    Progress,
    Recipe,
    RecipeError,
    Run,
    RunFolderError,
    RunSummary,
    Study,
    load_recipe,
    silent,
    with_settings,
)
from babysit.reports import write_page
from babysit.training import (
    Outcome,
    TrainedModel,
    Training,
    assemble,
    check_first_loss,
    choose_device,
    decide,
    evaluate_phase,
    examples_of,
    load,
    loss_of,
    pack_weights,
)

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Fitted:
    """What `fit` gives back.

    Attributes:
        run: The folder where everything is kept.
        model: The trained model: raw inputs in, answers out.
        outcome: How the training ended.
        evaluations: Scores by phase; empty after an interruption.
        report: The page; None after an interruption.
        findings: What was wrong with the training, causes first.
    """

    run: Run
    model: TrainedModel
    outcome: Outcome
    evaluations: dict[str, Evaluation]
    report: pathlib.Path | None
    findings: list[Finding]


def fit(
    source: object = None,
    target: str | None = None,
    *,
    recipe: Recipe | str | pathlib.Path | None = None,
    settings: Iterable[str] = (),
    time: float = SEARCH_SECONDS,
    out: str | pathlib.Path | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Read data, choose a beginning, search, train, score on rows never seen, and keep it all in a Run folder.

    Args:
        source: A file, folder or bundled set by name, or a table, arrays or a Dataset; None takes the recipe's.
        target: What to learn; None takes the recipe's, or finds it.
        recipe: A Recipe, its file, or the name of one that comes with babysit.
        settings: Changes to it, as `path=value`.
        time: Seconds for the search of rate, regularisation and dropout, as far as they are left open; 0 leaves it out.
        out: The Run folder to make; None takes `runs/NAME-NUMBER`. The search is kept beside it, as `NAME-search`.
        progress: Receives progress events, of the search and of the training.

    Raises:
        InputError: Data, recipe or settings cannot be used, or something is at `out`.
        KeyboardInterrupt: The search was stopped; `resume` goes on with it.

    Example:
        >>> fitted = fit("iris", settings=["epochs=1"], out="runs/iris")  # doctest: +SKIP
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe or "default")
    chosen = with_settings(chosen, [*settings])
    chosen = _with_source(chosen, source, target)
    check_names(chosen.watch.ignore)
    path = pathlib.Path(out) if out is not None else _free_folder(chosen)
    Run.refuse_existing(path)
    Run.refuse_existing(search_folder(path))
    if not time >= 0:
        raise InputError(f"a search of {time:g} seconds", legal="0 for none, or more", write="--time 30")
    return _fit(path, chosen, source, time, progress)


def _fit(
    path: pathlib.Path,
    chosen: Recipe,
    source: object,
    time: float,
    progress: Progress,
) -> Fitted:
    prepared = prepare(chosen, None if isinstance(source, str | pathlib.Path) else source)
    filled, decisions = decide(chosen, prepared)
    if time:
        searched = search_first(path, chosen, filled, prepared, time, progress)
        filled, rest = decide(searched.recipe, prepared)
        decisions = (*searched.decisions, *rest)
    device = choose_device(filled.device)
    model, layers = assemble(filled, prepared)
    first_loss = check_first_loss(
        model.network, loss_of(prepared, filled, CPU), examples_of(model, prepared, filled, CPU)
    )
    summary = RunSummary(
        data=prepared.summary,
        decisions=(*prepared.decisions, *decisions),
        preprocessing=tuple(model.preprocessing.describe()),
        layers=layers,
        checks=(first_loss,),
        device=str(device),
    )
    run = Run.create(
        path,
        recipe=filled,
        summary=summary,
        model=model.settings(filled.loss),
        split=dict(prepared.split),
        weights=pack_weights(model),
        fingerprint=prepared.fingerprint,
    )
    return _train_and_score(run, model, prepared, device, progress)


def resume(
    run: str | pathlib.Path,
    source: object = None,
    *,
    progress: Progress = silent,
) -> Fitted:
    """Go on with a training that was interrupted or killed; it ends as if it had never stopped.

    Args:
        run: The Run folder.
        source: The data, when it was given as an object rather than a path.
        progress: Receives progress events, of the search, where that was stopped, and of the training.

    Raises:
        InputError: The folder is no Run, another process writes to it, or the data has changed.
    """
    begun = search_folder(pathlib.Path(run))
    if not pathlib.Path(run).exists() and (begun / "study.json").exists():
        study = Study(begun)
        seconds = Options(**study.info.options).seconds or SEARCH_SECONDS
        return _fit(pathlib.Path(run), study.recipe, source, seconds, progress)
    folder = Run(run)
    recipe = folder.recipe
    prepared = prepare(recipe, source)
    split = folder.split
    same_split = split.keys() == prepared.split.keys() and all(
        np.array_equal(split[phase], rows) for phase, rows in prepared.split.items()
    )
    if prepared.fingerprint != folder.info.fingerprint or not same_split:
        raise RunFolderError(
            f"the data of {folder.path} has changed since the training began",
            cause="the file was edited or replaced",
            write="babysit fit again, into another --out",
        )
    return _train_and_score(folder, load(folder), prepared, choose_device(recipe.device), progress)


def _with_source(recipe: Recipe, source: object, target: str | None) -> Recipe:
    update: dict[str, str] = {}
    if isinstance(source, str | pathlib.Path):
        update["source"] = str(source)
    if target is not None:
        update["target"] = target
    if source is None and recipe.data.source is None:
        raise RecipeError("no data was given", write="babysit fit DATA, or source = under [data] in the recipe")
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=update)})


def _free_folder(recipe: Recipe) -> pathlib.Path:
    name = pathlib.Path(recipe.data.source or "data").stem or "data"
    numbers = range(1, 1_000_000)
    paths = (pathlib.Path("runs") / f"{name}-{number}" for number in numbers)
    return next(path for path in paths if not path.exists() and not search_folder(path).exists())


def _train_and_score(
    run: Run, model: TrainedModel, prepared: Prepared, device: torch.device, progress: Progress
) -> Fitted:
    recipe = run.recipe
    with run.writing():
        model.to(device)
        examples = examples_of(model, prepared, recipe, device)
        loss = loss_of(prepared, recipe, device)
        outcome = Training(model.network, loss, examples, recipe, run=run, progress=progress).run()
        run.write("weights.safetensors", pack_weights(model))
        run.set_status("finished" if outcome.finished else "interrupted")
        model.eval()
        findings = diagnose(run.trace(), ignore=recipe.watch.ignore)
        run.write_findings(findings)
        if not outcome.finished:
            return Fitted(run, model, outcome, {}, None, findings)
        evaluations = {}
        for phase in ("validation", "test"):
            if len(prepared.split[phase]):
                evaluations[phase] = evaluate_phase(model, prepared, phase, device, recipe.seed)
                run.write_evaluation(evaluations[phase])
        report = write_page(run)
    return Fitted(run, model.cpu(), outcome, evaluations, report, findings)
