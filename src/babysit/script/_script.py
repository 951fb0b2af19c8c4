"""Run a script as if it were run plainly: as `__main__`, with its own arguments, folder and exit code."""

from __future__ import annotations

import ast
import builtins
import pathlib
import runpy
import sys
import traceback
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from babysit.record import InputError
from babysit.script._seam import Enough
from babysit.script._source import with_epochs

INTERRUPTED = 130
OURS = str(pathlib.Path(__file__).parent.parent)


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
            InputError: No such file, or no Python.
        """
        if self.module:
            return
        path = pathlib.Path(self.target)
        if not path.is_file():
            raise InputError(f"there is no script {path}", legal="a Python file, or -m and a module's name")
        try:
            ast.parse(path.read_bytes(), filename=str(path))
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{path} is no Python: {error}") from error


@dataclass(frozen=True)
class Ended:
    """How a script ended.

    Attributes:
        how: `finished`, `enough` (it was ended by whoever watched), `failed` with an error, `interrupted`.
        code: Its exit code.
        error: The error in one line.
        traceback: Its own traceback, without babysit's frames.
    """

    how: Literal["finished", "enough", "failed", "interrupted"]
    code: int = 0
    error: str = ""
    traceback: str = field(default="", repr=False)


def run_script(script: Script, *, epochs: int | None = None) -> Ended:
    """Run it in this process. `sys.argv`, `sys.path` and `__main__` are afterwards as before.

    Args:
        script: What to run.
        epochs: Another number of epochs, written into its loop.

    Raises:
        InputError: There is no loop over epochs to be changed.
    """
    before = sys.argv, list(sys.path), sys.modules["__main__"]
    sys.argv = [script.target, *script.arguments]
    try:
        if script.module:
            sys.path.insert(0, "")
            runpy.run_module(script.target, run_name="__main__", alter_sys=True)
        else:
            path = pathlib.Path(script.target)
            tree = ast.parse(path.read_bytes(), filename=str(path))
            if epochs is not None:
                tree = with_epochs(tree, epochs)
            sys.path.insert(0, str(path.resolve().parent))
            main = types.ModuleType("__main__")
            main.__dict__.update(__file__=str(path), __builtins__=builtins, __cached__=None)
            sys.modules["__main__"] = main
            exec(compile(tree, str(path), "exec"), main.__dict__)
    except Enough:
        return Ended("enough")
    except SystemExit as left:
        if isinstance(left.code, int | None):
            return Ended("finished", left.code or 0)
        print(left.code, file=sys.stderr)
        return Ended("finished", 1)
    except KeyboardInterrupt:
        return Ended("interrupted", INTERRUPTED)
    except InputError:
        raise
    except BaseException as error:
        return Ended("failed", 1, f"{type(error).__name__}: {error}", own_traceback(error))
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before
    return Ended("finished")


def own_traceback(error: BaseException) -> str:
    """An error's traceback as the script alone would have it."""
    told = traceback.TracebackException.from_exception(error)
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        one = waiting.pop()
        if one is not None:
            frames = [frame for frame in one.stack if not frame.filename.startswith(OURS)]
            one.stack = traceback.StackSummary.from_list(frames)
            waiting += [one.__cause__, one.__context__]
    return "".join(told.format())


def with_arguments(target: str, arguments: Sequence[str], *, module: bool = False) -> Script:
    """A Script, checked.

    Raises:
        InputError: It cannot be run.
    """
    script = Script(target, tuple(arguments), module)
    script.check()
    return script
