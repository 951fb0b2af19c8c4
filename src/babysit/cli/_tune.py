"""`babysit tune`."""

from __future__ import annotations

from typing import Literal

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import Argument, File, Flag, Settings, Texts, refuse_folders
from babysit.record import InputError
from babysit.reports import CleanConsole, LiveView


def tune(
    subject: str | None = None,
    /,
    *arguments: Argument,
    unprotected: Flag = False,
    network: Flag = False,
    target: str | None = None,
    space: Texts = None,
    recipe: str | None = None,
    settings: Settings = None,
    seconds: float | None = None,
    trials: float | None = None,
    folds: int = 0,
    points: Literal["sobol", "random", "grid"] = "sobol",
    sampler: Literal["own", "tpe", "gp", "cmaes", "qmc"] = "own",
    winners: int = 3,
    repeats: int = 3,
    generations: int = 6,
    structure: Flag = False,
    widen: bool | None = None,
    score: str | None = None,
    lower: Flag = False,
    steps: int | None = None,
    jobs: int | None = None,
    seed: int = 0,
    out: File = None,
    ray: str | None = None,
    optuna: str | None = None,
    report: File = None,
    plain: Flag = False,
    json: File = None,
) -> int:
    """Search the hyper-parameters coarse to fine, train the winners in full, say how sure the answer is.

    Exit code 1 when every trial failed, 130 when the search was interrupted: babysit resume goes on with it.

    Parameters
    ----------
    subject
        Data as `fit` takes it, a recipe (a .toml file) with its data, or a script (a .py file).
    arguments
        Of a script, after `--`: its arguments, with {lr} for each setting, perhaps {steps} and {seed}.
    unprotected
        Of a script: let its trials write to your files. Needed only where the system cannot keep them away.
    network
        Of a script: let its trials reach the network.
    target
        Of data: the column to learn.
    space
        What is searched: lr=1e-6:1e-1:log dropout=0:0.5 depth=1:4:integer activation=relu,tanh
        "momentum=0.5:0.99 if optimizer.name=sgd", or a TOML file of such. Of a script: names in braces among its
        arguments; or, of a script without such arguments, remedies such as lr and batch-size.
    recipe
        Of data: the recipe that is varied.
    settings
        Of data and recipes: changes to the recipe, such as epochs=20.
    seconds
        Time limit in seconds. With neither this nor trials it is 60; of a script there is none then.
    trials
        Instead: how much may be trained, in full trainings; of a script 20 with neither.
    folds
        Validate each point on so many folds.
    points
        Points of the coarse stage.
    sampler
        What chooses the points: babysit's own search, or one of Optuna's samplers.
    winners
        Points that are trained in full at the end.
    repeats
        Seeds of each.
    generations
        Generations of finer points, after each wave of coarse ones; 0 is successive halving alone.
    structure
        Search depth, width, activation, batch norm, first weights and preprocessing, too.
    widen
        Go beyond a range where the best lies at its end. Without either, only where babysit chose the ranges.
    score
        Of a script: the name that it prints before its score. Without it a trial's score is what is measured in its
        training: the score of the last evaluation, else the loss.
    lower
        Of a script: a lower printed score is better.
    steps
        Of a script: what {steps} is in a full training; of one that takes no {steps}, its epochs.
    jobs
        Of a script: processes at a time; as many as there are cores when it is not given.
    seed
        Seed of every draw of the search.
    out
        The Study folder to make; else studies/NAME-NUMBER.
    ray
        The address of a Ray cluster that trains: local, auto, or HOST:PORT of its head.
    optuna
        Storage to which the finished search is copied, such as sqlite:///studies.db.
    report
        Write the answer as one HTML file, beside the one in the Study folder.
    plain
        Lines instead of a live panel.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    if subject is None:
        raise InputError("nothing to tune was given", write="babysit tune DATA, or babysit tune recipe.toml")
    with LiveView(plain=plain) as progress:
        tuned = babysit.tune(
            subject,
            target,
            unprotected=unprotected,
            network=network,
            space=space,
            recipe=recipe,
            settings=settings or (),
            arguments=arguments,
            seconds=seconds,
            trials=trials,
            folds=folds,
            points=points,
            sampler=sampler,
            winners=winners,
            repeats=repeats,
            generations=generations,
            structure=structure,
            widen=widen,
            score=score,
            lower=lower,
            steps=steps,
            jobs=jobs,
            seed=seed,
            out=out,
            ray=ray,
            optuna=optuna,
            progress=progress,
        )
    code = tell(tuned, json, report)
    if optuna is not None and tuned.result is not None:
        CleanConsole(stderr=True).print(f"the search is copied to {optuna}", soft_wrap=True, highlight=False)
    return code
