"""Script: a file or a module to run, and a run of it within this process, which is afterwards as it was."""

from __future__ import annotations

import ast
import difflib
import pathlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.record import Event, InputError, hide_arguments
from babysit.scripts._as_main import Ended, NoSuchModuleError, is_babysits, run_as_main


@dataclass(frozen=True)
class Script:
    """A script, or a module to run with -m.

    Attributes:
        target: The file's path, or the module's name.
        arguments: What follows it.
        module: Whether it is a module's name.
    """

    target: str
    arguments: tuple[str, ...] = ()
    module: bool = False

    @property
    def name(self) -> str:
        """The file's name, or the module's."""
        return self.target if self.module else pathlib.Path(self.target).name

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: There is no such file, or it is not Python.
        """
        if self.module:
            return
        path = pathlib.Path(self.target)
        if not path.is_file():
            raise InputError(
                f"there is no script {path}", legal="a Python file, or -m and a module's name", write=_near(path)
            )
        try:
            ast.parse(path.read_bytes(), filename=str(path))
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{path} is not Python: {error}") from error


def _near(path: pathlib.Path) -> str:
    """The script beside it that was likely meant."""
    beside = [one.name for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
    return "".join(str(path.with_name(name)) for name in difflib.get_close_matches(path.name, beside, n=1))


def run_script(script: Script, *, epochs: int | None = None) -> Ended:
    """Run it in this process. `sys.argv`, `sys.path` and `__main__` are afterwards as before.

    Args:
        script: What to run.
        epochs: Another number of epochs, written into its loop.

    Raises:
        InputError: There is no such module, or no loop over epochs to be changed.
    """

    def other_epochs(source: bytes) -> bytes:
        from babysit.remedies.source import with_epochs  # libcst takes a fifth of a second

        return with_epochs(source, epochs or 1, script.arguments)

    before = sys.argv, list(sys.path), sys.modules["__main__"]
    change = None if epochs is None else other_epochs
    try:
        ended = run_as_main(script.target, script.arguments, module=script.module, change=change)
    except NoSuchModuleError as error:
        raise InputError(
            f"there is no module {script.target} to be run",
            legal="a module, or a package with a __main__, that can be imported from here",
            write=f"babysit run {script.target}" if script.target.endswith(".py") else None,
        ) from error
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before
    if isinstance(ended.raised, InputError):
        raise ended.raised
    return ended


def with_arguments(target: str, arguments: Sequence[str], *, module: bool = False) -> Script:
    """A Script, checked.

    Raises:
        InputError: It cannot be run.
    """
    hide_arguments(arguments)
    script = Script(target, tuple(arguments), module)
    script.check()
    return script


def failure(step: int, ended: Ended, *, changed: bool = False) -> Event:
    """What is told of an error that ended a script: that it failed, unless it is babysit's own.

    Args:
        step: At which.
        ended: How it ended.
        changed: Whether it ran under remedies: what these make fail is a failure of that training.
    """
    if ended.raised is not None and not changed and is_babysits(ended.raised):
        text = f"the training was ended by an error of babysit's own, which is not the script's: {ended.error}"
        return Event(step, "unseen", text)
    return Event(step, "failed", ended.error)
