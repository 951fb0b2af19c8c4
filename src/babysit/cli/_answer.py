"""How a verb's answer is printed: as text or as JSON on the standard output, in files, and as an exit code."""

from __future__ import annotations

import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from babysit.cli._codes import BAD_NEWS, DONE, INTERRUPTED, NOT_JUDGED
from babysit.record import hide_arguments, write_atomic
from babysit.reports import CleanConsole, write_out

if TYPE_CHECKING:
    from babysit.api import Result

STANDARD_OUTPUT = pathlib.Path("-")  # what `--json` without a file stands for
KEPT: pathlib.Path | None = None  # in the process of a job: where its answer is kept as JSON, beside what was asked for
# What coding agents set in the environment of what they run: they are told the same in fewer words.
AGENTS = ("AI_AGENT", "CLAUDECODE", "CODEX_SANDBOX", "GEMINI_CLI")


def for_agent() -> bool:
    """Whether a coding agent reads the answer."""
    return any(os.environ.get(name) for name in AGENTS)


def typed() -> str:
    """The command as it was typed, without secrets; empty where babysit was not called as a command."""
    program = pathlib.Path(sys.argv[0])
    if program.name != "babysit" and program.parent.name != "babysit":
        return ""
    return shlex.join(["babysit", *hide_arguments(sys.argv[1:])])


def words(*parts: str, arguments: Sequence[str] = (), module: bool = False) -> str:
    """A command to type, quoted for a shell; the last part is the subject, and the arguments are a script's own.

    Example:
        >>> words("babysit", "heal", "my train.py", arguments=["--lr", "1"])
        "babysit heal 'my train.py' -- --lr 1"
    """
    flag = ["-m"] if module else []
    own = ["--", *hide_arguments(arguments)] if arguments else []
    return shlex.join([*parts[:-1], *flag, parts[-1], *own])


def tell(
    result: Result,
    json: pathlib.Path | None,
    report: pathlib.Path | None = None,
    following: str = "",
    *,
    text: Callable[[], str] | None = None,
) -> int:
    """Print an answer: text, or with `json` and no file JSON alone, on the standard output.

    Args:
        result: The answer.
        json: The file for its JSON, or `STANDARD_OUTPUT`.
        report: The file for its HTML.
        following: The command to type next; empty where there is none.
        text: In the place of its usual text, in a form for programs: nothing else is then printed.

    Returns:
        The exit code.
    """
    if report is not None:
        result.report(report, command=typed())
    tell_json(result.to_json, json)
    if text is not None:
        write_out(sys.stdout, text() + "\n")
    elif json != STANDARD_OUTPUT:
        console = CleanConsole()
        if for_agent():
            write_out(sys.stdout, result.compact() + "\n")
        else:
            console.print(result, crop=False)
        if report is not None:
            console.print(f"report: {report}", soft_wrap=True, highlight=False)
        if following and not for_agent():
            console.print(Text.assemble("next: ", (following, "bold")), soft_wrap=True)
    if result.interrupted:
        return INTERRUPTED
    if not result.judged:
        return NOT_JUDGED
    return DONE if result.ok else BAD_NEWS


def tell_json(text: Callable[[], str], json: pathlib.Path | None) -> None:
    """Write JSON where it was asked for; without a file to the standard output."""
    if KEPT is not None:
        write_atomic(KEPT, text() + "\n")
    if json == STANDARD_OUTPUT:
        write_out(sys.stdout, text() + "\n")
    elif json is not None:
        write_atomic(json, text() + "\n")
