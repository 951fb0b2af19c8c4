"""`babysit demo`."""

from __future__ import annotations

import itertools
import json as json_text
import pathlib
from importlib.resources import files

from rich.rule import Rule

import babysit
from babysit.cli._answer import STANDARD_OUTPUT, tell_json
from babysit.cli._codes import BAD_NEWS, DONE, INTERRUPTED
from babysit.cli._options import File, Flag, refuse_folders
from babysit.record import InputError, storage_error, write_atomic
from babysit.reports import CleanConsole, LiveView

DATA = "digits"
SCRIPT = "demo_train.txt"
HEAL_SECONDS = 60.0  # at most; on two free cores it takes about 25
QUICK = ("epochs=15",)  # of 51 that the digits would get, so that all of it takes less than a minute


def demo(*, seconds: float = 10.0, out: File = None, plain: Flag = False, json: File = None) -> int:
    """A sick training, found and healed, and a healthy one from the data to the score, in about a minute.

    Both learn from 1,797 handwritten digits (Alpaydin and Kaynak 1998). The first is a script with a fault, kept
    beside its healed copy in runs/demo-NUMBER; the second is what `babysit fit digits` does.

    Exit code 1 when the script was not healed or the second training diverged.

    Parameters
    ----------
    seconds
        Time limit in seconds of the search of rate, regularisation and dropout; 0 leaves the search out.
    out
        The Run folder to make, and beside it NAME-sick for the script; else runs/digits-NUMBER and runs/demo-NUMBER.
    plain
        Lines instead of a live panel.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    from babysit.scripts import available

    refuse_folders(json=json)
    console = CleanConsole(quiet=json == STANDARD_OUTPUT)
    script = _folder(out) / "train.py"
    write_atomic(script, files("babysit.cli").joinpath(SCRIPT).read_text("utf-8"))
    healed_copy = script.with_name("train_healed.py")
    console.print(Rule(f"1 of 2: {script}, a training that does not learn"), crop=False)
    with LiveView(plain=plain) as progress:
        # The script is babysit's own and writes nothing, so it may run where no protection is to be had, too.
        bare = available() == "none"
        healed = babysit.heal(
            script, seconds=HEAL_SECONDS, seeds=1, apply=healed_copy, unprotected=bare, progress=progress
        )
    console.print(healed, crop=False)
    if healed.interrupted:
        return INTERRUPTED
    console.print(Rule(f"2 of 2: {DATA}, from the data to a trained and scored network"), crop=False)
    with LiveView(plain=plain) as progress:
        fitted = babysit.fit(DATA, settings=QUICK, seconds=seconds, out=out, progress=progress)
    console.print(fitted, crop=False)
    answer = {"schema": 1, "healing": healed.to_dict(), "training": fitted.to_dict()}
    tell_json(lambda: json_text.dumps(answer, indent=2), json)
    if fitted.interrupted:
        return INTERRUPTED
    console.print(Rule("what to type next"), crop=False)
    for line in _next(script, fitted.run.path, bool(healed.remedies)):
        console.print(line, soft_wrap=True, highlight=False)
    return DONE if healed.remedies and fitted.ok else BAD_NEWS


def _folder(out: pathlib.Path | None) -> pathlib.Path:
    """A folder for the script, which nobody else has."""
    names = (
        (pathlib.Path("runs", f"demo-{number}") for number in itertools.count(1))
        if out is None
        else (out.with_name(f"{out.name}-sick"),)
    )
    for path in names:
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise storage_error(error, path) from None
        return path
    raise InputError(f"{path} exists already", legal="a folder to make", write="another --out")


def _next(script: pathlib.Path, run: pathlib.Path, healed: bool) -> list[str]:
    """Commands that go on from here, each with what it does."""
    commands = [
        (f"babysit check {script}", "what is wrong, step by step"),
        *([(f"diff {script} {script.with_name('train_healed.py')}", "what healed it")] if healed else []),
        ("babysit check YOUR_SCRIPT.py", "your own training, unmodified"),
        ("babysit fit YOUR_TABLE.csv --target COLUMN", "your own data, without code"),
        (f"babysit predict {run} DATA", "answers of the network that was just trained"),
        ("babysit explain softmax-over-one-unit", "what it is; `babysit explain` lists all pages"),
        ("babysit --help", "all commands"),
    ]
    width = max(len(command) for command, _ in commands)
    return [f"  {command:{width}}  # {what}" for command, what in commands]
