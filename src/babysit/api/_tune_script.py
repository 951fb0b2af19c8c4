"""tune for a script: trials are processes, scored by what is measured in them or by what they print."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from babysit.api._carry_out import Tuned, search_of
from babysit.api._folders import folder_for, kept
from babysit.api._search_set_up import REPEATS, WINNERS, Options, plan_of, planned
from babysit.record import (
    HIDDEN,
    InputError,
    Progress,
    Recipe,
    SearchBegan,
    SearchEnded,
    Study,
    Trial,
    hide_arguments,
    silent,
)
from babysit.reports import write_study_page
from babysit.search import (
    GENERATIONS,
    Interrupted,
    Members,
    Plan,
    PointKind,
    ScriptEngine,
    Searching,
    Space,
    Value,
    check_remedies,
    conclude,
    described,
    measure_runs,
    placeholders,
    random_points,
    train_in_full,
)
from babysit.training import Interruption

LOWEST_SHARE = 9  # of a full training, as a divisor: two rungs below it
TRIALS = 20.0  # full trainings, where no number is given


def tune_script(
    script: str | pathlib.Path,
    arguments: Sequence[str],
    *,
    space: Space | Mapping[str, Any] | Iterable[str],
    score: str | None = None,
    lower: bool = False,
    protected: bool = True,
    network: bool = False,
    steps: int | None = None,
    seconds: float | None = None,
    trials: float | None = None,
    jobs: int | None = None,
    points: PointKind = "sobol",
    sampler: str = "own",
    winners: int = WINNERS,
    repeats: int = REPEATS,
    generations: int = GENERATIONS,
    seed: int = 0,
    out: str | pathlib.Path | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Search the arguments of a script; `tune` has the arguments.

    Raises:
        InputError: The script is not there, the space and the placeholders do not fit, or it has no score.
    """
    path = pathlib.Path(script)
    if not path.is_file():
        raise InputError(f"there is no script {path}", write="babysit tune train.py --space lr=1e-5:1:log -- --lr {lr}")
    trials = TRIALS if trials is None else trials
    if not trials >= 1:
        raise InputError(f"a search of {trials:g} full trainings", legal="1 and more", write="--trials 20")
    given = space if isinstance(space, Space) and space.free_names else _free(space)
    command = [str(path), *arguments]
    engine = _engine(command, given, score, lower, jobs, steps, protected, network)
    takes_steps, takes_seed = "steps" in engine.placeholders or bool(steps), "seed" in engine.placeholders
    if takes_steps and not steps:
        raise InputError("the arguments have {steps}, and --steps does not say how many", write="--steps 20")
    full = steps if takes_steps and steps else 1
    plan = Plan(
        full=full,
        budget=trials * full,
        lowest=max(1, full // LOWEST_SHARE),
        generations=generations,
        points=points,
        together=min(engine.jobs, max(1, int(trials) // 4)),
        workers=engine.side_by_side,
        seed=seed,
    )
    options = Options(
        winners=winners, repeats=repeats if takes_seed else 1, widen=False, seconds=seconds, sampler=sampler
    )
    with folder_for(Study, out, str(path)) as folder:
        Study.refuse_existing(folder)
        if seconds is not None:
            try:
                plan, options = _fitting(plan, engine, given, options, seconds)
            except BaseException:
                engine.close()
                raise
        info = {
            "kind": "script",
            "subject": str(path),
            "space": described(given),
            "given": tuple(one.text() for one in given),
            "plan": asdict(plan),
            "options": asdict(options)
            | {"command": hide_arguments(command), "score": score, "lower": lower, "jobs": jobs, "steps": steps}
            | {"protected": protected, "network": network},
            "fingerprint": "",
        }
        return _carry_out(Study.create(folder, info, None), given, plan, options, engine, progress)


def resume_script(study: Study, progress: Progress = silent) -> Tuned:
    """Go on with the search over a script's arguments."""
    options = kept(Options, study.info.options, study)  # it passes over what is of scripts alone
    of_script = kept(_ScriptOptions, study.info.options, study)
    if any(one == HIDDEN or one.endswith(f"={HIDDEN}") for one in of_script.command):
        raise InputError(
            f"the command of {study.path} had a secret among its arguments, which was not kept",
            legal="secrets that the script reads from the environment",
            write="babysit tune again, with the secret in an environment variable",
        )
    space = Space(study.info.given, free_names=True)
    engine = _engine(
        list(of_script.command),
        space,
        of_script.score,
        of_script.lower,
        of_script.jobs,
        of_script.steps,
        of_script.protected,
        of_script.network,
    )
    return _carry_out(study, space, plan_of(study), options, engine, progress)


@dataclass(frozen=True)
class _ScriptOptions:
    """What a Study over a script keeps beside the options of every search."""

    command: tuple[str, ...]
    score: str | None
    lower: bool
    jobs: int | None
    steps: int | None = None
    protected: bool = True
    network: bool = False


def _engine(
    command: list[str],
    space: Space,
    score: str | None,
    lower: bool,
    jobs: int | None,
    steps: int | None,
    protected: bool,
    network: bool,
) -> ScriptEngine:
    names = [one.path for one in space]
    epochs = bool(steps) and "steps" not in placeholders(command)
    engine = ScriptEngine(
        command, names, score=score, lower=lower, jobs=jobs, epochs=epochs, protected=protected, network=network
    )
    check_remedies([one for one in space if one.path in engine.changed])
    return engine


def _fitting(plan: Plan, engine: ScriptEngine, space: Space, options: Options, seconds: float) -> tuple[Plan, Options]:
    """The plan, and how many winners, that fit the time, after a few runs of the script."""
    members = Members(space, lambda point, repeat: Recipe(seed=plan.seed))

    def make(first: int, count: int) -> list[Trial]:
        drawn = random_points(space, count, plan.seed + first)  # others each time: some fail
        return [
            trial
            for number, units in enumerate(drawn)
            for trial in members.trials(first + number, space.point(units.tolist()))
        ]

    began = time.monotonic()
    speed = measure_runs(engine, make, seconds, plan.lowest, plan.full)
    return planned(plan, speed, seconds - (time.monotonic() - began), options)


def _carry_out(
    study: Study,
    space: Space,
    plan: Plan,
    options: Options,
    engine: ScriptEngine,
    progress: Progress,
) -> Tuned:
    def build(point: Mapping[str, Value], repeat: int) -> Recipe:
        return Recipe(seed=plan.seed + repeat)

    progress(SearchBegan(described(space), plan.budget, options.seconds))
    result = None
    try:
        with study.writing(), Interruption() as interruption:
            searching = Searching(
                Members(space, build),
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
            result = conclude(searching, space, engine, in_full, None, seed=plan.seed)
            study.write_result(result)
            study.set_status("finished")
            return Tuned(study, result, None, write_study_page(study))
    finally:
        progress(SearchEnded(result))
        engine.close()


def _free(space: Space | Mapping[str, Any] | Iterable[str]) -> Space:
    if isinstance(space, Mapping):
        return Space(space, free_names=True)
    return Space.parse([one if isinstance(one, str) else one.text() for one in space], free_names=True)
