"""A search carried out to its end: what was found is analysed, the winners' models are kept, the page is written."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from babysit.api._search_set_up import Options, filled_in, truth_of
from babysit.api._winners import keep_winners
from babysit.data import Prepared
from babysit.nn import MakeNetwork
from babysit.nn import build as build_from_recipe
from babysit.record import Engine, Progress, Recipe, SearchBegan, SearchEnded, Study, StudyResult
from babysit.reports import study_text, write_study_page
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
from babysit.training import Interruption


@dataclass(frozen=True)
class Tuned:
    """What `tune` gives back: it prints as the table of what was found.

    Attributes:
        study: The folder where everything is kept.
        result: What was found; None after an interruption.
        recipe: The best recipe, every decision filled in; None after an interruption, or for a script.
        report: The page; None after an interruption.
    """

    study: Study
    result: StudyResult | None
    recipe: Recipe | None
    report: pathlib.Path | None

    @property
    def best(self) -> Mapping[str, Any]:
        """The best settings, by path; empty when there are none."""
        return dict(self.result.winners[0].settings) if self.result is not None and self.result.winners else {}

    def __str__(self) -> str:
        return study_text(self.study)


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
    make: MakeNetwork = build_from_recipe,
) -> Tuned:
    """Search, train the winners in full, conclude; what a Study holds already is taken from there."""
    build = recipe_builder(space, recipe, functools.partial(filled_in, prepared=prepared))
    progress(SearchBegan(described(space), plan.budget * max(1, options.folds), options.seconds))
    result = None
    try:
        with study.writing(), Interruption() as interruption:
            searching = Searching(
                Members(space, build, options.folds), engine, folder=study, progress=progress,
                stop=lambda: interruption.asked, seconds=options.seconds,
            )  # fmt: skip
            try:
                searching.search(search_of(space, plan, options))
                in_full = train_in_full(searching, options.winners, options.repeats, plan.full)
            except Interrupted:
                study.set_status("interrupted")
                return Tuned(study, None, None, None)
            result = conclude(searching, space, engine, in_full, truth_of(prepared, folds), seed=plan.seed)
            recipes = {
                number: build(space.point(_units(searching, space, winner.point)), repeat)
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
    make: MakeNetwork = build_from_recipe,
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
