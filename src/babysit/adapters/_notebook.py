"""Notebooks: `%load_ext babysit`, then `%%babysit` over a cell that trains, or `%babysit on` for all cells."""

from __future__ import annotations

import gc
import shlex
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch.optim import Optimizer

from babysit.diseases import check_names, diagnose
from babysit.record import InputError, Remedy, TraceStore
from babysit.rehearsal import KINDS
from babysit.remedies import AppliedRemedies, applied_to_script
from babysit.reports import CleanConsole, event_lines, print_findings, trace_headline
from babysit.scripts import Patcher

OVERHEAD = 0.01
USAGE = "%babysit on, %babysit off, or %%babysit [--remedy NAME=VALUE] [--ignore NAME] over a cell"


class Shell(Protocol):
    """What is asked of IPython."""

    events: Any

    def register_magic_function(self, func: Callable[..., Any], magic_kind: str, magic_name: str) -> None:
        """Give a function the name of a magic."""

    def run_cell(self, raw_cell: str) -> Any:
        """Run a cell."""


class Notebook:
    """One session.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._watching: tuple[Patcher, TraceStore] | None = None
        self.on = False

    def magic(self, line: str, cell: str | None = None) -> None:
        """`%babysit on` and `off`, and `%%babysit`."""
        try:
            if cell is not None:
                self._cell(line, cell)
            elif line.strip() in ("on", "off"):
                self.switch(line.strip() == "on")
            else:
                raise InputError(f"there is no %babysit {line.strip()}".rstrip(), legal=USAGE)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)

    def switch(self, on: bool) -> None:
        """Watch every cell from now on, or none."""
        if on != self.on:
            change = self._shell.events.register if on else self._shell.events.unregister
            change("pre_run_cell", self._before)
            change("post_run_cell", self._after)
        if not on:
            self._end(())
        self.on = on

    def _cell(self, line: str, cell: str) -> None:
        remedies, ignore = _options(line)
        check_names(ignore)
        asked = [Remedy.parse(one) for one in remedies]
        applied = applied_to_script(asked, kinds=KINDS) if asked else None
        self._end(())  # where all cells are watched, this one is watched as it is asked for
        self._begin(applied)
        try:
            self._shell.run_cell(cell)
        finally:
            self._end(ignore, always=True)

    def _before(self, *_: object) -> None:
        self._end(())
        self._begin(None)

    def _after(self, *_: object) -> None:
        self._end(())

    def _begin(self, applied: AppliedRemedies | None) -> None:
        store = TraceStore(None)
        # A loop's optimizer was mostly made in a cell before.
        known = [one for one in gc.get_objects() if issubclass(type(one), Optimizer)]
        patcher = Patcher(store, remedies=applied, overhead=OVERHEAD, scores=False, optimizers=known)
        self._watching = patcher, store
        patcher.__enter__()

    def _end(self, ignore: Sequence[str], *, always: bool = False) -> None:
        """What the cell's training came to; of a cell that trained nothing, nothing."""
        if self._watching is None:
            return
        (patcher, store), self._watching = self._watching, None
        patcher.__exit__()
        patcher.tell(finished=False)
        trace = store.read()
        store.close()
        if not patcher.steps and not always:
            return
        findings = diagnose(trace, ignore=ignore)
        console = CleanConsole(stderr=True)
        console.print(f"babysit: {trace_headline(trace, findings)}", soft_wrap=True, highlight=False)
        for line in event_lines(trace):
            console.print(line, soft_wrap=True, highlight=False)
        if findings:
            print_findings(findings, console)


def _options(line: str) -> tuple[list[str], list[str]]:
    waiting = shlex.split(line)
    found: dict[str, list[str]] = {"--remedy": [], "--ignore": []}
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if name not in found or not (equals or waiting):
            raise InputError(f"%%babysit does not understand {name}", legal=USAGE)
        found[name].append(value if equals else waiting.pop(0))
    return found["--remedy"], found["--ignore"]


_notebooks: weakref.WeakKeyDictionary[Any, Notebook] = weakref.WeakKeyDictionary()


def load_ipython_extension(ipython: Shell) -> None:
    """`%load_ext babysit`: from then on there are `%%babysit` and `%babysit on`.

    Args:
        ipython: The shell, as IPython gives it.
    """
    notebook = _notebooks.setdefault(ipython, Notebook(ipython))
    ipython.register_magic_function(notebook.magic, "line_cell", "babysit")


def unload_ipython_extension(ipython: Shell) -> None:
    """`%unload_ext babysit`: no cell is watched any more.

    Args:
        ipython: The shell.
    """
    notebook = _notebooks.pop(ipython, None)
    if notebook is not None:
        notebook.switch(False)
