"""Run a script as if it were run plainly: as `__main__`, with its own arguments, folder and exit code."""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import threading
import traceback
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from babysit.record import InputError
from babysit.scripts._patcher import Enough

INTERRUPTED = 130
EXIT_CODES = 255  # an exit code is a byte
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
        InputError: There is no such module, or no loop over epochs to be changed.
    """
    before = sys.argv, list(sys.path), sys.modules["__main__"]
    threads = set(threading.enumerate())
    sys.argv = [script.target, *script.arguments]
    try:
        main, code = _module(script, epochs) if script.module else _file(script, epochs)
        sys.argv[0] = str(main.__file__)
        sys.modules["__main__"] = main
        exec(code, main.__dict__)
        for thread in threading.enumerate():
            # Python, too, waits for them before it ends.
            if thread not in threads and not thread.daemon:
                thread.join()
    except Enough:
        return Ended("enough")
    except SystemExit as left:
        if isinstance(left.code, int | None):
            return Ended("finished", (left.code or 0) & EXIT_CODES)
        print(left.code, file=sys.stderr)
        return Ended("finished", 1)
    except KeyboardInterrupt as error:
        return Ended("interrupted", INTERRUPTED, "KeyboardInterrupt", own_traceback(error))
    except InputError:
        raise
    except BaseException as error:
        return Ended("failed", 1, f"{type(error).__name__}: {error}".rstrip(": "), own_traceback(error))
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before
    return Ended("finished")


def _file(script: Script, epochs: int | None) -> tuple[types.ModuleType, types.CodeType]:
    """A file as `__main__`, as `python FILE` makes it."""
    path = pathlib.Path(script.target)
    code = _code(path.read_bytes(), str(path), epochs, script.arguments)
    sys.path.insert(0, str(path.resolve().parent))
    main = types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", str(path))
    main.__dict__.update(__file__=str(path), __builtins__=builtins, __cached__=None, __loader__=loader)
    return main, code


def _module(script: Script, epochs: int | None) -> tuple[types.ModuleType, types.CodeType]:
    """A module as `__main__`, as `python -m` makes it; of a package, its `__main__`."""
    sys.path.insert(0, os.getcwd())
    spec = _spec(script.target)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _spec(f"{script.target}.__main__")
    loader = spec.loader if spec is not None else None
    if spec is None or not isinstance(loader, importlib.abc.InspectLoader):
        raise InputError(
            f"there is no module {script.target} to be run",
            legal="a module, or a package with a __main__, that can be imported from here",
            write=f"babysit run {script.target}" if script.target.endswith(".py") else None,
        )
    source = loader.get_source(spec.name) if epochs is not None else None
    code = loader.get_code(spec.name) if source is None else _code(
        source.encode(), str(spec.origin), epochs, script.arguments
    )  # fmt: skip
    if code is None:
        raise InputError(f"the module {script.target} has no code in Python")
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __file__=spec.origin, __builtins__=builtins, __cached__=spec.cached, __loader__=loader,
        __package__=spec.parent, __spec__=spec,
    )  # fmt: skip
    return main, code


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise  # a package above it wants something that is not installed
    except ValueError:
        return None


def _code(source: bytes, filename: str, epochs: int | None, arguments: Sequence[str]) -> types.CodeType:
    if epochs is not None:
        from babysit.remedies.source import with_epochs  # libcst takes a fifth of a second

        source = with_epochs(source, epochs, arguments)
    code: types.CodeType = compile(source, filename, "exec", dont_inherit=True)
    return code


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
