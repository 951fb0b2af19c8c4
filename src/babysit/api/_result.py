"""Result: what every verb answers, in one manner."""

from __future__ import annotations

import abc
import json
import pathlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import RenderableType

from babysit.record import Finding, Progress, SickError, Trace, silent, to_json, write_atomic
from babysit.reports import (
    NotebookView,
    as_html,
    as_image,
    as_text,
    compact_findings,
    finding_line,
    in_notebook,
    render_result_page,
    svg_lines,
)

LONGEST_TITLE, LONGEST_TEXT = 300, 4000  # characters: of a line where somebody types its name; beside HTML


class Result(abc.ABC):
    """What a verb answers. It prints well on a terminal and in a notebook.

    Example:
        >>> from babysit import Trace, diagnose
        >>> found = diagnose(Trace())
        >>> found.ok, found.findings, found.to_json().startswith("{")
        (False, (), True)
    """

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, causes first; empty where the verb looks for nothing."""
        return ()

    @property
    def ok(self) -> bool:
        """Whether nothing sick was found; the command of the same name then ends with exit code 0."""
        return not any(finding.severity == "sick" for finding in self.findings)

    @property
    def judged(self) -> bool:
        """Whether enough was seen to answer; where not, the command of the same name ends with exit code 3."""
        return True

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; what was done by then is kept."""
        return False

    def to_dict(self) -> Any:
        """The answer as plain JSON values; numbers that are not finite are "NaN", "Infinity" and "-Infinity"."""
        return to_json(self._record())

    @abc.abstractmethod
    def _record(self) -> object:
        """The answer as a record, whose class says what its JSON is made of."""

    def to_json(self) -> str:
        """The answer as JSON; `babysit schema NAME` prints its JSON Schema."""
        return json.dumps(self.to_dict(), indent=2)

    def report(self, path: str | pathlib.Path = "report.html", *, command: str = "") -> pathlib.Path:
        """Write the answer as one HTML file that works offline.

        Args:
            path: The file to write.
            command: What was typed, where a command asked for the answer; the page tells how to do it again.

        Raises:
            StorageError: The file cannot be written; nothing half-written is left.
        """
        target = pathlib.Path(path)
        write_atomic(target, self._page(command))
        return target

    def _page(self, command: str = "") -> str:
        """The text of the HTML file that `report` writes."""
        return render_result_page(self._title(), self.__rich__())

    @abc.abstractmethod
    def _title(self) -> str:
        """The answer in a line, such as the title of its page."""

    @abc.abstractmethod
    def __rich__(self) -> RenderableType:
        """The answer as rich draws it on a terminal."""

    def raise_if_sick(self) -> None:
        """Raise an error when something sick was found, for tests and scripts.

        Raises:
            SickError: It names the first sick finding.
        """
        sick = [finding for finding in self.findings if finding.severity == "sick"]
        if sick:
            more = f", and {len(sick) - 1} more" if len(sick) > 1 else ""
            raise SickError(f"{finding_line(sick[0]).plain}{more}", cause=sick[0].why)

    def compact(self) -> str:
        """The answer in few words, without tables: what commands print where a coding agent reads them."""
        if not self.findings:
            return str(self)
        return "\n".join([self._title(), *self._reasons(), *compact_findings(self.findings)])

    def _reasons(self) -> Sequence[str]:
        """What stands between the title and the findings where the answer is told in few words."""
        return ()

    def __str__(self) -> str:
        return as_text(self.__rich__())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {shortened(self._title())}>"

    def _picture(self) -> str:
        """A static picture beside the text in a notebook, as SVG; empty where there is nothing to draw."""
        return ""

    def _repr_html_(self) -> str:
        return as_html(self.__rich__()) + as_image(self._picture())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: HTML that needs no script, and a few lines of text where that cannot be shown."""
        text = self.compact() if self.findings else repr(self)
        return {"text/plain": text[:LONGEST_TEXT], "text/html": self._repr_html_()}


def shortened(title: str) -> str:
    """A title that fits into a line or two."""
    line = " ".join(title.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 4]} ..."


def trace_picture(trace: Trace) -> str:
    """The losses of a training over its steps, as SVG."""
    named = (("loss", "train", "loss"), ("validation loss", "validation", "data-loss"))
    found = [(name, trace.series(quantity, phase=phase)) for name, phase, quantity in named]
    return svg_lines([(name, series.steps, series.values) for name, series in found if series.values])


def shown(progress: Progress) -> AbstractContextManager[Progress]:
    """The progress that was given; in a notebook, where none was, a panel in the output of the cell."""
    return NotebookView() if progress is silent and in_notebook() else nullcontext(progress)
