"""A search carried out to its end: what was found is analysed, the winners' models are kept, the page is written."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from rich.console import Group, RenderableType

from babysit.api._result import Result
from babysit.api._search_set_up import Options, filled_in, truth_of
from babysit.data import Prepared
from babysit.nn import MakeNetwork, NetworkFactory, build
from babysit.record import (
    Decision,
    Engine,
    Finding,
    Progress,
    Recipe,
    Run,
    RunSummary,
    SearchAnswer,
    SearchBegan,
    SearchEnded,
    Study,
    StudyResult,
)
from babysit.reports import path_line, render_study_page, study_renderable, write_study_page
from babysit.search import (
    Interrupted,
    Members,
    Plan,
    Sampler,
    Search,
    Searching,
    Space,
    coarse_to_fine,
    conclude,
    described,
    optuna_search,
    recipe_builder,
    train_in_full,
)
from babysit.training import Interruption, assemble, evaluate_phase, load

CPU = torch.device("cpu")


@dataclass(frozen=True, repr=False)
class Tuned(Result):
    """What `tune` answers.

    Attributes:
        study: The folder where everything is kept.
        result: What was found; None after an interruption.
        recipe: The best recipe, every decision filled in; None after an interruption, or for a script.
        page: The report in the Study's folder; None after an interruption.
    """

    study: Study
    result: StudyResult | None
    recipe: Recipe | None
    page: pathlib.Path | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the search, causes first."""
        return self.result.findings if self.result is not None else ()

    @property
    def ok(self) -> bool:
        """Whether the search found a winner."""
        return bool(self.best)

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped the search; `resume` goes on with it."""
        return self.result is None

    @property
    def best(self) -> Mapping[str, Any]:
        """The best settings, by path; empty when there are none."""
        return dict(self.result.winners[0].settings) if self.result is not None and self.result.winners else {}

    def _record(self) -> SearchAnswer:
        return SearchAnswer(str(self.study.path), self.study.info.status, self.result)

    def _title(self) -> str:
        return f"search {self.study.path.name}: {self.study.info.status}"

    def _page(self, command: str = "") -> str:
        return render_study_page(self.study)

    def __rich__(self) -> RenderableType:
        parts = [study_renderable(self.study)]
        if self.page is not None:
            parts.append(path_line("report:", self.page))
            if self.recipe is not None:
                parts.append(path_line("model: ", self.study.path / "winners" / "1"))
        return Group(*parts)


def carry_out(
    study: Study,
    recipe: Recipe,
    prepared: Prepared,
    space: Space,
    folds: Sequence[tuple[Any, Any]],
    plan: Plan,
    options: Options,
    engine: Engine,
    progress: Progress,
    make: MakeNetwork = build,
) -> Tuned:
    """Search, train the winners in full, conclude; what a Study holds already is taken from there."""
    recipes_of = recipe_builder(space, recipe, functools.partial(filled_in, prepared=prepared))
    progress(SearchBegan(described(space), plan.budget * max(1, options.folds), options.seconds))
    result = None
    try:
        with study.writing(), Interruption() as interruption:
            searching = Searching(
                Members(space, recipes_of, options.folds),
                engine,
                folder=study,
                progress=progress,
                stop=lambda: interruption.asked,
                seconds=options.seconds,
            )
            try:
                searching.search(search_of(space, plan, options))
                in_full = train_in_full(searching, options.winners, options.repeats, plan.full)
            except Interrupted:
                study.set_status("interrupted")
                return Tuned(study, None, None, None)
            result = conclude(searching, space, engine, in_full, truth_of(prepared, folds), seed=plan.seed)
            recipes = {
                number: recipes_of(space.point(_units(searching, space, winner.point)), repeat)
                for winner in result.winners
                for number, repeat in [_best_repeat(searching, winner.trials, winner.scores)]
            }
            result = keep_winners(study, result, recipes, engine, prepared, make)
            study.write_result(result)
            study.set_status("finished")
            report = write_study_page(study)
            best_recipe = next(iter(recipes.values()), None)
            return Tuned(study, result, best_recipe, report)
    finally:
        progress(SearchEnded(result))


def _units(searching: Searching, space: Space, point: int) -> list[float]:
    known = next(trial for trial in searching.trials.values() if trial.point == point)
    return [known.units.get(parameter.path, 0.5) for parameter in space]


def _best_repeat(searching: Searching, trials: Sequence[int], scores: Sequence[float]) -> tuple[int, int]:
    """Number and repeat of the trial whose model is kept: the best on the validation rows."""
    number = max(zip(scores, [-number for number in trials], strict=True))[1]
    return -number, searching.trials[-number].repeat


def search_of(space: Space, plan: Plan, options: Options) -> Search:
    """The search itself: the own, or one whose points Optuna chooses."""
    if options.sampler == "own":
        return coarse_to_fine(space, plan)
    return optuna_search(space, plan, cast(Sampler, options.sampler))


def begin(
    path: pathlib.Path,
    recipe: Recipe,
    prepared: Prepared,
    space: Space,
    folds: Sequence[tuple[Any, Any]],
    plan: Plan,
    options: Options,
    engine: Engine,
    progress: Progress,
    make: MakeNetwork = build,
) -> Tuned:
    """Make the Study and carry the search out.

    Raises:
        RunFolderError: Something is at `path`.
    """
    info = {
        "kind": "recipe",
        "subject": prepared.summary.source,
        "space": described(space),
        "given": tuple(parameter.text() for parameter in space),
        "plan": asdict(plan),
        "options": asdict(options),
        "fingerprint": prepared.fingerprint,
    }
    study = Study.create(path, info, recipe)
    return carry_out(study, recipe, prepared, space, folds, plan, options, engine, progress, make)


def keep_winners(
    study: Study,
    result: StudyResult,
    recipes: Mapping[int, Recipe],
    engine: Engine,
    prepared: Prepared,
    make: MakeNetwork = build,
) -> StudyResult:
    """Write a Run for each winner, scored on the rows never seen.

    Args:
        study: Where to.
        result: With the winners, the best first.
        recipes: Of one trial of each winner, by its number.
        engine: That holds the trials.
        prepared: The data.
        make: Makes networks.

    Returns:
        The result with the names of the Runs.
    """
    kept = []
    for place, winner in enumerate(result.winners, start=1):
        number = next((trial for trial in winner.trials if trial in recipes), None)
        if number is None:
            kept.append(winner)
            continue
        name = f"winners/{place}"
        _keep(study, name, number, recipes[number], engine, prepared, result.score_name, winner.mean, make)
        kept.append(replace(winner, run=name))
    return replace(result, winners=tuple(kept))


def _keep(
    study: Study,
    name: str,
    number: int,
    recipe: Recipe,
    engine: Engine,
    prepared: Prepared,
    score_name: str,
    score: float,
    make: MakeNetwork,
) -> None:
    path = study.path / name
    if path.exists():
        return  # an earlier process was killed after it had kept it
    model, layers = assemble(recipe, prepared, make)
    why = f"trial {number} of {study.path.name}: validation {score_name} {score:.4f}, mean over its seeds"
    summary = RunSummary(
        data=prepared.summary,
        decisions=(*prepared.decisions, Decision(setting="search", value=study.path.name, why=why)),
        preprocessing=tuple(model.preprocessing.describe()),
        layers=layers,
    )
    run = Run.create(
        path,
        recipe=recipe,
        summary=summary,
        model=model.settings(recipe.loss),
        split=dict(prepared.split),
        weights=engine.weights(number),
        fingerprint=prepared.fingerprint,
    )
    with run.writing():
        trained = load(run, make if isinstance(make, NetworkFactory) else None)
        for phase in ("validation", "test"):
            if len(prepared.split[phase]):
                run.write_evaluation(evaluate_phase(trained, prepared, phase, CPU, recipe.seed))
        run.set_status("finished")
