"""What the probes saw, drawn."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from babysit.reports._draw import BLUE, GREY, NO_NUMBERS, ORANGE, laid_out, layer_name, level, log_axis
from babysit.reports._inside import DepthProfile, HistogramMap, LayerCurves

# From the first layer to the last: blue to orange, each as bright as can be seen on white and on a dark screen.
DEPTH = ("#2f7fd6", "#5a73d9", "#7d66d6", "#9a5ac8", "#b050b0", "#bd4b93", "#c44b74", "#c55154", "#bf5c33", "#b3690f")
FEW_LAYERS = 6  # that have a line each in the legend; more have a scale from the first to the last
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
            name=layer_name(curve.name),
            mode="lines+markers" if len(values) < 60 else "lines",
            line={"color": shade, "width": 1.6},
            marker={"size": 4},
        )
    steps = [step for curve in found.curves for step in curve.steps]
    if line is not None and steps:
        level(figure, line, f"{line:g}, the rule of thumb", [min(steps), max(steps)])
    laid_out(figure, "step", y, height=360)
    if log:
        values = [value for curve in found.curves for value in curve.values]
        log_axis(figure, [*values, line] if line is not None else values)
    if len(found.curves) > FEW_LAYERS:
        _scale_of_layers(figure, [curve.name for curve in found.curves])
    return figure


def _scale_of_layers(figure: go.Figure, names: list[str]) -> None:
    """In the place of a legend: which shade is the first layer's, and which the last one's."""
    figure.update_layout(showlegend=False, margin={"t": 64})
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        hoverinfo="skip",
        meta=NO_NUMBERS,
        marker={
            "color": [0],
            "colorscale": [[place / (len(DEPTH) - 1), shade] for place, shade in enumerate(DEPTH)],
            "cmin": 0,
            "cmax": 1,
            "showscale": True,
            "colorbar": {
                "orientation": "h",
                "y": 1.02,
                "yanchor": "bottom",
                "len": 0.7,
                "thickness": 10,
                "outlinewidth": 0,
                "tickvals": [0, 1],
                "ticktext": [f"first: {layer_name(names[0], 14)}", f"last: {layer_name(names[-1], 14)}"],
                "ticklabelposition": "outside top",
            },
        },
    )


def draw_depth(found: DepthProfile, y: str) -> go.Figure:
    """A quantity through depth, at the start and at the end."""
    figure = go.Figure()
    names = [layer_name(name) for name in found.layers]
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
    names = [layer_name(name) for name in found.layers]
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
