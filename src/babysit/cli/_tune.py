"""`babysit tune`."""

from __future__ import annotations

import json as json_text
import pathlib
import sys
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

import babysit
from babysit.cli._codes import BAD_NEWS, DONE, INTERRUPTED
from babysit.record import InputError, to_json
from babysit.reports import LiveView, print_study

Texts = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Flag = Annotated[bool, Parameter(negative="")]


def tune(
    subject: str | None = None,
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    target: str | None = None,
    space: Texts = None,
    recipe: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True, negative="")] = None,
    time: float | None = None,
    trials: float | None = None,
    folds: int = 0,
    points: Literal["sobol", "random", "grid"] = "sobol",
    sampler: Literal["own", "tpe", "gp", "cmaes", "qmc"] = "own",
    winners: int = 3,
    repeats: int = 3,
    generations: int = 6,
    structure: Flag = False,
    no_widen: Flag = False,
    score: str | None = None,
    lower: Flag = False,
    steps: int | None = None,
    jobs: int | None = None,
    seed: int = 0,
    out: pathlib.Path | None = None,
    resume: pathlib.Path | None = None,
    ray: str | None = None,
    optuna: str | None = None,
    plain: Flag = False,
    json: Flag = False,
) -> int:
    """Search the hyper-parameters coarse to fine, train the winners in full, say how sure the answer is.

    Parameters
    ----------
    subject
        Data as `fit` takes it, or a recipe (a .toml file) with its data.
    arguments
        Of a script (a .py file), after `--`: its arguments, with {lr} for each setting, perhaps {steps} and {seed}.
    target
        Of data: the column to learn.
    space
        What is searched: lr=1e-6:1e-1:log dropout=0:0.5 depth=1:4:integer activation=relu,tanh
        "momentum=0.5:0.99 if optimizer.name=sgd", or a TOML file of such. Of a script: names in braces among its
        arguments; or, of a script without such arguments, changes to its training, such as lr and batch-size.
    recipe
        Of data: the recipe that is varied.
    set_
        Changes to it, such as epochs=20.
    time
        Seconds that the search may take; 60 when neither this nor trials is given.
    trials
        Instead: what may be spent, in full trainings.
    folds
        Validate each point on so many folds.
    points
        Of the coarse stage.
    sampler
        Whose points are tried: babysit's own, or those of one of Optuna's samplers.
    winners
        Points that are trained in full at the end.
    repeats
        Seeds of each.
    generations
        Of finer points, after each wave of coarse ones; 0 is successive halving alone.
    structure
        Search depth, width, activation, batch norm, first weights and preprocessing, too.
    no_widen
        Stay within the ranges, even where the best lies at an end.
    score
        Of a script: the name that it prints before its score. Without it a trial's score is what is measured in its
        training: of the last evaluation, else the loss.
    lower
        Of a script: a lower number is better.
    steps
        Of a script: what {steps} is in a full training; of one that takes no {steps}, its epochs.
    jobs
        Of a script: processes at a time; as many as there are cores when it is not given.
    seed
        Makes every draw of the search.
    out
        The Study folder to make; else studies/NAME-NUMBER.
    resume
        Go on with an interrupted or killed search instead.
    ray
        Train on a Ray cluster: local, auto, or HOST:PORT of its head.
    optuna
        Storage to which the finished search is copied, such as sqlite:///studies.db.
    plain
        Lines instead of a live panel.
    json
        The result as JSON on the standard output.
    """
    engine = babysit.ray_engine(ray) if ray is not None else None
    shown = LiveView(plain=plain)
    if resume is not None:
        given = {"SUBJECT": subject, "--space": space, "--recipe": recipe, "--set": set_, "--out": out, "--time": time}
        surplus = ", ".join(name for name, value in given.items() if value is not None)
        if surplus:
            raise InputError(
                f"--resume goes on with a search as it was begun, and {surplus} would change it",
                write=f"babysit tune --resume {resume}",
            )
        tuned = babysit.resume_study(resume, engine=engine, progress=shown)
    elif subject is None:
        raise InputError("nothing to tune was given", write="babysit tune DATA, or babysit tune recipe.toml")
    elif subject.endswith(".py"):
        tuned = babysit.tune_script(
            subject, arguments, space=space or (), score=score, lower=lower, steps=steps, trials=trials or 20.0,
            jobs=jobs, points=points, sampler=sampler, winners=winners, repeats=repeats, generations=generations,
            seed=seed, out=out, progress=shown,
        )  # fmt: skip
    else:
        if arguments:
            raise InputError(f"'{arguments[0]}' follows {subject}, which is no script", write=f"babysit tune {subject}")
        tuned = babysit.tune(
            subject, target, space=space, recipe=recipe, settings=set_ or (), time=time, trials=trials, folds=folds,
            points=points, sampler=sampler, winners=winners, repeats=repeats, generations=generations,
            structure=structure, widen=not no_widen, seed=seed, out=out, engine=engine, progress=shown,
        )  # fmt: skip
    if optuna is not None and tuned.result is not None:
        count = babysit.export_to_optuna(tuned.study, optuna)
        Console(stderr=True).print(f"{count} trials copied to {optuna}", soft_wrap=True, highlight=False)
    if json:
        result = None if tuned.result is None else to_json(tuned.result)
        content = {"study": str(tuned.study.path), "status": tuned.study.info.status, "result": result}
        sys.stdout.write(json_text.dumps(content, indent=2) + "\n")
    else:
        console = Console()
        print_study(tuned.study, console)
        if tuned.report is not None:
            console.print(f"report: {tuned.report}", soft_wrap=True, highlight=False)
            if tuned.recipe is not None:
                console.print(f"model:  {tuned.study.path / 'winners' / '1'}", soft_wrap=True, highlight=False)
    if tuned.result is None:
        return INTERRUPTED
    return DONE if tuned.result.winners else BAD_NEWS
