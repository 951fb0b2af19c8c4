"""Page: what is written down about one thing, and how its figures are computed when it is asked for."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from babysit.reports import Lesson, LessonFigure


@dataclass(frozen=True)
class Page:
    """What is written down about one thing.

    Attributes:
        name: As `babysit explain` takes it.
        kind: activation, initialisation, preprocessing, normalisation, optimisation, check, lecture, disease, quantity.
        title: For people.
        words: Paragraphs for readers who have never heard of it.
        formula: What is computed; empty where nothing is.
        when: When to use it.
        wrong: What goes wrong with it or without it.
        source: Who proposed or measured it.
        oracle: NumPy functions that compute it and its gradient: readers see their source, tests hold them against
            the fast version.
        figures: Computes the figures here and now, in a few seconds at most.
        see: Names of related pages.
    """

    name: str
    kind: str
    title: str
    words: tuple[str, ...]
    formula: str = ""
    when: str = ""
    wrong: str = ""
    source: str = ""
    oracle: tuple[Callable[..., Any], ...] = ()
    figures: Callable[[], tuple[LessonFigure, ...]] = tuple
    see: tuple[str, ...] = ()

    def lesson(self) -> Lesson:
        """The page with its figures."""
        return Lesson(
            name=self.name,
            kind=self.kind,
            title=self.title,
            words=self.words,
            formula=self.formula,
            when=self.when,
            wrong=self.wrong,
            source=self.source,
            code="\n\n".join(textwrap.dedent(inspect.getsource(function)).rstrip() for function in self.oracle),
            figures=self.figures(),
            see=self.see,
        )
