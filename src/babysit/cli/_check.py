"""`babysit check`."""

from __future__ import annotations

import pathlib
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

import babysit
from babysit.cli._codes import BAD_NEWS, DONE, INTERRUPTED
from babysit.record import InputError, write_atomic
from babysit.reports import LiveView, print_check

Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]


def check(
    subject: str,
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    module: Annotated[bool, Parameter(name=["--module", "-m"], negative="")] = False,
    target: str | None = None,
    only: Names = None,
    skip: Names = None,
    ignore: Names = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True, negative="")] = None,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    json: pathlib.Path | None = None,
) -> int:
    """The pre-flight: eight steps before hours are spent, each with its numbers and a verdict.

    Exit code 0 sound, 1 sick, 2 could not be run.

    Parameters
    ----------
    subject
        A script (a .py file, or with -m a module's name), a recipe (a .toml file), or data as `fit` takes it.
    arguments
        The script's own, after --.
    module
        The subject is a module's name, as in python -m.
    target
        Of data: the column to learn.
    only
        Steps to do: data, wiring, init, initial-loss, regularisation, overfit-tiny, rate-range, short-training.
    skip
        Steps not to do.
    ignore
        Names of findings not to report.
    set_
        Changes to the recipe, as path=value.
    seconds
        That may be spent; 60, for a script 90.
    steps
        Of the watched training, at most; 200, a script is watched to its end where there is time.
    seed
        Of every rehearsal.
    json
        Where to write the report as JSON, too.
    """
    if json is not None and json.is_dir():
        raise InputError(f"{json} is a folder", legal="a file to write", write=f"--json {json}/check.json")
    with LiveView() as progress:
        report = babysit.check(
            subject,
            arguments=arguments,
            module=module,
            target=target,
            settings=set_ or (),
            only=_apart(only),
            skip=_apart(skip),
            ignore=_apart(ignore),
            seconds=seconds,
            steps=steps,
            seed=seed,
            progress=progress,
        )
    if json is not None:
        write_atomic(json, report.to_json() + "\n")
    print_check(report.pre_flight, Console())
    if report.pre_flight.interrupted:
        return INTERRUPTED
    return DONE if report.ok else BAD_NEWS


def _apart(names: list[str] | None) -> list[str]:
    """Names with blanks or with commas between them."""
    return [name for given in names or [] for name in given.split(",") if name]
