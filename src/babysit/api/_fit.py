"""fit: from data to a trained, scored and kept network with a report."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from rich.console import Group, RenderableType

from babysit.api._folders import folder_for, search_folder
from babysit.api._result import Result, trace_picture
from babysit.api._search_first import SEARCH_SECONDS, search_first
from babysit.data import Prepared, prepare
from babysit.diseases import check_names, diagnose
from babysit.record import (
    DataPrepared,
    Evaluation,
    Finding,
    InputError,
    Progress,
    Recipe,
    RecipeError,
    Run,
    RunSummary,
    TrainingAnswer,
    load_recipe,
    silent,
    with_settings,
)
from babysit.reports import path_line, render_page, summary_renderable, training_answer, write_page
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
    loss_of,
    pack_weights,
)

CPU = torch.device("cpu")


@dataclass(frozen=True, repr=False)
class Fitted(Result):
    """What `fit` answers.

    Attributes:
        run: The folder where everything is kept.
        model: The trained model: raw inputs in, answers out.
        outcome: How the training ended.
        evaluations: Scores by phase; empty after an interruption.
        page: The report in the Run's folder; None after an interruption.
        found: What was wrong with the training, causes first; `.findings` is the same.
    """

    run: Run
    model: TrainedModel
    outcome: Outcome
    evaluations: dict[str, Evaluation]
    page: pathlib.Path | None
    found: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was wrong with the training, causes first."""
        return self.found

    @property
    def ok(self) -> bool:
        """Whether the training did not diverge."""
        return not self.outcome.diverged

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped the training; `resume` goes on with it."""
        return not self.outcome.finished

    def _record(self) -> TrainingAnswer:
        return training_answer(self.run, reason=self.outcome.reason, report=self.page)

    def _title(self) -> str:
        return f"{self.run.path.name}: {self.outcome.reason}"

    def _page(self, command: str = "") -> str:
        return render_page(self.run)

    def _picture(self) -> str:
        return trace_picture(self.run.trace())

    def __rich__(self) -> RenderableType:
        if self.interrupted:
            return Group(summary_renderable(self.run), path_line("go on:  babysit resume", self.run.path))
        return Group(summary_renderable(self.run), path_line("report:", self.page))


def fit(
    data: object = None,
    target: str | None = None,
    *,
    recipe: Recipe | str | pathlib.Path | None = None,
    settings: Iterable[str] = (),
    seconds: float = SEARCH_SECONDS,
    out: str | pathlib.Path | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Read data, choose a beginning, search, train, score on rows never seen, and keep it all in a Run folder.

    Args:
        data: A file, folder or bundled set by name, or a table, arrays or a Dataset; None takes the recipe's.
        target: What to learn; None takes the recipe's, or finds it.
        recipe: A Recipe, its file, or the name of one that comes with babysit.
        settings: Changes to it, as `path=value`.
        seconds: Time limit in seconds of the search of rate, regularisation and dropout, as far as they are left open;
            0 leaves the search out.
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
    chosen = _with_source(chosen, data, target)
    check_names(chosen.watch.ignore)
    if not seconds >= 0:
        raise InputError(f"a search of {seconds:g} seconds", legal="0 for no search, or more", write="--seconds 30")
    with folder_for(Run, out, chosen.data.source) as path:
        Run.refuse_existing(path)
        Run.refuse_existing(search_folder(path))
        return fit_recipe(path, chosen, data, seconds, progress)


def fit_recipe(
    path: pathlib.Path,
    chosen: Recipe,
    source: object,
    seconds: float,
    progress: Progress,
) -> Fitted:
    """Search and train what a recipe says, into a new Run."""
    prepared = prepare(chosen, None if isinstance(source, str | pathlib.Path) else source)
    progress(DataPrepared(prepared.summary, prepared.decisions))
    filled, decisions = decide(chosen, prepared)
    if seconds:
        searched = search_first(path, chosen, filled, prepared, seconds, progress)
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
    return train_and_score(run, model, prepared, device, progress)


def _with_source(recipe: Recipe, source: object, target: str | None) -> Recipe:
    update: dict[str, str] = {}
    if isinstance(source, str | pathlib.Path):
        update["source"] = str(source)
    if target is not None:
        update["target"] = target
    if source is None and recipe.data.source is None:
        raise RecipeError("no data was given", write="babysit fit DATA, or source = under [data] in the recipe")
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=update)})


def train_and_score(
    run: Run, model: TrainedModel, prepared: Prepared, device: torch.device, progress: Progress
) -> Fitted:
    """Train a Run to its end, score it, and write its report."""
    recipe = run.recipe
    with run.writing():
        model.to(device)
        examples = examples_of(model, prepared, recipe, device)
        loss = loss_of(prepared, recipe, device)
        outcome = Training(model.network, loss, examples, recipe, run=run, progress=progress).run()
        run.write("weights.safetensors", pack_weights(model))
        run.set_status("finished" if outcome.finished else "interrupted")
        model.eval()
        findings = tuple(diagnose(run.trace(), ignore=recipe.watch.ignore))
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
