"""`babysit check`."""

from __future__ import annotations

import os
import pathlib
from typing import Annotated

from cyclopts import Parameter

import babysit
from babysit.cli._answer import STANDARD_OUTPUT, tell, words
from babysit.cli._options import Argument, File, Flag, Module, Settings, Texts, refuse_folders
from babysit.record import InputError, PreFlight, storage_error
from babysit.reports import CheckFormat, LiveView, check_as, step_summary


def check(
    subject: str,
    /,
    *arguments: Argument,
    module: Module = False,
    unprotected: Flag = False,
    network: Flag = False,
    target: str | None = None,
    settings: Settings = None,
    only: Texts = None,
    skip: Texts = None,
    ignore: Texts = None,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    report: File = None,
    plain: Flag = False,
    form: Annotated[CheckFormat, Parameter(name="--format")] = "text",
    background: Flag = False,
    json: File = None,
) -> int:
    """The pre-flight: eight steps before hours are spent, each with its numbers and a verdict.

    The verdict is sound, sick or not judged. Sound needs evidence: the training was seen to learn what a constant
    answer does not know, a few rows were overfitted, and nothing that matters was unseen. With --only or --skip the
    verdict is that of the steps that were asked for.

    Exit code 0 when sound, 1 when sick, 3 when not judged, 2 when the check could not be run.

    Parameters
    ----------
    subject
        A script (a .py file, or with -m the name of a module), a recipe (a .toml file), or data as `fit` takes it.
    arguments
        Of a script: its own arguments, after --.
    module
        The subject is the name of a module, as in python -m.
    unprotected
        Of a script: let its rehearsals write to your files. Needed only where the system cannot keep them away.
    network
        Of a script: let its rehearsals reach the network.
    target
        Of data: the column to learn.
    settings
        Of data and recipes: changes to the recipe, as path=value.
    only
        Steps to do: data, wiring, init, initial-loss, regularisation, overfit-tiny, rate-range, short-training.
    skip
        Steps to leave out.
    ignore
        Findings to ignore, by name.
    seconds
        Time limit in seconds; 60, for a script 90.
    steps
        Steps of the watched training, at most; 200. A script is watched to its end where there is time.
    seed
        Seed of every rehearsal.
    report
        Write the answer as one HTML file.
    plain
        Lines instead of a live panel.
    form
        How the answer is printed: text, github (annotations, and a step summary), sarif (2.1.0) or junit.
    background
        Answer at once with the name of a job, which goes on by itself: babysit status JOB.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    if form != "text" and json == STANDARD_OUTPUT:
        raise InputError(
            f"--format {form} and --json both want the standard output",
            legal="one of them; or --json with a file",
            write=f"--format {form} --json answer.json",
        )
    with LiveView(plain=plain) as progress:
        checked = babysit.check(
            subject,
            arguments=arguments,
            module=module,
            unprotected=unprotected,
            network=network,
            target=target,
            settings=settings or (),
            only=only or (),
            skip=skip or (),
            ignore=ignore or (),
            seconds=seconds,
            steps=steps,
            seed=seed,
            progress=progress,
        )
    following = ""
    if checked.verdict == "sick" and (module or subject.endswith((".py", ".toml"))):
        following = words("babysit", "heal", subject, arguments=arguments, module=module)
    if form == "text":
        return tell(checked, json, report, following)
    if form == "github":
        _summarize(checked.pre_flight)
    file = subject if not module and os.path.isfile(subject) else ""
    return tell(checked, json, report, text=lambda: check_as(form, checked.pre_flight, babysit.__version__, file))


def _summarize(found: PreFlight) -> None:
    """Add the answer to the summary of the step, where GitHub has a file for it."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(step_summary(found))
        except OSError as error:
            raise storage_error(error, pathlib.Path(path)) from error
