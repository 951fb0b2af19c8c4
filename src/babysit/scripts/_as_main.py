"""Run a script as `python` runs it: as `__main__`, with its own arguments, `sys.path`, exit code and traceback.

`run_as_main` leaves `sys.argv`, `sys.path` and `__main__` as the script has them; `leave` then ends the process as
Python ends. This file imports the standard library alone: a forked script sees nothing else of babysit.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import sys
import sysconfig
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

INTERRUPTED = 130
EXIT_CODES = 255  # an exit code is a byte
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
PASSED_ON = "passed on by babysit"  # what a probe calls a frame of its own that stands for a line of the script
PASSES_ON = "._bootstrap)"  # with it end the names of files of wrappers that only pass on (`babysit.probes.unnoticed`)
_LIBRARIES = (*(sysconfig.get_paths()[name] for name in ("purelib", "platlib", "stdlib")), "<")
WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
ChangeText = Callable[[bytes], bytes]


class Enough(BaseException):
    """Raised within a script to end it; a script catches it only by mistake."""


class NoSuchModuleError(ImportError):
    """There is no module of this name that could be run."""


@dataclass(frozen=True)
class Ended:
    """How a script ended.

    Attributes:
        how: `finished`, `enough` (whoever watched ended it), `failed` with an error, `interrupted`.
        code: Its exit code.
        error: The error in one line.
        traceback: Its own traceback, without babysit's frames.
        raised: The error itself.
    """

    how: Literal["finished", "enough", "failed", "interrupted"]
    code: int = 0
    error: str = ""
    traceback: str = field(default="", repr=False)
    raised: BaseException | None = field(default=None, repr=False, compare=False)


def run_as_main(
    target: str, arguments: Sequence[str] = (), *, module: bool = False, change: ChangeText | None = None
) -> Ended:
    """Run a file, or with `module` a module, in this process.

    Args:
        target: The file's path, or the module's name.
        arguments: What follows it.
        module: Whether it is a module's name.
        change: What is done to the script's text before it is compiled.

    Raises:
        NoSuchModuleError: There is no such module.
    """
    sys.argv = [target, *arguments]
    others = set(threading.enumerate())
    try:
        main, code = _module(target, change) if module else _file(target, change)
        sys.modules["__main__"] = main
        exec(code, main.__dict__)
        _join_threads(others)
    except Enough:
        return Ended("enough")
    except SystemExit as left:
        if isinstance(left.code, int | None):
            status = (left.code or 0) & EXIT_CODES
            return Ended("finished", status, _last_words(left) if status else "")
        print(left.code, file=sys.stderr)
        return Ended("finished", 1, str(left.code))
    except KeyboardInterrupt as error:
        return Ended("interrupted", INTERRUPTED, "KeyboardInterrupt", own_traceback(error), error)
    except NoSuchModuleError:
        raise
    except BaseException as error:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        return Ended("failed", 1, text, own_traceback(error), error)
    return Ended("finished")


def _last_words(left: SystemExit) -> str:
    """What a script said as it ended itself: argparse's message, or the error that it was handling."""
    place = left.__traceback__
    while place is not None:
        said = place.tb_frame.f_locals.get("message")
        if place.tb_frame.f_globals.get("__name__") == "argparse" and isinstance(said, str):
            return said.strip()
        place = place.tb_next
    handled = left.__context__
    return f"{type(handled).__name__}: {handled}" if handled is not None else ""


def _file(target: str, change: ChangeText | None) -> tuple[types.ModuleType, types.CodeType]:
    """A file as `__main__`, as `python FILE` makes it."""
    path = os.path.abspath(target)
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    main = types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    main.__dict__.update(__file__=path, __builtins__=builtins, __cached__=None, __loader__=loader)
    with open(path, "rb") as file:
        return main, _compiled(file.read(), path, change)


def _module(name: str, change: ChangeText | None) -> tuple[types.ModuleType, types.CodeType]:
    """A module as `__main__`, as `python -m` makes it; of a package, its `__main__`."""
    sys.path.insert(0, os.getcwd())
    spec = _spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _spec(f"{name}.__main__")
    loader = spec.loader if spec is not None else None
    if spec is None or not isinstance(loader, importlib.abc.InspectLoader):
        raise NoSuchModuleError(f"No module named {name}")
    source = loader.get_source(spec.name) if change is not None else None
    if source is None:
        code = loader.get_code(spec.name)
    else:
        code = _compiled(source.encode(), str(spec.origin), change)
    if code is None:
        raise NoSuchModuleError(f"No code object available for {name}")
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __file__=spec.origin,
        __builtins__=builtins,
        __cached__=spec.cached,
        __loader__=loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    sys.argv[0] = str(spec.origin)
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


def _compiled(source: bytes, filename: str, change: ChangeText | None) -> types.CodeType:
    changed = source if change is None else change(source)
    code: types.CodeType = compile(changed, filename, "exec", dont_inherit=True)
    return code


def _join_threads(others: set[threading.Thread]) -> None:
    """Wait for the script's threads, as Python does before it ends. Those of an executor wait for work until then."""
    executors = sys.modules.get("concurrent.futures.thread")
    idle = getattr(executors, "_threads_queues", {})
    for thread in threading.enumerate():
        if thread not in others and not thread.daemon and thread not in idle:
            thread.join()


def own_traceback(error: BaseException) -> str:
    """An error's traceback as the script alone would have it; of an error of babysit's own, all of it."""
    if is_babysits(error):
        return "".join(traceback.format_exception(error))
    told = traceback.TracebackException.from_exception(error)
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        one = waiting.pop()
        if one is not None:
            frames = [one for one in one.stack if not one.filename.startswith(OURS) and one.name != PASSED_ON]
            one.stack = traceback.StackSummary.from_list(frames)
            waiting += [one.__cause__, one.__context__]
    return "".join(told.format())


def is_babysits(error: BaseException) -> bool:
    """Whether an error was raised by babysit's own code, which a script called without knowing, and not by the script.

    Wrappers pass on what the script calls: what is raised below them is the script's own.
    """
    scripts_own, ours = False, False
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(OURS):
            ours = ours or not name.endswith(PASSES_ON)
        elif not name.startswith(_LIBRARIES):
            scripts_own, ours = True, False
        trace = trace.tb_next
    return scripts_own and ours


def show_error(ended: Ended) -> None:
    """Print what ended a script as Python prints it, through the script's own `sys.excepthook` where it has one."""
    error = ended.raised
    if error is None:
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def leave(code: int) -> NoReturn:
    """End this process as Python ends, but for taking its own modules apart, which takes 0.9 s with PyTorch loaded.

    Threads are waited for, functions registered with atexit are called, what the script holds is let go, files are
    written out.
    """
    # Private, but what Python calls: it wakes the threads of executors before it waits for them.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    _write_out()  # before a circle lets a file go in the wrong order
    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    _write_out()
    os._exit(code & EXIT_CODES)


def _write_out() -> None:
    """What the script wrote and did not close."""
    for one in [sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, *gc.get_objects()]:
        if type(one) in WRITERS:
            with contextlib.suppress(Exception):  # closed, or the disk is full: nobody is left to be told
                one.flush()
