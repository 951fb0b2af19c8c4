"""Lessons as one HTML file that works offline."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from babysit.record import write_atomic
from babysit.reports._draw_lesson import draw_lesson_figure
from babysit.reports._environment import filled
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
        f"{lesson.name}--{figure.name}": drawn
        for lesson in lessons
        for figure in lesson.figures
        if (drawn := draw_lesson_figure(figure)) is not None
    }
    return filled("lesson.html", figures, title=title, lessons=lessons, names={lesson.name for lesson in lessons})
