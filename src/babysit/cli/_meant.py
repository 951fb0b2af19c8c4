"""What was meant by arguments that are not legal: the command to type instead, as far as it can be told.

Nothing here runs what was meant. A wrong guess then costs a line, not a training.
"""

from __future__ import annotations

import difflib
import pathlib
import shlex
from collections.abc import Collection, Sequence

from babysit.cli._arguments import HELP
from babysit.record import InputError

SCRIPT, RECIPE = ".py", ".toml"
TABLES = (".csv", ".tsv", ".parquet", ".xlsx", ".json", ".jsonl", ".arrow", ".arff", ".npz", ".npy", ".gz", ".zip")
BUNDLED = ("breast-cancer", "diabetes", "digits", "iris", "wine")
PYTHONS = ("python", "python3")
# What other tools call it.
OTHER_WORDS = {
    "continue": "resume",
    "cure": "heal",
    "describe": "explain",
    "doctor": "check",
    "fix": "heal",
    "info": "explain",
    "init": "compare-init",
    "lint": "check",
    "optimise": "tune",
    "optimize": "tune",
    "preflight": "check",
    "python": "run",
    "python3": "run",
    "repair": "heal",
    "score": "evaluate",
    "search": "tune",
    "sweep": "tune",
    "test": "check",
    "train": "fit",
    "verify": "check",
    "watch": "run",
}
OF_DATA = ("fit",)  # verbs that take data and no script
OF_RUNS = ("diagnose", "evaluate", "export", "predict", "report", "resume")
WITH_TARGET = ("check", "compare-init", "fit", "heal", "tune")
WITH_SETTINGS = ("check", "compare-init", "fit", "heal", "recipe", "tune")
ALIKE = 0.6  # of difflib: "chekc" and "check" have 0.8, "fix" and "predict" 0.4


def refuse_slips(arguments: Sequence[str], verbs: Collection[str]) -> None:
    """Refuse what no command can mean, and say what to type.

    Args:
        arguments: What follows `babysit`.
        verbs: The commands there are.

    Raises:
        InputError: There is no such command, or it was given a script where it takes none.

    Example:
        >>> refuse_slips(["train.py", "--epochs", "3"], ["check", "run"])
        Traceback (most recent call last):
            ...
        babysit.record._errors.InputError: there is no command train.py
          legal: check, run
          likely cause: a command stands before the script
          write: babysit check train.py -- --epochs 3
    """
    if not arguments or arguments[0] in HELP:
        return
    first, rest = arguments[0], [*arguments[1:]]
    if first not in verbs:
        cause, instead = _command(first, rest, verbs)
        if instead or not first.startswith("-"):
            raise InputError(
                f"there is no command {first}", legal=", ".join(sorted(verbs)), cause=cause, write=typed(instead)
            )
        return
    if rest and rest[0] in PYTHONS and len(rest) > 1 and first in ("check", "heal", "run", "tune"):
        raise InputError(
            f"{rest[0]} is not a script",
            cause="babysit starts Python itself",
            write=typed([first, *_apart(first, rest[1], rest[2:])]),
        )
    if rest and rest[0].endswith(SCRIPT) and first in (*OF_DATA, *OF_RUNS):
        takes = "data" if first in OF_DATA else "the folder of a Run"
        raise InputError(f"babysit {first} takes {takes}, and {rest[0]} is a script", write=typed(["check", rest[0]]))


