"""Optuna's samplers by ask and tell, and a finished search in Optuna's storage.

A sampler says where the next trials should be; rungs, budget, engine and Study are the same as for the own search. So
what is compared is where points are put, and nothing else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from babysit.record import InputError, MissingExtraError, Standing, Study
from babysit.search._box import Box
from babysit.search._coarse_to_fine import Round, Rung, Search
from babysit.search._parameter import Choice, Parameter, Range, Value, text_of
from babysit.search._plan import Plan
from babysit.search._rungs import affordable, going_on, left_after
from babysit.search._space import Space

Sampler = Literal["tpe", "gp", "cmaes", "qmc"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
ROUNDS = 8  # in which points are asked for; a sampler learns between them


def optuna_search(space: Space, plan: Plan, sampler: Sampler) -> Search:
    """A search whose points one of Optuna's samplers chooses; trials go through the plan's rungs in rounds.

    Args:
        space: What is searched.
        plan: Budget, rungs, seed.
        sampler: tpe, gp, cmaes or qmc.

    Yields:
        A Round of one rung; it wants to be sent the scores of its points.

    Raises:
        MissingExtraError: Optuna, or what the sampler needs, is not installed.
        InputError: The budget does not bear one trial.
    """
    optuna = installed()
    study = optuna.create_study(direction="maximize", sampler=_sampler(optuna, sampler, plan.seed))
    box, spent, first = Box.whole(space), 0.0, 0
    if not affordable(plan.budget, plan.rungs, plan.factor):
        raise InputError(
            f"a budget of {plan.budget:g} steps does not bear one trial of {plan.full}", write="--trials 10"
        )
    for turn in range(ROUNDS):
        rest = (plan.budget - spent) / (ROUNDS - turn)
        count = affordable(rest, plan.rungs, plan.factor)
        if count < plan.together:
            count = min(plan.together, affordable(plan.budget - spent, plan.rungs, plan.factor))
        if not count:
            return
        trials = [study.ask() for _ in range(count)]
        points = {first + place: _asked(space, trial) for place, trial in enumerate(trials)}
        known = {first + place: trial for place, trial in enumerate(trials)}
        first += count
        latest: dict[int, float] = {}
        steps: dict[int, int] = {}
        standing = [*points]
        sizes = left_after(count, len(plan.rungs), plan.factor)
        for place, step in enumerate(plan.rungs):
            going: dict[int, Mapping[str, Value]] = {number: points[number] for number in standing}
            gone = tuple(number for number in points if number not in going and number in steps) if place else ()
            scores = yield Round((Rung("fine" if turn else "coarse", turn, step, going, box),), gone)
            for number, score in scores.items():
                spent += max(0, score.step - steps.get(number, 0))
                steps[number] = score.step
                latest[number] = -math.inf if score.failed else score.score
                if math.isfinite(latest[number]):
                    known[number].report(latest[number], score.step)
            following = sizes[place + 1] if place + 1 < len(sizes) else 0
            standing = going_on(scores, following, chance_from=plan.chance_from)
            if not standing:
                break
        for number, trial in known.items():
            if math.isfinite(latest.get(number, -math.inf)):
                # Short trials are reported like long ones: a sampler cannot learn from weak trials it never hears of.
                study.tell(trial, latest[number])
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)


def export_to_optuna(study: Study, storage: str, name: str | None = None) -> int:
    """Copy a search into Optuna's storage, for its dashboard and its plots.

    Args:
        study: The Study.
        storage: As Optuna names it, such as `sqlite:///studies.db`.
        name: Of the study there; None takes the folder's.

    Returns:
        How many trials were written.

    Raises:
        MissingExtraError: Optuna is not installed.
        InputError: The storage cannot be used, or holds a study of that name.

    Example:
        >>> export_to_optuna(Study("studies/digits-1"), "sqlite:///studies.db")  # doctest: +SKIP
        61
    """
    optuna = installed()
    name = name or study.path.name
    space = Space(study.info.given, free_names=study.info.kind == "script")
    standings = sorted(study.standings(), key=lambda standing: standing.point)
    full = max((standing.step for standing in standings), default=0)
    try:
        made = optuna.create_study(storage=storage, study_name=name, direction="maximize")
    except optuna.exceptions.DuplicatedStudyError:
        raise InputError(
            f"{storage} holds a study '{name}' already", write=f"another name than '{name}', or another storage"
        ) from None
    except Exception as error:
        raise InputError(
            f"Optuna cannot use the storage '{storage}': {str(error).splitlines()[0]}", write="sqlite:///studies.db"
        ) from None
    made.set_user_attr("made by", f"babysit {study.info.versions.get('babysit', '')}")
    made.add_trials([_frozen(optuna, space, standing, full) for standing in standings])
    return len(standings)


def installed() -> Any:
    """Optuna, quiet.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("Optuna is not installed", write="pip install 'babysit[optuna]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _sampler(optuna: Any, name: Sampler, seed: int) -> Any:
    seed = int(np.random.default_rng([seed, 11]).integers(2**31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samplers that call themselves experimental
        if name == "tpe":
            return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        if name == "gp":
            return optuna.samplers.GPSampler(seed=seed)
        if name == "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed)
        if name == "qmc":
            return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_asynchronous_seeding=False)
    raise InputError(f"no sampler '{name}'", legal=", ".join(("own", *SAMPLERS)), write="--sampler tpe")


def _asked(space: Space, trial: Any) -> dict[str, Value]:
    """The sampler's values; of what does not count, none."""
    chosen: dict[str, Value] = {}
    for parameter in space.in_order:
        if space.counts(parameter, chosen):
            chosen[parameter.path] = _suggest(parameter, trial)
    return {parameter.path: chosen[parameter.path] for parameter in space if parameter.path in chosen}


def _suggest(parameter: Parameter, trial: Any) -> Value:
    value: Value
    if isinstance(parameter, Choice):
        texts = [text_of(option) for option in parameter.options]
        value = parameter.options[texts.index(trial.suggest_categorical(parameter.path, texts))]
    elif parameter.whole:
        value = trial.suggest_int(parameter.path, int(parameter.low), int(parameter.high), log=parameter.scale == "log")
    else:
        value = trial.suggest_float(parameter.path, parameter.low, parameter.high, log=parameter.scale == "log")
    return value


def _frozen(optuna: Any, space: Space, standing: Standing, full: int) -> Any:
    """A trial as Optuna keeps it: complete at full length, pruned below, failed where it failed."""
    states = optuna.trial.TrialState
    distributions, params = {}, {}
    for parameter in space:
        if parameter.path in standing.settings:
            value = standing.settings[parameter.path]
            distributions[parameter.path] = _distribution(optuna, parameter, value)
            params[parameter.path] = text_of(value) if isinstance(parameter, Choice) else value
    course = {step: score for step, score in standing.course if math.isfinite(score)}
    complete = standing.step == full and not standing.failed
    state = states.FAIL if standing.failed else states.COMPLETE if complete else states.PRUNED
    return optuna.trial.create_trial(
        state=state,
        value=standing.score if complete else None,
        params=params,
        distributions=distributions,
        intermediate_values=course,
        user_attrs={"stage": standing.stage, "generation": standing.generation, "ended": standing.status},
    )


def _distribution(optuna: Any, parameter: Parameter, value: object) -> Any:
    """The range as it was given, opened to a value that a widened search found beyond it."""
    if isinstance(parameter, Choice):
        return optuna.distributions.CategoricalDistribution([text_of(option) for option in parameter.options])
    assert isinstance(parameter, Range)
    assert isinstance(value, int | float)
    low, high, log = min(parameter.low, value), max(parameter.high, value), parameter.scale == "log"
    if parameter.whole:
        return optuna.distributions.IntDistribution(int(low), int(high), log=log)
    return optuna.distributions.FloatDistribution(float(low), float(high), log=log)
