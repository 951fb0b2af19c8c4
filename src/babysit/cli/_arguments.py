"""Arguments before they are parsed: whose they are, and whether an option has its value.

Of `babysit run`, options stand before the script, and everything after it belongs to the script. `--json` may stand
alone, which means the standard output.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from babysit.record import InputError

MODULE = ("-m", "--module")
HELP = ("-h", "--help", "--version")
END = "--"
JSON = "--json"
BACKGROUND = "--background"
SEVERAL = ("--only", "--skip", "--ignore", "--settings", "--set", "--remedies", "--remedy")  # options of many values


def with_json_files(arguments: Sequence[str]) -> list[str]:
    """The same arguments, where each `--json` has its file: `-`, the standard output, where none is given.

    What follows `--json` is its file where it ends in .json; any other file is written `--json=FILE`.

    Example:
        >>> with_json_files(["fit", "--json", "iris"]), with_json_files(["fit", "iris", "--json", "iris.json"])
        (['fit', '--json=-', 'iris'], ['fit', 'iris', '--json=iris.json'])
    """
    waiting, done = list(arguments), list[str]()
    while waiting:
        one = waiting.pop(0)
        if one == END:
            return [*done, END, *waiting]
        if one == JSON:
            one = f"{JSON}={waiting.pop(0) if _is_json_file(waiting) else '-'}"
        done.append(one)
    return done


def with_subject_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments, with the subject before options that would take it for one more of their values.

    Example:
        >>> with_subject_first(["check", "--only", "data", "train.py", "--plain"])
        ['check', 'train.py', '--only', 'data', '--plain']
    """
    given = list(arguments)
    ends = given.index(END) if END in given else len(given)
    if len(given) < 2 or not given[1].startswith("-"):
        return given
    for place, one in enumerate(given[:ends]):
        if one not in SEVERAL:
            continue
        stop = next((at for at in range(place + 1, ends) if given[at].startswith("-")), ends)
        begin = next((at for at in range(place + 2, stop) if _ends_values(given[at])), None)
        if begin is not None:
            return [given[0], *given[begin:stop], *given[1:begin], *given[stop:]]
    return given


def apart(verb: str, arguments: Sequence[str], *, valued: Mapping[str, bool], flags: Collection[str] = ()) -> list[str]:
    """The same arguments, with `--` between babysit's and the script with its own.

    Args:
        verb: Whose they are.
        arguments: What follows the verb.
        valued: Options with a value, by whether they take several: these take all up to the script or an option.
        flags: Options without a value.

    Raises:
        InputError: There is an option before the script that the verb does not have.

    Example:
        >>> apart("run", ["--remedies", "lr=0.1", "shuffle", "train.py", "--json"], valued={"--remedies": True})
        ['--remedies', 'lr=0.1', 'shuffle', '--', 'train.py', '--json']
    """
    waiting = list(arguments)
    own: list[str] = []
    while waiting:
        one = waiting[0]
        if one == END:
            return [*own, *waiting]
        if not one.startswith("-"):
            return [*own, END, *waiting]
        name, equals, _ = one.partition("=")
        if one in flags or one in HELP or one in MODULE or equals:
            take = 1
        elif name == JSON:
            take = 2 if _is_json_file(waiting[1:]) else 1
        elif name in valued:
            take = 2
            while valued[name] and take < len(waiting) and not _ends_values(waiting[take]):
                take += 1
        else:
            take = 0
        if not take or (equals and name not in valued and name != JSON):
            raise InputError(
                f"babysit {verb} has no option {name}",
                legal=", ".join(sorted([*valued, *flags, JSON, MODULE[0]])),
                cause="what belongs to the script stands after the script",
                write=f"babysit {verb} SCRIPT {one}",
            )
        own += waiting[:take]
        del waiting[:take]
    return own


def _is_json_file(following: Sequence[str]) -> bool:
    return bool(following) and (following[0] == "-" or following[0].endswith(".json"))


def _ends_values(argument: str) -> bool:
    """Whether what follows several values is not one more of them: an option, or the script."""
    return argument.startswith("-") or argument.endswith(".py") or Path(argument).is_file()