def said_otherwise(arguments: Sequence[str], options: Collection[str]) -> str:
    """The command to type instead of one whose arguments were not understood; empty where it cannot be told.

    Args:
        arguments: What follows `babysit`, with a legal command.
        options: The options of that command, with their dashes.

    Example:
        >>> said_otherwise(["fit", "houses.csv", "price"], ["--target", "--settings"])
        'babysit fit houses.csv --target price'
        >>> said_otherwise(["fit", "houses.csv", "--epochs", "3"], ["--target", "--settings"])
        'babysit fit houses.csv --settings epochs=3'
    """
    verb, rest = arguments[0], [*arguments[1:]]
    if not rest:
        return typed([verb, EXAMPLES[verb]]) if verb in EXAMPLES else ""
    if verb == "predict" and _is_table(rest[0]):
        return typed([verb, "runs/NAME-1", *rest])
    place = next((at for at, one in enumerate(rest) if at and not one.startswith("-")), None)
    if verb in WITH_TARGET and place == 1 and "--target" not in rest and _is_table(rest[0]):
        return typed([verb, rest[0], "--target", rest[1], *rest[2:]])
    for at, one in enumerate(rest):
        name, equals, value = one.partition("=")
        if not name.startswith("--") or name in options:
            continue
        near = difflib.get_close_matches(name, options, n=1, cutoff=0.75)
        if near:
            return typed([verb, *rest[:at], near[0] + equals + value, *rest[at + 1 :]])
        setting = value or next(iter(rest[at + 1 : at + 2]), "")
        if verb in WITH_SETTINGS and setting and not setting.startswith("-"):
            after = rest[at + 1 if equals else at + 2 :]
            return typed([verb, *rest[:at], *after, "--settings", f"{name[2:].replace('-', '_')}={setting}"])
    return ""


# A usual subject for each command that needs one.
EXAMPLES = {
    "check": "train.py",
    "compare-init": "recipe.toml",
    "diagnose": "runs/NAME-1",
    "evaluate": "runs/NAME-1",
    "export": "runs/NAME-1 model.onnx",
    "heal": "train.py",
    "predict": "runs/NAME-1 new.csv",
    "report": "runs/NAME-1",
    "resume": "runs/NAME-1",
    "run": "train.py",
    "schema": "check",
    "tune": "train.py --space lr=1e-5:1:log",
}


def typed(arguments: Sequence[str]) -> str:
    """A command as it is typed; empty where there is none."""
    parts = [one if " " in one and one in EXAMPLES.values() else shlex.quote(one) for one in arguments]
    return " ".join(["babysit", *parts]) if arguments else ""


def _command(first: str, rest: list[str], verbs: Collection[str]) -> tuple[str, list[str]]:
    """Why the first word is no command, and what to type."""
    if first.endswith(SCRIPT):
        return "a command stands before the script", ["check", *_apart("check", first, rest)]
    if first.endswith(RECIPE):
        return "a command stands before the recipe", ["check", first, *rest]
    if first in BUNDLED or _is_table(first):
        told = ["--target", *rest] if len(rest) == 1 and not rest[0].startswith("-") else rest
        return "a command stands before the data", ["fit", first, *told]
    if pathlib.Path(first, "run.json").is_file() or pathlib.Path(first, "study.json").is_file():
        return "a command stands before the folder", ["report", first, *rest]
    word = first.lstrip("-")
    if word == "help":
        return "help is an option", [*[one for one in rest[:1] if one in verbs], "--help"]
    if first.startswith("-") and word not in verbs:
        return "", []
    if word == "version":
        return "the version is an option", ["--version"]
    script = bool(rest) and rest[0].endswith(SCRIPT)
    if word in OTHER_WORDS:
        verb = "run" if word == "train" and script else OTHER_WORDS[word]
        return f"babysit calls it {verb}", [verb, *rest]
    near = difflib.get_close_matches(word, verbs, n=1, cutoff=ALIKE)
    return ("a spelling mistake", [near[0], *rest]) if near else ("", [])


def _apart(verb: str, script: str, rest: Sequence[str]) -> list[str]:
    """A script and its own arguments, which `run` takes as they are and the others after `--`."""
    return [script, *(["--"] if rest and verb != "run" and "--" not in rest else []), *rest]


def _is_table(name: str) -> bool:
    return name in BUNDLED or name.lower().endswith(TABLES)
