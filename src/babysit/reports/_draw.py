"""Figures drawn: numbers to plotly, nothing else. The page recolours them for a dark screen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from babysit.reports._figures import Bars, Confusion, Curves, Reliability, Residuals

# Okabe and Ito's colours, told apart by colour-blind readers too.
# Each can be seen on white and on a dark screen: a contrast of 3 or more with both.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#D55E00", "#00926A", "#CC3311", "#808080"
FAR = 1e6  # times the middle value: what lies beyond is told, not drawn, since all else would be one line
NO_NUMBERS = "no numbers"  # of a trace that only guides the eye: it is left out where numbers are downloaded
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
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(title=x or None, automargin=True, gridcolor="rgba(128,128,128,0.2)", zeroline=False)
    figure.update_yaxes(title=y or None, automargin=True, gridcolor="rgba(128,128,128,0.2)", zeroline=False)
    return figure


def log_axis(figure: go.Figure, values: Sequence[float | None]) -> None:
    """A logarithmic y axis: a tick a decade, more of them within one or two, fewer where a loss ran away."""
    positive = sorted(value for value in values if value is not None and value > 0 and math.isfinite(value))
    figure.update_yaxes(type="log", exponentformat="power")
    if not positive:
        return
    middle = positive[len(positive) // 2]
    low, high = max(positive[0], middle / FAR), min(positive[-1], middle * FAR)
    decades = math.log10(high / low)
    margin = max(0.06 * decades, 0.1)
    figure.update_yaxes(
        range=[math.log10(low) - margin, math.log10(high) + margin],
        dtick=1 + decades // 6 if decades >= 1.5 else "D2",
    )
    beyond = [
        f"{word} {value:.1e}"
        for word, value, cut in (("down to", positive[0], low), ("up to", positive[-1], high))
        if value != cut
    ]
    if beyond:
        told = f"goes on {' and '.join(beyond)}"
        figure.add_annotation(text=told, x=1, y=1, xref="paper", yref="paper", showarrow=False, xanchor="right")


def level(figure: go.Figure, value: float, name: str, across: Sequence[float | str]) -> None:
    """A dotted line from end to end. It is a series: shapes and words stand elsewhere on logarithmic axes."""
    if across:
        figure.add_scatter(
            x=[across[0], across[-1]],
            y=[value, value],
            name=name,
            mode="lines",
            line={"dash": "dot", "color": GREY, "width": 1.6},
            meta=NO_NUMBERS,
        )


def draw_curves(found: Curves, y: str, *, log: bool = False) -> go.Figure:
    """Lines over steps; NaN and infinite values as red marks at the bottom, the best epoch as a dotted line."""
    figure = go.Figure()
    for place, curve in enumerate(found.curves):
        few = len(curve.steps) < 60 and curve.name != "each batch"
        figure.add_scatter(
            x=curve.steps,
            y=curve.values,
            name=curve.name,
            mode="lines+markers" if few else "lines",
            line={"color": COLOURS.get(curve.name, BLUE), "width": 1 if curve.name == "each batch" else 2},
            marker={"size": 5},
            # The gap between training and validation rows.
            fill="tonexty" if curve.name == "validation" and place else None,
            fillcolor="rgba(213,94,0,0.13)",
        )
    if found.best_step is not None:
        figure.add_vline(
            x=found.best_step,
            line={"dash": "dot", "color": GREY},
            annotation_text="best epoch",
            annotation_position="top left",
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
    laid_out(figure, found.over, y)
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
            colorscale=[[0, "#ffffff"], [1, BLUE]],
            meta="shades",
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


def layer_name(name: str, longest: int = 18) -> str:
    """A layer's name on an axis or in a legend; a number alone would be taken for one.

    Example:
        >>> layer_name("0"), layer_name("encoder.fc1")
        ('layer 0', 'encoder.fc1')
    """
    return f"layer {name}" if name.isdigit() else short(name, longest)


def short(name: str, longest: int = 24) -> str:
    """A name that fits an axis."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
