"""`babysit run`."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

import babysit
from babysit.record import InputError, write_atomic


def run(
    script: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    module: Annotated[bool, Parameter(name=["--module", "-m"], negative="")] = False,
    remedy: Annotated[list[str] | None, Parameter(negative="")] = None,
    overhead: float = 0.01,
    ignore: Annotated[list[str] | None, Parameter(negative="")] = None,
    json: pathlib.Path | None = None,
    report: pathlib.Path | None = None,
    keep: pathlib.Path | None = None,
    plain: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a script that knows nothing of babysit, and say what is wrong with its training while it runs.

    The script runs as it would by itself: same numbers, same output, same exit code. Options stand before it;
    everything after it is its own. What is found is told on the standard error.

    Parameters
    ----------
    script
        A Python file, or with -m the name of a module.
    arguments
        The script's own.
    module
        The script is a module's name, as in python -m.
    remedy
        A change to run it under, as NAME or NAME=VALUE; may be given several times. With epochs=N for other epochs.
    overhead
        Share of the time that may be spent on measuring.
    ignore
        The name of a finding not to report; may be given several times.
    json
        Where to write findings as JSON.
    report
        Where to write the report as one HTML file.
    keep
        Where to keep what was measured, for babysit diagnose.
    plain
        No colours.
    quiet
        Not a word but the script's own.
    """
    for name, path in (("json", json), ("report", report), ("keep", keep)):
        if path is not None and path.is_dir():
            raise InputError(f"{path} is a folder", legal="a file to write", write=f"--{name} {path}/{name}.{name}")
    with _own_path_left_out():
        done = babysit.run_script(
            script,
            arguments,
            module=module,
            remedies=remedy or (),
            overhead=overhead,
            ignore=ignore or (),
            show="nothing" if quiet else "plain" if plain else "lines",
            keep=keep,
        )
    if quiet and done.traceback:
        sys.stderr.write(done.traceback)
    if json is not None:
        write_atomic(json, done.to_json() + "\n")
    if report is not None:
        done.report(report)
    return done.code


@contextlib.contextmanager
def _own_path_left_out() -> Iterator[None]:
    """What Python put first for babysit's own sake: a plain run would have the script's folder there alone."""
    before = list(sys.path)
    own = {"", os.getcwd(), os.path.dirname(os.path.abspath(sys.argv[0]))}
    if sys.path and sys.path[0] in own:
        del sys.path[0]
    try:
        yield
    finally:
        sys.path[:] = before
