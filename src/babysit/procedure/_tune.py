"""tune: coarse to fine, on a recipe or data."""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from babysit.data import Prepared, k_folds, prepare
from babysit.procedure._winners import keep_winners
from babysit.record import (
    Engine,
    InputError,
    Recipe,
    RunFolderError,
    StudyFolder,
    StudyListener,
    StudyResult,
    StudySilence,
    Trial,
    load_recipe,
    refuse_existing_study,
    with_settings,
)
from babysit.report import study_text, write_study_page
from babysit.train import Interruption, batches_per_epoch, decide
from babysit.tune import (
    Interrupted,
    LocalEngine,
    Members,
    Plan,
    PointKind,
    Searching,
    Space,
    Truth,
    best_points,
    coarse_to_fine,
    conclude,
    described,
    measure_speed,
    random_points,
    recipe_builder,
    sized,
    space_for,
)

SECONDS = 60.0  # that a search takes when nobody says
GENERATIONS = 5
LOWEST_STEPS = 30  # below, nothing can be told: a warm-up, and the first steps of any network look alike
LOWEST_SHARE = 27.0  # of a full trial's steps, as a divisor: three rungs below the full length
WINNERS, REPEATS = 3, 3
# Where time is short: fewer winners and seeds before fewer trials, which are what finds anything.
FINALS = ((WINNERS, REPEATS), (3, 2), (2, 2), (2, 1), (1, 1))
FINALS_SHARE = 0.35
CHANCE_STEPS = 100  # some sound networks stay at chance for fifty steps (see the finding stuck-at-chance)

MakeEngine = Callable[[Prepared, Sequence[tuple[Any, Any]], str], Engine]


@dataclass(frozen=True)
class Tuned:
    """What `tune` gives back: it prints as the table of what was found.

    Attributes:
        study: The folder where everything is kept.
        result: What was found; None after an interruption.
        recipe: The best recipe, every decision filled in; None after an interruption, or for a script.
        report: The page; None after an interruption.
    """

    study: StudyFolder
    result: StudyResult | None
    recipe: Recipe | None
    report: pathlib.Path | None

    @property
    def best(self) -> Mapping[str, Any]:
        """The best settings, by path; empty when there are none."""
        return dict(self.result.winners[0].settings) if self.result is not None and self.result.winners else {}

    def __str__(self) -> str:
        return study_text(self.study)


