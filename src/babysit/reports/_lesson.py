"""A lesson: one thing explained, with figures computed for the occasion. Plain numbers; others draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Mode = Literal["lines", "points", "lines+points"]


class Line(NamedTuple):
    """Points (x, y) of one series; NaN leaves a gap."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class LinesFigure(NamedTuple):
    """Series over one pair of axes.

    `name` is unique within a lesson; `text` says in a sentence or two what is to be seen in it.
    """

    name: str
    title: str
    text: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    mode: Mode = "lines"
    equal_axes: bool = False  # a step to the right is as long as a step up: for paths and clouds of points


class Panel(NamedTuple):
    """One histogram; `len(edges) == len(counts) + 1`. `note` is a few words beside it, such as its std."""

    title: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    note: str = ""


class HistogramsFigure(NamedTuple):
    """Histograms in a grid: a row of panels for each series, such as a scheme, a column for each layer."""

    name: str
    title: str
    text: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]  # the row's name, its panels


class TableFigure(NamedTuple):
    """Numbers and words in columns."""

    name: str
    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class GreyImage(NamedTuple):
    """One grey picture: rows of values, drawn from their lowest (black) to their highest (white)."""

    title: str
    pixels: tuple[tuple[float, ...], ...]


class ImagesFigure(NamedTuple):
    """Small grey pictures, a row of them for each series."""

    name: str
    title: str
    text: str
    rows: tuple[tuple[str, tuple[GreyImage, ...]], ...]


LessonFigure = LinesFigure | HistogramsFigure | TableFigure | ImagesFigure


@dataclass(frozen=True)
class Lesson:
    """One thing explained.

    Attributes:
        name: As `babysit explain` takes it.
        kind: What it is: activation, initialisation, preprocessing, ...
        title: For people.
        words: Paragraphs in plain words, for somebody who has never heard of it.
        formula: What is computed, in a line or two; empty where nothing is.
        when: When to use it; empty where there is no choice.
        wrong: What goes wrong with it, or without it.
        source: Who proposed or measured it.
        code: NumPy source that computes it, with its gradient; empty where there is none.
        figures: Computed here and now.
        see: Names of related lessons.
    """

    name: str
    kind: str
    title: str
    words: tuple[str, ...]
    formula: str = ""
    when: str = ""
    wrong: str = ""
    source: str = ""
    code: str = ""
    figures: tuple[LessonFigure, ...] = ()
    see: tuple[str, ...] = ()
