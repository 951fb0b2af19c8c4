"""Which figures a trace gives, each with the sentence that says how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from babysit.record import WEIGHTED, Finding, Trace
from babysit.reports import _draw, _figures
from babysit.reports._draw_inside import GOOD_RATIO, draw_depth, draw_histograms, draw_layer_curves
from babysit.reports._inside import depth_profile, histogram_map, is_drawn, layer_curves


class Picture(NamedTuple):
    """A figure with the sentence that says how to read it; without a figure the sentence says it all."""

    name: str
    title: str
    caption: str
    figure: go.Figure | None
    across: bool = False  # the whole width of the page, not a column of it


def curves_picture(name: str, title: str, caption: str, curves: _figures.Curves, unit: str = "") -> Picture | None:
    """Curves drawn. What was measured once, or is the same at every step, is said in a sentence and not drawn.

    Example:
        >>> curves = _figures.Curves((_figures.Curve("lr", (0.0, 1.0), (0.1, 0.1)),))
        >>> curves_picture("lr", "Learning rate", "As the schedule set it.", curves).caption
        '0.1 at every step from 0 to 1.'
    """
    if not curves.curves:
        return None
    told = " ".join(filter(None, map(_in_words, curves.curves))) if not curves.not_finite else ""
    if told and all(map(_in_words, curves.curves)):
        return Picture(name, title, told, None)
    return Picture(name, title, caption, _draw.draw_curves(curves, unit or title.lower()))


def _in_words(curve: _figures.Curve) -> str:
    """A curve that is no curve, in a sentence; empty for one that is."""
    which = f"{curve.name}: " if curve.name in ("train", "validation", "test") else ""
    if len(curve.steps) == 1:
        return f"{which}{curve.values[0]:.4g}, measured once, at step {curve.steps[0]:,.0f}."
    if len(set(curve.values)) == 1:
        return f"{which}{curve.values[0]:.4g} at every step from {curve.steps[0]:,.0f} to {curve.steps[-1]:,.0f}."
    return ""


# Quantity, title, sentence; each a line a layer over steps.
_OVER_STEPS = (
    (
        "never-active-share",
        "Silent units",
        "Share of a layer's units that were zero for every row of the last thousand. A few percent are usual deep in a"
        " ReLU network; a unit that is silent over all the data learns nothing any more.",
    ),
    (
        "saturated-unit-share",
        "Saturated units",
        "Share of units that sit at a flat end of their activation for nearly every row: no gradient comes through.",
    ),
)
# For each finding: the quantity that shows it, and whether over steps of layers, through depth, or of the network.
_EVIDENCE: dict[str, tuple[str, str]] = {
    "activations-explode": ("activation-std", "depth"),
    "activations-vanish": ("activation-std", "depth"),
    "batch-norm-missing": ("activation-std", "depth"),
    "diverged": ("loss", "network"),
    "gradient-noise-high": ("gradient-noise-scale", "network"),
    "gradients-clipped-always": ("clip-factor", "network"),
    "gradients-explode": ("activation-gradient-std", "depth"),
    "gradients-not-cleared": ("left-over-gradient", "network"),
    "gradients-vanish": ("activation-gradient-std", "depth"),
    "learning-rate-too-high": ("update-ratio", "layers"),
    "learning-rate-too-low": ("update-ratio", "layers"),
    "oscillating": ("loss", "network"),
    "overfitting": ("loss", "network"),
    "scheduler-misused": ("lr", "network"),
    "not-learning": ("loss", "network"),
    "stuck-at-chance": ("loss", "network"),
    "units-dead": ("never-active-share", "layers"),
    "units-saturated": ("saturated-unit-share", "layers"),
    "weight-decay-too-strong": ("weight-norm", "layers"),
    "weights-symmetric": ("identical-units-share", "layers"),
}


def loss_picture(trace: Trace) -> Picture | None:
    """The loss over steps; None before the first."""
    losses = _figures.loss_curves(trace)
    if not losses.curves and not losses.not_finite:
        return None
    if len(trace.series("loss").steps) == 1 and not losses.not_finite:
        step, value = trace.series("loss")
        return Picture("training-loss", "Loss", f"{value[0]:.4g}, measured once, at step {step[0]:,}.", None)
    text = (
        "In a sound training the loss falls fast, then slowly. A validation loss that rises while the training loss"
        " falls is overfitting; the weights of the best epoch are kept. If the curve is nearly straight, try a higher"
        " learning rate; if it drops and then stays flat, a lower one."
    )
    positive = all(value > 0 for curve in losses.curves for value in curve.values)
    return Picture(
        "training-loss", "Loss", text, _draw.draw_curves(losses, "loss", log=positive and bool(losses.curves))
    )


def inside_pictures(trace: Trace) -> list[Picture]:
    """What the probes saw, in the order in which an expert looks."""
    pictures = []
    for quantity, title, text in (
        (
            "activation",
            "Activations",
            "Outputs of each layer over the training. If they narrow to a line, they vanish; if all lie at the ends of"
            " a tanh or a sigmoid, the units are saturated; if all are zero, the units are dead.",
        ),
        ("gradient", "Gradients", "Gradients of each layer's weights, all on the same scale."),
    ):
        found = histogram_map(trace, quantity)
        if found is not None:
            pictures.append(Picture(f"inside-{quantity}", title, text, draw_histograms(found, quantity)))
    for quantity, kinds, title, unit, text in (
        (
            "activation-std",
            WEIGHTED,
            "Spread through depth",
            "std of outputs",
            "Standard deviation of the outputs of each weighted layer. It should neither shrink nor grow from layer to"
            " layer; Xavier's and He's initialisations are made for that.",
        ),
        (
            "activation-gradient-std",
            WEIGHTED,
            "Gradient through depth",
            "std of gradients",
            "Size of the loss's gradient at each layer's outputs. A layer where it is far smaller hardly learns.",
        ),
    ):
        profile = depth_profile(trace, quantity, kinds)
        if profile is not None:
            pictures.append(Picture(f"inside-{quantity}", title, text, draw_depth(profile, unit)))
    ratios = layer_curves(trace, "update-ratio", weights_only=True)
    if is_drawn(ratios):
        text = (
            "Change of a layer's weights in a step, relative to their norm. About 0.001 is usual; far more means that"
            " the learning rate is too high, far less that it is too low."
        )
        figure = draw_layer_curves(ratios, "|change| / |weights|", log=True, line=GOOD_RATIO)
        pictures.append(Picture("inside-update-ratio", "Update ratio", text, figure))
    for quantity, title, text in _OVER_STEPS:
        curves = layer_curves(trace, quantity)
        if is_drawn(curves) and any(value > 0 for curve in curves.curves for value in curve.values):
            figure = draw_layer_curves(curves, "share")
            figure.update_yaxes(range=[-0.02, 1.02])
            pictures.append(Picture(f"inside-{quantity}", title, text, figure))
    return [*pictures, *_zig_zag(trace)]


def _zig_zag(trace: Trace) -> list[Picture]:
    curves = layer_curves(trace, "gradient-sign-share", weights_only=True)
    if not is_drawn(curves):
        return []
    text = (
        "Of a unit's weight gradients, the share that have the same sign. Inputs that are all positive give every unit"
        " gradients of one sign (1.0): its weights can only rise or fall together, and the path zig-zags."
    )
    figure = draw_layer_curves(curves._replace(curves=curves.curves[:1]), "share of one sign")
    figure.update_yaxes(range=[0.45, 1.02])
    return [Picture("inside-gradient-sign-share", "One sign in the first layer", text, figure)]


def evidence_pictures(trace: Trace, findings: Sequence[Finding]) -> dict[str, Picture]:
    """For each finding that a figure shows, that figure, by the finding's name."""
    drawn = {finding.name: evidence_picture(trace, finding) for finding in findings}
    return {name: picture for name, picture in drawn.items() if picture is not None}


def evidence_picture(trace: Trace, finding: Finding) -> Picture | None:
    """The series that shows a finding; None where a number says it all."""
    if finding.name not in _EVIDENCE:
        return None
    quantity, scope = _EVIDENCE[finding.name]
    name = f"finding-{finding.name}"
    if scope == "depth":
        profile = depth_profile(trace, quantity, WEIGHTED)
        return None if profile is None else Picture(name, "", "", draw_depth(profile, quantity.replace("-", " ")))
    if scope == "layers":
        curves = layer_curves(trace, quantity, weights_only=quantity in ("update-ratio", "weight-norm"))
        line = GOOD_RATIO if quantity == "update-ratio" else None
        if not is_drawn(curves):
            return None
        log = quantity in ("update-ratio", "weight-norm")
        return Picture(name, "", "", draw_layer_curves(curves, quantity.replace("-", " "), log=log, line=line))
    if quantity == "loss":
        found = loss_picture(trace)
        return None if found is None else found._replace(name=name, title="", caption="")
    return curves_picture(name, "", "", _figures.single_curve(trace, quantity), quantity.replace("-", " "))
