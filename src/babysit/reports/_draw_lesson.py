"""A lesson's figures drawn: numbers to plotly."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from babysit.reports._draw import BLUE, GREEN, GREY, ORANGE, RED, laid_out
from babysit.reports._lesson import HistogramsFigure, ImagesFigure, LessonFigure, LinesFigure, TableFigure

SERIES = (BLUE, ORANGE, GREEN, "#AA4499", "#3A8FC7", "#9A7200", RED, GREY)
ALIKE = 20.0  # times: rows of panels whose widest differ by less have one range of values together
ROW = 96  # pixels of a row of small panels
MOST_ACROSS = 6  # panels side by side: more are thinned, first and last stay


def draw_lesson_figure(figure: LessonFigure) -> go.Figure | None:
    """A figure as plotly draws it; None for a table, which the page writes itself."""
    if isinstance(figure, LinesFigure):
        return _lines(figure)
    if isinstance(figure, HistogramsFigure):
        return _histograms(figure)
    return None if isinstance(figure, TableFigure) else _images(figure)


def _lines(figure: LinesFigure) -> go.Figure:
    drawn = go.Figure()
    mode = {"lines": "lines", "points": "markers", "lines+points": "lines+markers"}[figure.mode]
    for number, line in enumerate(figure.lines):
        colour = SERIES[number % len(SERIES)]
        drawn.add_scatter(
            x=line.x,
            y=line.y,
            name=line.name,
            mode=mode,
            line={"color": colour, "width": 2},
            marker={"color": colour, "size": 4 if figure.mode == "points" else 6, "opacity": 0.7},
        )
    laid_out(drawn, figure.x_label, figure.y_label, height=340)
    drawn.update_layout(showlegend=len(figure.lines) > 1)
    if figure.log_x:
        drawn.update_xaxes(type="log", exponentformat="power")
    if figure.log_y:
        drawn.update_yaxes(type="log", exponentformat="power")
    if figure.mode == "points":
        drawn.update_xaxes(zeroline=True, zerolinecolor=GREY)
        drawn.update_yaxes(zeroline=True, zerolinecolor=GREY)
    if figure.equal_axes:
        # Where the origin is, and how long one is: without both, a cloud before and after looks the same.
        drawn.update_xaxes(zeroline=True, zerolinecolor=GREY, rangemode="tozero")
        drawn.update_yaxes(scaleanchor="x", scaleratio=1, zeroline=True, zerolinecolor=GREY, rangemode="tozero")
    return drawn


def chosen(count: int, most: int = MOST_ACROSS) -> list[int]:
    """Places of at most so many out of a row, evenly spaced, both ends among them.

    Example:
        >>> chosen(10, 4)
        [0, 3, 6, 9]
    """
    if count <= most:
        return list(range(count))
    return [round(number * (count - 1) / (most - 1)) for number in range(most)]


def _histograms(figure: HistogramsFigure) -> go.Figure:
    across = max((len(chosen(len(panels))) for _, panels in figure.rows), default=1)
    titles = []
    for _, panels in figure.rows:
        told = [f"{panels[place].title} {panels[place].note}".strip() for place in chosen(len(panels))]
        titles += told + [""] * (across - len(told))
    drawn = make_subplots(
        rows=len(figure.rows),
        cols=across,
        subplot_titles=titles,
        horizontal_spacing=0.015,
        vertical_spacing=min(0.3, 0.5 / max(1, len(figure.rows))),
        row_titles=[name for name, _ in figure.rows],
    )
    for row, (_, panels) in enumerate(figure.rows, start=1):
        for column, place in enumerate(chosen(len(panels)), start=1):
            panel = panels[place]
            middles = [(a + b) / 2 for a, b in zip(panel.edges, panel.edges[1:], strict=False)]
            widths = [b - a for a, b in zip(panel.edges, panel.edges[1:], strict=False)]
            drawn.add_bar(
                x=middles,
                y=panel.counts,
                width=widths,
                marker={"color": SERIES[(row - 1) % len(SERIES)]},
                showlegend=False,
                row=row,
                col=column,
            )
    for row, reach in enumerate(_ranges(figure), start=1):
        drawn.update_xaxes(range=reach, row=row)
    laid_out(drawn, "", "", height=60 + (ROW + 30) * len(figure.rows))
    drawn.update_annotations(font={"size": 10})
    drawn.update_xaxes(showgrid=False, nticks=3, tickfont={"size": 9})
    drawn.update_yaxes(showgrid=False, showticklabels=False)
    drawn.update_layout(margin={"l": 8, "r": 34, "t": 34, "b": 24}, bargap=0)
    return drawn


def _ranges(figure: HistogramsFigure) -> list[tuple[float, float]]:
    """The range of values of each row of panels: one for all of them where that leaves none of them a line."""
    ends = [
        (min(panel.edges[0] for panel in panels), max(panel.edges[-1] for panel in panels)) for _, panels in figure.rows
    ]
    widths = [high - low for low, high in ends]
    if widths and max(widths) < ALIKE * min(widths):
        return [(min(low for low, _ in ends), max(high for _, high in ends))] * len(ends)
    return ends


def _images(figure: ImagesFigure) -> go.Figure:
    across = max((len(images) for _, images in figure.rows), default=1)
    titles = []
    for _, images in figure.rows:
        titles += [image.title for image in images] + [""] * (across - len(images))
    drawn = make_subplots(
        rows=len(figure.rows),
        cols=across,
        subplot_titles=titles,
        horizontal_spacing=0.01,
        vertical_spacing=min(0.2, 0.4 / max(1, len(figure.rows))),
        row_titles=[name for name, _ in figure.rows],
    )
    for row, (_, images) in enumerate(figure.rows, start=1):
        for column, image in enumerate(images, start=1):
            drawn.add_heatmap(z=image.pixels, colorscale="gray", showscale=False, hoverinfo="skip", row=row, col=column)
    laid_out(drawn, "", "", height=60 + (ROW + 20) * len(figure.rows))
    drawn.update_annotations(font={"size": 10})
    drawn.update_xaxes(visible=False, constrain="domain")
    drawn.update_yaxes(visible=False, autorange="reversed")
    drawn.update_layout(margin={"l": 8, "r": 34, "t": 30, "b": 8})
    return drawn
