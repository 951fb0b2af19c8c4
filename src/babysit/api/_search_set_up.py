"""What a search needs before it begins: recipe and data, folds, how long a trial is, how many fit the time."""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from babysit.api._folders import kept
from babysit.data import Prepared, folds_of_prepared
from babysit.nn import MakeNetwork, NetworkFactory
from babysit.record import Engine, InputError, Recipe, Study, Trial, load_recipe, with_settings
from babysit.search import (
    SAMPLERS,
    LocalEngine,
    Members,
    Plan,
    PointKind,
    RayEngine,
    Space,
    Speed,
    Truth,
    measure_speed,
    on_all,
    random_points,
    recipe_builder,
    sized,
)
from babysit.training import assemble, batches_per_epoch, decide, judged_rows

SECONDS = 60.0  # of a search without a time limit of its own
LOWEST_STEPS = 30  # below it says nothing: a warm-up and the first steps of any network look alike
LOWEST_SHARE = 27.0  # of a full trial's steps, as a divisor: three rungs below the full length
WINNERS, REPEATS = 3, 3
# Where time is short: fewer winners and seeds before fewer trials, which are what finds anything.
FINALS = ((WINNERS, REPEATS), (3, 2), (2, 2), (2, 1), (1, 1))
FINALS_SHARE = 0.35
CHANCE_STEPS = 100  # some sound networks stay at chance for fifty steps (see the finding stuck-at-chance)

Points = tuple[tuple[float, ...], ...]  # unit coordinates


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
        sampler: Whose points are tried: `own`, or one of Optuna's.
    """

    folds: int = 0
    repeats: int = REPEATS
    winners: int = WINNERS
    widen: bool = True
    structure: bool = False
    seconds: float | None = None
    device: str = "auto"
    sampler: str = "own"

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"{self.folds} folds", legal="0: the data's own split, or 2 and more", write="--folds 5")
        if self.repeats < 1 or self.winners < 1:
            raise InputError(
                f"{self.winners} winners with {self.repeats} seeds",
                legal="1 and more of each",
                write="--winners 3 --repeats 3",
            )
        if self.sampler not in ("own", *SAMPLERS):
            raise InputError(f"no sampler '{self.sampler}'", legal=", ".join(("own", *SAMPLERS)), write="--sampler tpe")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"a search of {self.seconds:g} seconds", legal="more than 0", write="--seconds 60")


def recipe_and_source(
    subject: object, target: str | None, recipe: Recipe | str | pathlib.Path | None, settings: Iterable[str]
) -> tuple[Recipe, object]:
    """The recipe that is varied, and the data where they were given as an object.

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


def space_from(given: Mapping[str, Any] | Iterable[str], arguments: Iterable[str] = ()) -> Space:
    """A Space from a mapping or from texts; `arguments` are names of a network's function."""
    return Space(given, arguments=arguments) if isinstance(given, Mapping) else Space.parse(given, arguments=arguments)


def try_network(recipe: Recipe, prepared: Prepared, space: Space, make: MakeNetwork) -> None:
    """One network in the middle of the space, so that a function that makes none is known before anything is written.

    Raises:
        InputError: The function's network does not fit the data, an argument is missing, or the function itself is.
    """
    if isinstance(make, NetworkFactory) or recipe.model.factory is not None:
        middle = space.apply(recipe, space.point([0.5] * len(space)))
        assemble(filled_in(middle, prepared=prepared), prepared, make)


def folds_of(prepared: Prepared, recipe: Recipe, folds: int) -> list[tuple[Any, Any]]:
    """Folds of all rows but the test rows, dealt as the recipe's split deals rows.

    Raises:
        DataError: Fewer rows, groups or times than folds.
    """
    return folds_of_prepared(prepared, recipe.split, folds, recipe.seed) if folds else []


def steps_of(filled: Recipe, prepared: Prepared, folds: Sequence[tuple[Any, Any]]) -> int:
    """Steps of a full trial."""
    assert filled.budget.epochs is not None
    assert filled.budget.batch_size is not None
    # Folds of a time grow: a trial of a smaller one ends before, at the end of its own epochs.
    rows = max((len(train) for train, _ in folds), default=len(prepared.split["train"]))
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


