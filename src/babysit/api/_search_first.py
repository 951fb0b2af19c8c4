"""The search before a training: a share of the time, the settings that are usually wrong, or nothing at all.

It is kept as a Study beside the Run. Where a search could not be worth its time (too few trainings fit, nothing is left
open, no rows choose) it is left out, and that is said.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

from babysit.api._carry_out import Tuned, begin, carry_out
from babysit.api._folders import search_folder
from babysit.api._search_set_up import Options, engine_for, fitting, options_of, plan_for, plan_of, steps_of
from babysit.data import Prepared
from babysit.nn import build
from babysit.record import Decision, Progress, Recipe, RunFolderError, Study, with_settings
from babysit.search import Space, default_space, settings_of, space_for

SEARCH_SECONDS = 30.0
LEAST_TRIALS = 8.0  # full trainings: a search of fewer finds less than the defaults hold already
GENERATIONS = 3


class Searched(NamedTuple):
    """What the search before a training left.

    Attributes:
        recipe: With what was found.
        decisions: What to say of it.
        tuned: The search; None where there was none.
    """

    recipe: Recipe
    decisions: tuple[Decision, ...]
    tuned: Tuned | None


def search_first(
    run: pathlib.Path,
    recipe: Recipe,
    filled: Recipe,
    prepared: Prepared,
    seconds: float,
    progress: Progress,
) -> Searched:
    """Search the settings that the recipe leaves open.

    Args:
        run: The Run that will be made.
        recipe: As its user wrote it.
        filled: Every decision filled in.
        prepared: The data.
        seconds: Time limit in seconds.
        progress: Receives progress events.

    Raises:
        KeyboardInterrupt: It was stopped; what was finished is kept.
    """
    path = search_folder(run)
    space = default_space(recipe, filled)
    if space is None:
        return _left_out(recipe, "the recipe fixes what would be searched")
    if not len(prepared.split["validation"]):
        return _left_out(recipe, "there are no validation rows to choose a trial by")
    engine = engine_for(None, prepared, (), recipe.device, build)
    try:
        if (path / "study.json").exists():
            study = Study(path)
            if study.info.fingerprint != prepared.fingerprint:
                raise RunFolderError(
                    f"the data of {path} has changed since the search began",
                    cause="the file was edited or replaced",
                    write="babysit fit again, into another --out",
                )
            options, plan = options_of(study), plan_of(study)
            space = space_for(recipe, filled, Space(study.info.given), structure=False, widen=options.widen)
            tuned = carry_out(study, recipe, prepared, space, (), plan, options, engine, progress)
        else:
            options = Options(seconds=seconds, device=recipe.device)
            full = steps_of(filled, prepared, ())
            first = usual_point(space, filled)
            plan = plan_for(
                full,
                0,
                generations=GENERATIONS,
                points="sobol",
                seed=recipe.seed,
                first=first,
                side_by_side=engine.side_by_side,
            )
            plan, options = fitting(plan, engine, space, recipe, prepared, (), options)
            if plan.budget < LEAST_TRIALS * full:
                why = (
                    f"in {seconds:g} s a search would bear {plan.budget / full:.0f} trainings; --seconds gives it more"
                )
                return _left_out(recipe, why)
            tuned = begin(path, recipe, prepared, space, (), plan, options, engine, progress)
    finally:
        engine.close()
    if tuned.result is None:
        raise KeyboardInterrupt(f"go on: babysit resume {run}")
    return _with_winner(recipe, tuned)


def usual_point(space: Space, filled: Recipe) -> tuple[tuple[float, ...], ...]:
    """The recipe's own settings as a point, so that a search never ends below where it began."""
    content = filled.model_dump()
    units = []
    for parameter in space:
        section, _, name = parameter.path.rpartition(".")
        units.append(min(1.0, max(0.0, parameter.unit(content[section][name]))))
    return (tuple(units),)


def _with_winner(recipe: Recipe, tuned: Tuned) -> Searched:
    assert tuned.result is not None
    if not tuned.result.winners:
        return Searched(recipe, (Decision(setting="search", value="none", why="every trial failed"),), tuned)
    result, best = tuned.result, tuned.result.winners[0]
    ties = sum(winner.tied for winner in result.winners)
    why = f"the best of {result.trials} trials, {result.score_name} {best.mean:.4f} on the validation rows"
    why += f", a tie with {ties} more" if ties else ""
    why += f" ({tuned.study.path})"
    decisions = tuple(
        Decision(setting=path, value=f"{value:.4g}" if isinstance(value, float) else str(value), why=why)
        for path, value in best.settings.items()
    )
    return Searched(with_settings(recipe, settings_of(recipe, best.settings)), decisions, tuned)


def _left_out(recipe: Recipe, why: str) -> Searched:
    return Searched(recipe, (Decision(setting="search", value="left out", why=why),), None)
