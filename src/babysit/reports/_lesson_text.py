"""A lesson on a terminal: words, formula, figures in characters, the NumPy code, related names."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from babysit.reports._lesson import (
    HistogramsFigure,
    ImagesFigure,
    Lesson,
    LessonFigure,
    LinesFigure,
    TableFigure,
)
from babysit.reports._plot_text import histogram, picture, plot, shades

WIDEST = 100  # columns: longer lines of prose are hard to read
PANEL = 12  # columns of a histogram, at least


def print_lesson(lesson: Lesson, console: Console) -> None:
    """Print a lesson; it fits the console, down to 40 columns.

    Example:
        >>> print_lesson(Lesson("relu", "activation", "ReLU", ("It cuts off.",)), Console(width=40))
        ReLU  (activation: relu)
        <BLANKLINE>
        It cuts off.
        <BLANKLINE>
    """
    console.print(lesson_renderable(lesson))


def lesson_renderable(lesson: Lesson) -> RenderableType:
    """A lesson as rich draws it."""
    return _LessonText(lesson)


class _LessonText:
    """Figures in characters depend on the width of the console, which rich tells when it draws."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, WIDEST)
        colours = console.color_system is not None
        yield Constrain(Group(*_parts(self._lesson, width, colours=colours)), width)


def _parts(lesson: Lesson, width: int, *, colours: bool) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text.assemble((lesson.title, "bold"), (f"  ({lesson.kind}: {lesson.name})", "dim")),
        Text(),
    ]
    for paragraph in lesson.words:
        parts += [Text(paragraph), Text()]
    if lesson.formula:
        parts += [Padding(Text(lesson.formula, style="bold cyan"), (0, 0, 1, 2))]
    for head, told in (("when", lesson.when), ("what goes wrong", lesson.wrong)):
        if told:
            parts += [Text.assemble((f"{head}: ", "bold"), told), Text()]
    for figure in lesson.figures:
        parts += [*_figure(figure, width, colours=colours), Text()]
    if lesson.code:
        parts += [Text("in NumPy", style="bold"), Syntax(lesson.code, "python", word_wrap=True), Text()]
    if lesson.source:
        parts += [Text.assemble(("source: ", "bold"), lesson.source), Text()]
    if lesson.see:
        parts += [Text.assemble(("see also: ", "bold"), ", ".join(lesson.see))]
    return parts


def _figure(figure: LessonFigure, width: int, *, colours: bool) -> list[RenderableType]:
    head: list[RenderableType] = [Text(figure.title, style="bold"), Text(figure.text)]
    if isinstance(figure, LinesFigure):
        return [*head, *plot(figure, width)]
    if isinstance(figure, HistogramsFigure):
        return [*head, *_histograms(figure, width)]
    if isinstance(figure, TableFigure):
        return [*head, _table(figure)]
    return [*head, *_images(figure, width, colours=colours)]


LONGEST_NAME = 24  # columns of a terminal


def _table(figure: TableFigure) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    longest = max((len(row[0]) for row in figure.rows), default=0)
    for number, column in enumerate(figure.columns):
        if number == 0:  # names are not broken where they need not be
            table.add_column(column, overflow="fold", min_width=min(longest, LONGEST_NAME))
        else:
            table.add_column(column, justify="right", overflow="fold")
    for row in figure.rows:
        table.add_row(*map(Text, row))
    return table


def _histograms(figure: HistogramsFigure, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for name, panels in figure.rows:
        parts.append(Text(name, style="cyan"))
        a_line = max(1, min(len(panels), width // (PANEL + 1)))
        wide = width // a_line - 1
        for start in range(0, len(panels), a_line):
            chosen = panels[start : start + a_line]
            lines = (
                [histogram(panel, wide) for panel in chosen],
                [Text(panel.title[:wide]) for panel in chosen],
                [Text(panel.note[:wide], style="dim") for panel in chosen],
            )
            parts += [_beside(line, wide) for line in lines]
    return parts


def _beside(parts: Sequence[Text], wide: int) -> Text:
    line = Text()
    for part in parts:
        part.truncate(wide, pad=True)
        line.append_text(part)
        line.append(" ")
    line.rstrip()
    return line


def _images(figure: ImagesFigure, width: int, *, colours: bool) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for name, images in figure.rows:
        parts.append(Text(name, style="cyan"))
        sizes = [len(image.pixels[0]) for image in images if image.pixels]
        wide = max(sizes, default=1)
        a_line = max(1, width // (wide + 1))
        for start in range(0, len(images), a_line):
            chosen = images[start : start + a_line]
            drawn = [picture(image) if colours else shades(image) for image in chosen]
            parts += [
                _beside([one[row] if row < len(one) else Text() for one in drawn], wide)
                for row in range(max(len(one) for one in drawn))
            ]
            parts.append(_beside([Text(image.title[:wide]) for image in chosen], wide))
    return parts
