"""A lesson with a figure of every kind."""

import math

from babysit.reports import GreyImage, HistogramsFigure, ImagesFigure, Lesson, Line, LinesFigure, Panel, TableFigure

LESSON = Lesson(
    name="test",
    kind="check",
    title="A lesson <with> signs & marks",
    words=("Words " * 40, "More."),
    formula="y = x",
    when="Now.",
    wrong="Nothing.",
    source="Here.",
    code="def f(x):\n    return x",
    figures=(
        LinesFigure(
            "lines",
            "Lines",
            "Two.",
            "x",
            "y",
            (
                Line("a", (1.0, 10.0, 100.0), (1.0, math.nan, 1e-3)),
                Line("b", (1.0, 100.0), (1e-3, math.inf)),
            ),
            log_x=True,
            log_y=True,
        ),
        HistogramsFigure(
            "bars",
            "Bars",
            "Some.",
            (("row", tuple(Panel(f"layer {n}", (0.0, 1.0, 2.0), (n, 2), "std 1") for n in range(12))),),
        ),
        TableFigure("table", "Table", "One.", ("name", "value"), (("a", "1"), ("b", "2"))),
        ImagesFigure("images", "Images", "Grey.", (("row", (GreyImage("one", ((0.0, 1.0), (0.5, math.nan))),)),)),
    ),
    see=("other",),
)
