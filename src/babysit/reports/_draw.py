"""Figures drawn: numbers to plotly, nothing else. The page recolours them for a dark screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from babysit.reports._figures import Bars, Confusion, Curves, Reliability, Residuals

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#D55E00", "#009E73", "#CC3311", "#999999"
COLOURS = {
    "each batch": "rgba(0,114,178,0.28)",
    "train, smoothed": BLUE,
    "train": BLUE,
    "validation": ORANGE,
    "test": GREEN,
}


def laid_out(figure: go.Figure, x: str, y: str, height: int = 320) -> go.Figure:
    """The look that all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 56, "r": 12, "t": 12, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(title=x, automargin=True, gridcolor="rgba(128,128,128,0.2)", zeroline=False)
    figure.update_yaxes(title=y, automargin=True, gridcolor="rgba(128,128,128,0.2)", zeroline=False)
    return figure


def log_axis(figure: go.Figure, values: Sequence[float | None]) -> None:
    """A logarithmic y axis: a tick a decade, more of them within one or two, fewer where a loss ran away."""
    positive = [value for value in values if value is not None and value > 0 and math.isfinite(value)]
    decades = math.log10(max(positive) / min(positive)) if positive else 0.0
    figure.update_yaxes(type="log", dtick=1 + decades // 6 if decades >= 2 else None, exponentformat="power")


def draw_curves(found: Curves, y: str, *, log: bool = False) -> go.Figure:
    """Lines over steps; NaN and infinite values as red marks at the bottom, the best epoch as a dotted line."""
    figure = go.Figure()
    for curve in found.curves:
        few = len(curve.steps) < 60 and curve.name != "each batch"
        figure.add_scatter(
            x=curve.steps,
            y=curve.values,
            name=curve.name,
            mode="lines+markers" if few else "lines",
            line={"color": COLOURS.get(curve.name, BLUE), "width": 1 if curve.name == "each batch" else 2},
            marker={"size": 5},
        )
    if found.best_step is not None:
        figure.add_vline(
            x=found.best_step,
            line={"dash": "dot", "color": GREY},
            annotation_text="best",
            annotation_position="bottom right",
        )
    if found.not_finite:
        lowest = min((value for curve in found.curves for value in curve.values), default=1.0)
        figure.add_scatter(
            x=found.not_finite,
            y=[lowest] * len(found.not_finite),
            name="NaN or infinite",
            mode="markers",
            marker={"symbol": "x", "size": 9, "color": RED},
        )
    laid_out(figure, "step", y)
    if log:
        log_axis(figure, [value for curve in found.curves for value in curve.values])
    return figure


def draw_bars(found: Bars) -> go.Figure:
    """Rows of each class by phase."""
    figure = go.Figure()
    for phase, counts in found.counts.items():
        figure.add_bar(x=[short(name) for name in found.names], y=counts, name=phase, marker={"color": COLOURS[phase]})
    laid_out(figure, "class", "rows", height=280)
    figure.update_layout(barmode="group")
    figure.update_xaxes(type="category")
    return figure


def draw_confusion(found: Confusion) -> go.Figure:
    """A square for each pair of classes, shaded by the share of the true class, with the rows written in."""
    names = [short(name) for name in found.classes]
    few = len(names) <= 20
    figure = go.Figure(
        go.Heatmap(
            z=found.shares,
            x=names,
            y=names,
            customdata=found.counts,
            zmin=0,
            zmax=1,
            colorscale=[[0, "rgba(0,114,178,0.04)"], [1, BLUE]],
            showscale=not few,
            text=found.counts if few else None,
            texttemplate="%{text}" if few else None,
            hovertemplate="true %{y}, predicted %{x}: %{customdata} rows<extra></extra>",
        )
    )
    laid_out(figure, "predicted", "true", height=min(640, 220 + 26 * len(names)))
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def draw_reliability(found: Reliability) -> go.Figure:
    """Accuracy against confidence, with the diagonal of a perfectly calibrated model."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="calibrated", line={"dash": "dot", "color": GREY})
    figure.add_scatter(
        x=found.confidence,
        y=found.accuracy,
        mode="lines+markers",
        name="this model",
        line={"color": BLUE},
        customdata=found.rows,
        hovertemplate="confidence %{x:.2f}, right %{y:.2f}, %{customdata} rows<extra></extra>",
    )
    laid_out(figure, "confidence", "share right")
    figure.update_xaxes(range=[0, 1.02])
    figure.update_yaxes(range=[0, 1.05])
    return figure


def draw_residuals(found: Residuals) -> go.Figure:
    """Predicted against true values, with the diagonal of perfect answers."""
    low, high = min(*found.true, *found.predicted), max(*found.true, *found.predicted)
    figure = go.Figure()
    figure.add_scatter(
        x=found.true, y=found.predicted, mode="markers", name="rows", marker={"size": 5, "color": BLUE, "opacity": 0.45}
    )
    figure.add_scatter(x=[low, high], y=[low, high], mode="lines", name="perfect", line={"dash": "dot", "color": GREY})
    return laid_out(figure, "true", "predicted", height=380)


def draw_errors(found: Residuals) -> go.Figure:
    """How errors are spread."""
    figure = go.Figure(go.Histogram(x=found.error, marker={"color": BLUE}, nbinsx=50))
    return laid_out(figure, "predicted - true", "rows", height=280)


def short(name: str, longest: int = 24) -> str:
    """A name that fits an axis."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def as_json(figure: go.Figure) -> Any:
    """Plain values that plotly.js draws."""
    return figure.to_plotly_json()