@dataclass(frozen=True)
class Options:
    """How a search is done, as far as a Study keeps it.

    Attributes:
        folds: Of the data; 0 takes its own split.
        repeats: Seeds of each winner in full.
        winners: Points in full.
        widen: Whether ranges may be widened.
        structure: Whether the default space has the network's shape.
        seconds: After which it is cut short; None never is.
        device: Of the engine.
    """

    folds: int = 0
    repeats: int = REPEATS
    winners: int = WINNERS
    widen: bool = True
    structure: bool = False
    seconds: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"{self.folds} folds", legal="0: the data's own split, or 2 and more", write="--folds 5")
        if self.repeats < 1 or self.winners < 1:
            raise InputError(
                f"{self.winners} winners with {self.repeats} seeds",
                legal="1 and more of each",
                write="--winners 3 --repeats 3",
            )
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"a search of {self.seconds:g} seconds", legal="more than 0", write="--time 60")


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
    winners: int = WINNERS,
    repeats: int = REPEATS,
    generations: int = GENERATIONS,
    structure: bool = False,
    widen: bool = True,
    seed: int = 0,
    out: str | pathlib.Path | None = None,
    engine: MakeEngine | None = None,
    listener: StudyListener | None = None,
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
        winners: Points that are trained in full at the end.
        repeats: Seeds of each.
        generations: Of the fine stage; 0 is successive halving alone.
        structure: Search the network's shape, too: depth, width, activation, batch norm, first weights, preprocessing.
        widen: Go beyond a range at whose end the best lies.
        seed: Makes every draw of the search.
        out: The Study folder to make; None takes `studies/NAME-NUMBER`.
        engine: Makes what trains: of (data, folds, device); None trains in this process.
        listener: Who shows it.

    Returns:
        What was found: print it, look at `.best`, `.recipe`, `.result`.

    Raises:
        InputError: Data, recipe or space cannot be used, or something is at `out`.

    Example:
        >>> tuned = tune("iris", space={"lr": "1e-4:1e-1:log"}, trials=4, settings=["epochs=5"])  # doctest: +SKIP
        >>> tuned.best  # doctest: +SKIP
        {'optimizer.lr': 0.0123}
    """
    chosen, source = recipe_and_source(subject, target, recipe, settings)
    options = Options(folds, repeats, winners, widen, structure, None if trials else (time or SECONDS), chosen.device)
    path = pathlib.Path(out) if out is not None else free_folder("studies", chosen)
    refuse_existing_study(path)
    if time is not None and trials is not None:
        raise InputError("a search has either --time or --trials", write=f"--time {time:g}")
    if trials is not None and not trials >= 1:
        raise InputError(f"a search of {trials:g} full trainings", legal="1 and more", write="--trials 20")
    prepared = prepare(chosen, source)
    filled, _ = decide(chosen, prepared)
    given = space if isinstance(space, Space) or space is None else space_from(space)
    searched = space_for(chosen, filled, given, structure=structure, widen=widen)
    fold_rows = folds_of(prepared, chosen, folds)
    full = steps_of(filled, prepared, fold_rows)
    plan = Plan(
        full=full, budget=(trials or 0) * full, lowest=lowest_rung(full), generations=generations, points=points,
        chance_from=CHANCE_STEPS, seed=seed,
    )  # fmt: skip
    made = (engine or local_engine)(prepared, fold_rows, chosen.device)
    try:
        if trials is None:
            plan, options = _sized(plan, made, searched, chosen, prepared, options)
        info = {
            "kind": "recipe",
            "subject": prepared.summary.source,
            "space": described(searched),
            "given": tuple(parameter.text() for parameter in searched),
            "plan": asdict(plan),
            "options": asdict(options),
            "fingerprint": prepared.fingerprint,
        }
        study = StudyFolder.create(path, info, chosen)
        return _carry_out(study, chosen, prepared, searched, fold_rows, plan, options, made, listener)
    finally:
        made.close()


def resume_study(
    study: str | pathlib.Path,
    source: object = None,
    *,
    engine: MakeEngine | None = None,
    listener: StudyListener | None = None,
) -> Tuned:
    """Go on with a search that was interrupted or killed; it ends as if it had never stopped.

    Args:
        study: The Study folder.
        source: The data, when it was given as an object rather than a path.
        engine: As in `tune`.
        listener: Who shows it.

    Raises:
        InputError: The folder is no Study, another process writes to it, or the data has changed.
    """
    folder = StudyFolder(study)
    recipe = folder.recipe
    prepared = prepare(recipe, source)
    if prepared.fingerprint != folder.info.fingerprint:
        raise RunFolderError(
            f"the data of {folder.path} has changed since the search began",
            cause="the file was edited or replaced",
            write="babysit tune again, into another --out",
        )
    options, plan = Options(**folder.info.options), Plan(**folder.info.plan)
    filled, _ = decide(recipe, prepared)
    searched = Space(folder.info.given)
    searched = space_for(recipe, filled, searched, structure=False, widen=options.widen)
    fold_rows = folds_of(prepared, recipe, options.folds)
    made = (engine or local_engine)(prepared, fold_rows, recipe.device)
    try:
        return _carry_out(folder, recipe, prepared, searched, fold_rows, plan, options, made, listener)
    finally:
        made.close()


def _carry_out(
    study: StudyFolder,
    recipe: Recipe,
    prepared: Prepared,
    space: Space,
    folds: Sequence[tuple[Any, Any]],
    plan: Plan,
    options: Options,
    engine: Engine,
    listener: StudyListener | None,
) -> Tuned:
    shown: StudyListener = listener or StudySilence()
    build = recipe_builder(space, recipe, functools.partial(_fill, prepared=prepared))
    shown.began(parameters=described(space), steps=plan.budget * max(1, options.folds), seconds=options.seconds)
    result = None
    try:
        with study.writing(), Interruption() as interruption:
            searching = Searching(
                Members(space, build, options.folds), engine, folder=study, listener=shown,
                stop=lambda: interruption.asked, seconds=options.seconds,
            )  # fmt: skip
            try:
                searching.search(coarse_to_fine(space, plan))
                best = best_points(searching.standings(), options.winners)
                in_full = searching.in_full(best, options.repeats, plan.full) if best else {}
            except Interrupted:
                study.set_status("interrupted")
                return Tuned(study, None, None, None)
            result = conclude(searching, space, engine, in_full, truth_of(prepared, folds), seed=plan.seed)
            recipes = {
                number: build(space.point(_units(searching, space, winner.point)), repeat)
                for winner in result.winners
                for number, repeat in [_best_repeat(searching, winner.trials, winner.scores)]
            }
            result = keep_winners(study, result, recipes, engine, prepared)
            study.write_result(result)
            study.set_status("finished")
            report = write_study_page(study)
            best_recipe = next(iter(recipes.values()), None)
            return Tuned(study, result, best_recipe, report)
    finally:
        shown.ended(result)


def _units(searching: Searching, space: Space, point: int) -> list[float]:
    known = next(trial for trial in searching.trials.values() if trial.point == point)
    return [known.units.get(parameter.path, 0.5) for parameter in space]


def _best_repeat(searching: Searching, trials: Sequence[int], scores: Sequence[float]) -> tuple[int, int]:
    """Number and repeat of the trial whose model is kept: the best on the rows that choose."""
    number = max(zip(scores, [-number for number in trials], strict=True))[1]
    return -number, searching.trials[-number].repeat


def _fill(recipe: Recipe, *, prepared: Prepared) -> Recipe:
    return decide(recipe, prepared)[0]


def _sized(
    plan: Plan, engine: Engine, space: Space, recipe: Recipe, prepared: Prepared, options: Options
) -> tuple[Plan, Options]:
    """The plan, and how many winners, that fit the time, by a short measurement on this engine."""
    seconds = options.seconds
    assert seconds is not None
    members = Members(space, recipe_builder(space, recipe, functools.partial(_fill, prepared=prepared)), options.folds)

    def make(first: int, count: int) -> list[Trial]:
        drawn = random_points(space, count, plan.seed)
        made: list[Trial] = []
        for number, units in enumerate(drawn):
            made += members.trials(first + number * members.each, space.point(units.tolist()))[:1]
        return made

    speed = measure_speed(engine, make, seconds)
    for winners, repeats in FINALS:
        options = replace(options, winners=min(winners, options.winners), repeats=min(repeats, options.repeats))
        finals = options.winners * options.repeats * members.each
        if speed.seconds(finals, plan.full) <= FINALS_SHARE * seconds:
            break
    return sized(plan, speed, seconds, each=members.each, finals=finals), options


def recipe_and_source(
    subject: object, target: str | None, recipe: Recipe | str | pathlib.Path | None, settings: Iterable[str]
) -> tuple[Recipe, object]:
    """What is varied, and the data where it is no path.

    Raises:
        InputError: There are no data.
    """
    source = None
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe or "default")
    if isinstance(subject, Recipe):
        chosen = subject
    elif isinstance(subject, str | pathlib.Path) and pathlib.Path(subject).suffix == ".toml":
        chosen = load_recipe(subject)
    elif isinstance(subject, str | pathlib.Path):
        chosen = chosen.model_copy(update={"data": chosen.data.model_copy(update={"source": str(subject)})})
    else:
        source = subject
    if target is not None:
        chosen = chosen.model_copy(update={"data": chosen.data.model_copy(update={"target": target})})
    chosen = with_settings(chosen, [*settings])
    if source is None and chosen.data.source is None:
        raise InputError("no data was given", write="babysit tune DATA, or source = under [data] in the recipe")
    return chosen, source


def space_from(given: Mapping[str, Any] | Iterable[str]) -> Space:
    """A Space from a mapping or from texts."""
    return Space(given) if isinstance(given, Mapping) else Space.parse(given)


def folds_of(prepared: Prepared, recipe: Recipe, folds: int) -> list[tuple[Any, Any]]:
    """Folds of all rows but the test rows.

    Raises:
        InputError: The split keeps groups or an order of time, which folds over rows would break.
    """
    if not folds:
        return []
    if recipe.split.method in ("grouped", "time"):
        raise InputError(
            f"folds of a {recipe.split.method} split would train on rows that belong to those held out",
            legal="split.method random or stratified with folds",
            write="leave out --folds: the split's own validation rows choose",
        )
    rows = np.sort(np.concatenate([prepared.split["train"], prepared.split["validation"]]))
    dealt = k_folds(prepared.targets[torch.from_numpy(rows)], folds, recipe.seed)
    return [(rows[train], rows[held]) for train, held in dealt]


def steps_of(filled: Recipe, prepared: Prepared, folds: Sequence[tuple[Any, Any]]) -> int:
    """Steps of a full trial."""
    assert filled.budget.epochs is not None
    assert filled.budget.batch_size is not None
    rows = len(folds[0][0]) if folds else len(prepared.split["train"])
    return filled.budget.epochs * batches_per_epoch(rows, filled.budget.batch_size)


def lowest_rung(full: int) -> int:
    """Steps of the lowest rung."""
    return max(1, min(full, max(LOWEST_STEPS, math.floor(full / LOWEST_SHARE))))


def truth_of(prepared: Prepared, folds: Sequence[tuple[Any, Any]]) -> Truth:
    """What answers are compared with."""

    def targets(phase: str, fold: int | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        rows = folds[fold][1] if fold is not None and phase == "validation" else prepared.split[phase]
        return prepared.targets[torch.from_numpy(np.ascontiguousarray(rows))].double().numpy()

    return Truth(prepared.task.kind, targets)


def local_engine(prepared: Prepared, folds: Sequence[tuple[Any, Any]], device: str) -> Engine:
    """Trains in this process."""
    return LocalEngine(prepared, folds=folds, device=device)


def free_folder(parent: str, recipe: Recipe) -> pathlib.Path:
    """A path of which nothing is yet."""
    name = pathlib.Path(recipe.data.source or "data").stem or "data"
    numbers = range(1, 1_000_000)
    return next(path for number in numbers if not (path := pathlib.Path(parent) / f"{name}-{number}").exists())
