"""`babysit heal`."""

from __future__ import annotations

import json as json_text
import pathlib
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

import babysit
from babysit.cli._codes import BAD_NEWS, DONE, INTERRUPTED
from babysit.record import InputError, to_json, write_atomic
from babysit.reports import LiveView, print_healing


def heal(
    subject: str,
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    module: Annotated[bool, Parameter(name=["--module", "-m"], negative="")] = False,
    target: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    ignore: Annotated[list[str] | None, Parameter(negative="")] = None,
    seconds: float = 120.0,
    steps: int | None = None,
    seeds: int = 3,
    seed: int = 0,
    apply: pathlib.Path | None = None,
    json: pathlib.Path | None = None,
) -> int:
    """Diagnose, rehearse the remedies, and recommend the smallest change that works, with what it did.

    Exit code 0 nothing was wrong, 1 something is (whether a change heals it or not), 2 could not be run.

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
    set_
        Changes to the recipe, as path=value; may be given several times.
    ignore
        The name of a finding not to go by; may be given several times.
    seconds
        That may be spent.
    steps
        Of each rehearsal; 300, a script runs to its own end.
    seeds
        On which the recommended change is held against the untouched training.
    seed
        The first of them.
    apply
        Where to write a patched copy of the script; never over the script itself.
    json
        Where to write what was found as JSON.
    """
    for name, path in (("json", json), ("apply", apply)):
        if path is not None and path.is_dir():
            raise InputError(f"{path} is a folder", legal="a file to write", write=f"--{name} {path}/{name}.{name}")
    with LiveView() as progress:
        found = babysit.heal(
            subject,
            arguments=arguments,
            module=module,
            target=target,
            settings=set_ or (),
            ignore=ignore or (),
            seconds=seconds,
            steps=steps,
            seeds=seeds,
            seed=seed,
            apply=apply,
            progress=progress,
        )
    console = Console()
    if json is not None:
        write_atomic(json, json_text.dumps(to_json(found), indent=2) + "\n")
    print_healing(found, console)
    if found.patched:
        console.print(f"\npatched copy: {found.patched}", soft_wrap=True)
        console.print(found.diff, markup=False, highlight=False, soft_wrap=True)
    if found.interrupted:
        return INTERRUPTED
    wrong = bool(found.remedies) or any(one.severity != "note" for one in found.findings)
    return BAD_NEWS if wrong else DONE
