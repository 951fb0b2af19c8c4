"""Lessons as one HTML file that works offline."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import plotly.offline

from babysit.record import write_atomic
from babysit.reports._draw import as_json
from babysit.reports._draw_lesson import draw_lesson_figure
from babysit.reports._environment import environment, script_safe
from babysit.reports._lesson import Lesson


def write_lessons_page(lessons: Sequence[Lesson], title: str, path: str | pathlib.Path) -> pathlib.Path:
    """Write one lesson or many as one HTML file.

    Args:
        lessons: In the order of the page.
        title: Of the page.
        path: Where to.

    Returns:
        The path.

    Raises:
        StorageError: The disk refused it; nothing is left half-written.
    """
    target = pathlib.Path(path)
    write_atomic(target, render_lessons_page(lessons, title))
    return target


def render_lessons_page(lessons: Sequence[Lesson], title: str) -> str:
    """The page as text."""
    figures = {
        f"{lesson.name}--{figure.name}": as_json(drawn)
        for lesson in lessons
        for figure in lesson.figures
        if (drawn := draw_lesson_figure(figure)) is not None
    }
    return (
        environment()
        .get_template("lesson.html")
        .render(
            title=title,
            lessons=lessons,
            names={lesson.name for lesson in lessons},
            figures=script_safe(figures),
            plotly=plotly.offline.get_plotlyjs(),
        )
    )