def engine_for(
    ray: str | None, prepared: Prepared, folds: Sequence[tuple[Any, Any]], device: str, make: MakeNetwork
) -> Engine:
    """What trains the trials: this process, or a Ray cluster at the address `ray`.

    Raises:
        InputError: Trials on a cluster cannot use the device.
    """
    if ray is None:
        return LocalEngine(prepared, folds=folds, device=device, make=make)
    if device not in ("auto", "cpu"):
        raise InputError(
            f"device '{device}' with --ray", legal="cpu: a worker has one core", write="--settings device=cpu"
        )
    return RayEngine(prepared, folds=folds, address=ray, make=make)


def fitting(
    plan: Plan,
    engine: Engine,
    space: Space,
    recipe: Recipe,
    prepared: Prepared,
    folds: Sequence[tuple[Any, Any]],
    options: Options,
) -> tuple[Plan, Options]:
    """The plan, and how many winners, that fit the time, by a short measurement on this engine."""
    seconds = options.seconds
    assert seconds is not None
    members = Members(
        space, recipe_builder(space, recipe, functools.partial(filled_in, prepared=prepared)), options.folds
    )

    def make(first: int, count: int) -> list[Trial]:
        drawn = random_points(space, count, plan.seed + first)  # others each time: some fail
        made: list[Trial] = []
        for number, units in enumerate(drawn):
            made += members.trials(first + number, space.point(units.tolist()))[:1]  # of the folds the first
        return made

    share = judged_share(filled_in(recipe, prepared=prepared), prepared, folds)
    speed = measure_speed(engine, make, seconds, share)
    return planned(plan, speed, seconds, options, members.each, share)


def planned(
    plan: Plan, speed: Speed, seconds: float, options: Options, each: int = 1, share: Callable[[int], float] = on_all
) -> tuple[Plan, Options]:
    """The plan, and how many winners, that fit the time.

    Args:
        plan: Its budget is left open.
        speed: Of the engine.
        seconds: Time limit in seconds.
        options: The winners and seeds that are wanted, at most.
        each: Trials a point: folds.
        share: Of the validation rows that a trial is judged on.
    """
    for winners, repeats in FINALS:
        options = replace(options, winners=min(winners, options.winners), repeats=min(repeats, options.repeats))
        finals = options.winners * options.repeats * each
        if speed.seconds(finals, plan.full) <= FINALS_SHARE * seconds:
            break
    return sized(plan, speed, seconds, each=each, finals=finals, share=share), options


def judged_share(filled: Recipe, prepared: Prepared, folds: Sequence[tuple[Any, Any]]) -> Callable[[int], float]:
    """Of the validation rows that a trial is judged on, by its steps; `babysit.training` holds the rule."""
    assert filled.budget.batch_size is not None
    batch_size = filled.budget.batch_size
    train, held_out = folds[0] if folds else (prepared.split["train"], prepared.split["validation"])
    per_epoch, rows = batches_per_epoch(len(train), batch_size), len(held_out)
    return lambda step: judged_rows(step, batch_size, per_epoch, rows) / max(1, rows)


def filled_in(recipe: Recipe, *, prepared: Prepared) -> Recipe:
    """The recipe with every decision filled in."""
    return decide(recipe, prepared)[0]


def plan_for(
    full: int,
    budget: float,
    *,
    generations: int,
    points: PointKind,
    seed: int,
    side_by_side: int = 1,
    first: Points = (),
) -> Plan:
    """A plan for trials of so many steps.

    Args:
        full: Steps of a full trial.
        budget: Steps over all trials; 0 is to be fitted to the time.
        generations: Of the fine stage.
        points: Of the coarse stage.
        seed: Of every draw of the search.
        side_by_side: Trials that the engine trains at the same time.
        first: Points that are tried before all others.
    """
    return Plan(
        full=full,
        budget=budget,
        lowest=lowest_rung(full),
        generations=generations,
        points=points,
        chance_from=CHANCE_STEPS,
        seed=seed,
        first=first,
        workers=side_by_side,
    )


def plan_of(study: Study) -> Plan:
    """The plan that a Study was begun with."""
    return kept(Plan, study.info.plan, study)


def options_of(study: Study) -> Options:
    """The options that a Study over data or a recipe was begun with."""
    return kept(Options, study.info.options, study)
