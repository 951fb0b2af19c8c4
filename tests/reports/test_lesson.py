"""Lessons in characters and as a page in a real browser."""

import math
import pathlib

import pytest
from rich.console import Console

from babysit.reports import Lesson, Line, LinesFigure, Panel, print_lesson, render_lessons_page, write_lessons_page
from babysit.reports._plot_text import histogram, plot
from tests.reports.lessons import LESSON


def told(width: int, lesson: Lesson = LESSON) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        print_lesson(lesson, console)
    return capture.get()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_it_fits_every_terminal(width: int) -> None:
    lines = told(width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("A lesson <with> signs & marks" in line or "A lesson" in line for line in lines)


def test_a_line_goes_where_its_numbers_say() -> None:
    figure = LinesFigure("f", "", "", "x", "y", (Line("a", (0.0, 1.0), (0.0, 1.0)),))
    rows = [line.plain.split("│")[1] for line in plot(figure, 30, height=5)[:5]]
    assert rows[0].rstrip().endswith("●")
    assert rows[-1].startswith("●")
    columns = [row.index("●") for row in rows]
    assert columns == sorted(columns, reverse=True)


def test_series_are_told_apart_without_colour_and_gaps_stay() -> None:
    text = told(80)
    assert "● a" in text
    assert "+ b" in text
    figure = LinesFigure("f", "", "", "x", "y", (Line("a", (0.0, 1.0, 2.0, 3.0), (0.0, math.nan, math.nan, 0.0)),))
    row = next(line.plain for line in plot(figure, 60) if "●" in line.plain)
    assert row.count("●") == 2


def test_nothing_to_draw_is_said() -> None:
    figure = LinesFigure("f", "", "", "x", "y", (Line("a", (1.0,), (math.nan,)),), log_y=True)
    assert "nothing to draw" in plot(figure, 60)[0].plain


def test_histograms_show_their_highest_bar() -> None:
    assert histogram(Panel("", (0, 1, 2, 3), (1, 8, 2)), 3).plain == "▁█▂"
    assert histogram(Panel("", (0, 1), (0,)), 3).plain == "   "


def test_the_page_escapes_and_holds_every_figure(tmp_path: pathlib.Path) -> None:
    page = render_lessons_page([LESSON], LESSON.title)
    assert "A lesson &lt;with&gt; signs &amp; marks" in page
    for name in ("lines", "bars", "images"):
        assert f'id="test--{name}"' in page
    assert write_lessons_page([LESSON], "t", tmp_path / "page.html").read_text().startswith("<!doctype html>")
