"""Whose an argument is: babysit's options stand before the script, everything after it belongs to the script."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from babysit.record import InputError

MODULE = ("-m", "--module")
HELP = ("-h", "--help", "--version")
END = "--"


def apart(verb: str, arguments: Sequence[str], *, valued: Collection[str], flags: Collection[str] = ()) -> list[str]:
    """The same arguments, with `--` between babysit's and the script with its own.

    Args:
        verb: Whose they are.
        arguments: What follows the verb.
        valued: Options with a value.
        flags: Options without.

    Raises:
        InputError: An option before the script that the verb does not have.

    Example:
        >>> apart("run", ["--remedy", "lr=0.1", "train.py", "--json", "x"], valued=["--remedy", "--json"])
        ['--remedy', 'lr=0.1', '--', 'train.py', '--json', 'x']
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
        if name in valued:
            take = 1 if equals else 2
        elif one in flags or one in HELP or one in MODULE:
            take = 1
        else:
            raise InputError(
                f"babysit {verb} has no option {name}",
                legal=", ".join(sorted([*valued, *flags, MODULE[0]])),
                cause="what belongs to the script stands after the script",
                write=f"babysit {verb} SCRIPT {one}",
            )
        own += waiting[:take]
        del waiting[:take]
    return own
