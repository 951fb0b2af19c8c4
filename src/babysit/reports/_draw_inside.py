"""What the probes saw, drawn."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from babysit.reports._draw import BLUE, GREY, ORANGE, laid_out, log_axis, short
from babysit.reports._inside import DepthProfile, HistogramMap, LayerCurves

# From the first layer to the last: dark to light, told apart in grey, too.
DEPTH = ("#30123b", "#4454c4", "#4490fe", "#1fc8de", "#29efa2", "#7dff56", "#c1f334", "#f1ca3a", "#fe922a", "#ea4f0d")
GOOD_RATIO = 1e-3  # the lecture's rule of thumb for |dW| / |W|


def draw_layer_curves(found: LayerCurves, y: str, *, log: bool = False, line: float | None = None) -> go.Figure:
    """A line a layer over steps; a dotted one where the lecture says things should lie."""
    figure = go.Figure()
    for place, curve in enumerate(found.curves):
        shade = DEPTH[round(place * (len(DEPTH) - 1) / max(1, len(found.curves) - 1))]
        values = [value if value > 0 or not log else None for value in curve.values]
        figure.add_scatter(
            x=curve.steps,
            y=values,
            name=short(curve.name, 18),
            mode="lines+markers" if len(values) < 60 else "lines",
            line={"color": shade, "width": 1.6},
            marker={"size": 4},
        )
    if line is not None:
        figure.add_hline(y=line, line={"dash": "dot", "color": GREY}, annotation_text=f"{line:g}")
    laid_out(figure, "step", y, height=360)
    if log:
        log_axis(figure, [value for curve in found.curves for value in curve.values])
    if len(found.curves) > 8:
        figure.update_layout(showlegend=False)
    return figure


def draw_depth(found: DepthProfile, y: str) -> go.Figure:
    """A quantity through depth, at the start and at the end."""
    figure = go.Figure()
    names = [short(name, 18) for name in found.layers]
    for values, step, colour in ((found.first, found.steps[0], GREY), (found.last, found.steps[1], BLUE)):
        shown = [value if value > 0 and math.isfinite(value) else None for value in values]
        figure.add_scatter(
            x=names, y=shown, name=f"step {step:,}", mode="lines+markers", line={"color": colour}, marker={"size": 6}
        )
    laid_out(figure, "layer, first to last", y, height=340)
    log_axis(figure, (*found.first, *found.last))
    figure.update_xaxes(type="category", tickangle=-45)
    return figure


def draw_histograms(found: HistogramMap, x: str) -> go.Figure:
    """Layers from top to bottom, values from left to right, darker where more of them lie; a slider over steps."""
    figure = go.Figure()
    names = [short(name, 18) for name in found.layers]
    for place, shares in enumerate(found.shares):
        figure.add_heatmap(
            z=shares,
            x=found.centres,
            y=names,
            visible=place == 0,
            showscale=False,
            zmin=0,
            zmax=max(0.02, min(0.35, max(max(row) for row in shares))),
            colorscale=[[0, "rgba(0,114,178,0.0)"], [0.15, "rgba(0,114,178,0.35)"], [1, BLUE]],
            hovertemplate="%{y}: %{z:.1%} about %{x:.3g}<extra></extra>",
        )
    laid_out(figure, x, "", height=min(620, 190 + 22 * len(names)))
    figure.update_yaxes(type="category", autorange="reversed")
    figure.add_vline(x=0, line={"dash": "dot", "color": ORANGE, "width": 1})
    if len(found.steps) > 1:
        steps = [
            {
                "label": f"{step:,}",
                "method": "restyle",
                "args": [{"visible": [place == number for number in range(len(found.steps))]}],
            }
            for place, step in enumerate(found.steps)
        ]
        figure.update_layout(
            sliders=[{"active": 0, "steps": steps, "currentvalue": {"prefix": "step "}, "pad": {"t": 48}, "len": 0.96}],
            margin={"b": 120},
        )
    return figure
