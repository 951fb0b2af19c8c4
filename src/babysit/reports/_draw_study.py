"""Figures of a search drawn: numbers to plotly, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from babysit.record import CurvePoint
from babysit.reports._draw import BLUE, GREEN, GREY, NO_NUMBERS, ORANGE, laid_out, short
from babysit.reports._study_figures import Climb, Cloud, Parallel, RungBar, last_word, whole_percents

STAGES = {"coarse": BLUE, "fine": ORANGE, "full": GREEN}


def draw_parallel(found: Parallel, score_name: str) -> go.Figure:
    """A line a trial, from setting to setting to its score, coloured by it."""
    dimensions = []
    for axis in found.axes:
        dimension = {"label": axis.label, "values": axis.values}
        if axis.words:
            dimension |= {"tickvals": axis.ticks, "ticktext": [short(word, 14) for word in axis.words]}
        dimensions.append(dimension)
    dimensions.append({"label": score_name, "values": found.scores})
    # The middle half of the colours would else be spent on trials that learned nothing.
    ordered = sorted(found.scores)
    low = ordered[len(ordered) // 4]
    line = {"color": found.scores, "colorscale": "Viridis", "cmin": low, "cmax": ordered[-1], "showscale": True}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line))
    laid_out(figure, "", "", height=420)
    figure.update_layout(margin={"l": 60, "r": 30, "t": 60, "b": 30})
    return figure


def draw_cloud(found: Cloud, score_name: str) -> go.Figure:
    """Scores against one setting; grey lines are the ends of the range as it was given."""
    figure = go.Figure()
    for stage, colour in STAGES.items():
        chosen = [place for place, name in enumerate(found.stages) if name == stage]
        if chosen:
            figure.add_scatter(
                x=[found.values[place] for place in chosen],
                y=[found.scores[place] for place in chosen],
                name=stage,
                mode="markers",
                marker={"color": colour, "size": 7, "opacity": 0.6},
            )
    laid_out(figure, last_word(found.path), score_name, height=300)
    if found.log:
        figure.update_xaxes(type="log", exponentformat="power", dtick=1)
    if found.options:
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=list(found.options))
    elif found.low is not None and found.scores:
        for end in (found.low, found.high):
            figure.add_scatter(
                x=[end, end],
                y=[min(found.scores), max(found.scores)],
                mode="lines",
                line={"dash": "dot", "color": GREY},
                showlegend=False,
                hoverinfo="skip",
                meta=NO_NUMBERS,
            )
    return figure


def draw_climb(found: Climb, score_name: str) -> go.Figure:
    """Scores from rung to rung."""
    figure = go.Figure()
    named: set[str] = set()
    for steps, scores, stage in found.courses:
        figure.add_scatter(
            x=steps,
            y=scores,
            name=stage,
            legendgroup=stage,
            showlegend=stage not in named,
            mode="lines+markers",
            line={"color": STAGES[stage], "width": 1},
            marker={"size": 4},
            opacity=0.5,
        )
        named.add(stage)
    laid_out(figure, "steps", score_name, height=340)
    figure.update_xaxes(type="log", exponentformat="none")
    return figure


def draw_rungs(found: Sequence[RungBar]) -> go.Figure:
    """Trials at each rung, from the first to the last."""
    figure = go.Figure(
        go.Bar(
            x=[bar.trials for bar in found],
            y=[bar.name for bar in found],
            orientation="h",
            marker={"color": BLUE},
            text=[str(bar.trials) for bar in found],
            textposition="outside",
            cliponaxis=False,
        )
    )
    laid_out(figure, "trials", "", height=80 + 24 * len(found))
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def draw_best_of(found: Sequence[CurvePoint], score_name: str) -> go.Figure:
    """The best of n trials: its median, and the band in which nine of ten searches of n trials end."""
    counts = [point.trials for point in found]
    figure = go.Figure()
    figure.add_scatter(
        x=counts,
        y=[point.high for point in found],
        mode="lines",
        line={"width": 0},
        showlegend=False,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=counts,
        y=[point.low for point in found],
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(0,114,178,0.18)",
        name="nine of ten searches",
    )
    figure.add_scatter(
        x=counts,
        y=[point.median for point in found],
        mode="lines+markers",
        line={"color": BLUE},
        name="median",
        marker={"size": 5},
    )
    laid_out(figure, "coarse trials", f"best {score_name}", height=320)
    figure.update_xaxes(type="log", exponentformat="none")
    return figure


def draw_importance(found: Mapping[str, float], together: float) -> go.Figure:
    """Shares of the variance."""
    ordered = sorted(found.items(), key=lambda item: item[1])
    names = ["together", *(last_word(path) for path, _ in ordered)]
    shares = [together, *(share for _, share in ordered)]
    colours = [GREY, *([BLUE] * len(ordered))]
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=names,
            orientation="h",
            marker={"color": colours},
            text=[f"{one}%" for one in whole_percents(shares)],
        )
    )
    laid_out(figure, "share of the variance of ranks", "", height=90 + 30 * len(names))
    figure.update_yaxes(type="category")
    figure.update_xaxes(range=[0, max(0.05, *shares) * 1.15], tickformat=".0%")
    return figure
