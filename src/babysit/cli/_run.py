"""`babysit run`."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

import babysit
from babysit.cli._answer import STANDARD_OUTPUT, tell_json, typed, words
from babysit.cli._options import Argument, File, Flag, Module, Remedies, Texts, refuse_folders
from babysit.record import silent
from babysit.reports import CleanConsole, FindingLines, write_out


def run(
    script: Argument,
    /,
    *arguments: Argument,
    module: Module = False,
    remedies: Remedies = None,
    overhead: float = 0.01,
    ignore: Texts = None,
    keep: File = None,
    report: File = None,
    plain: Flag = False,
    quiet: Flag = False,
    json: File = None,
) -> int:
    """Run a script that knows nothing of babysit, and say what is wrong with its training while it runs.

    The script runs as it would by itself: same numbers, same output, same exit code. Options stand before it;
    everything after it is its own. Findings are printed on the standard error.

    Parameters
    ----------
    script
        A Python file, or with -m the name of a module.
    arguments
        The script's own.
    module
        The script is the name of a module, as in python -m.
    remedies
        Remedies to run it under, as NAME or NAME=VALUE; epochs=N trains for N epochs.
    overhead
        Share of the time that measuring may take.
    ignore
        Findings to ignore, by name.
    keep
        Keep what was measured in this file, for babysit diagnose.
    report
        Write the answer as one HTML file.
    plain
        No colours.
    quiet
        Print nothing but what the script prints.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output; what the script
        prints then goes to the standard error.
    """
    refuse_folders(keep=keep, report=report, json=json)
    command = typed()  # before the script has arguments of its own
    with _own_path_left_out(), _output_as_errors() if json == STANDARD_OUTPUT else contextlib.nullcontext():
        done = babysit.run(
            script,
            arguments,
            module=module,
            remedies=remedies or (),
            overhead=overhead,
            ignore=ignore or (),
            progress=silent if quiet else FindingLines(CleanConsole(stderr=True, no_color=plain), notes=False),
            keep=keep,
        )
    if not quiet and not module and (late := _meant_for_us(script, arguments)):
        text = f"note: {late} stands behind {script} and is its argument; babysit's own options stand before the script"
        CleanConsole(stderr=True, no_color=plain).print(text, soft_wrap=True, highlight=False)
    if quiet and done.traceback:
        write_out(sys.stderr, done.traceback)
    tell_json(done.to_json, json)
    if not quiet and not done.ok and done.findings:
        following = words("babysit", "heal", script, arguments=arguments, module=module)
        CleanConsole(stderr=True, no_color=plain).print(f"next: {following}", soft_wrap=True, highlight=False)
    if report is not None:
        done.report(report, command=command)
    return done.code


OWN = "remedies remedy overhead ignore keep report plain quiet json".split()  # names of the command's options


def _meant_for_us(script: str, arguments: Sequence[str]) -> str:
    """An option of this command that was given to a script which does not know its name."""
    text = pathlib.Path(script).read_text(encoding="utf-8", errors="replace")
    names = [one.partition("=")[0] for one in arguments if one.startswith("--")]
    return next((name for name in names if name[2:] in OWN and name[2:] not in text), "")


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


@contextlib.contextmanager
def _output_as_errors() -> Iterator[None]:
    """What is written to the standard output, by processes that the script starts, too, goes to the standard error."""
    if sys.stdout is not None:
        sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
