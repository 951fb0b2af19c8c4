"""The page of a training that was watched: findings, curves, the inside of the network. One file, offline."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import plotly.offline

from babysit.record import Finding, Trace, write_atomic
from babysit.reports import _draw, _figures
from babysit.reports._environment import environment, script_safe
from babysit.reports._inside import MOST_LAYERS
from babysit.reports._pictures import Picture, evidence_pictures, inside_pictures, loss_picture

SHOWN_EVENTS = ("not-finite", "step-missing", "unseen")
_NETWORK = (
    ("lr", "Learning rate", "The learning rate at each step, as the optimizer used it."),
    ("gradient-norm", "Gradient norm", "Length of the gradient before clipping, where it was measured."),
)


def write_trace_page(trace: Trace, findings: Sequence[Finding], path: str | pathlib.Path) -> pathlib.Path:
    """Write the report of a trace as one HTML file.

    Args:
        trace: What was measured.
        findings: What was wrong with it.
        path: Where to.

    Returns:
        The path.

    Raises:
        StorageError: The disk refused it; nothing is left half-written.
    """
    target = pathlib.Path(path)
    write_atomic(target, render_trace_page(trace, findings))
    return target


def render_trace_page(trace: Trace, findings: Sequence[Finding]) -> str:
    """The page as text."""
    training = [picture for picture in (loss_picture(trace), *_network_pictures(trace)) if picture is not None]
    inside, drawn = inside_pictures(trace), evidence_pictures(trace, findings)
    return (
        environment()
        .get_template("trace.html")
        .render(
            title=path_words(findings),
            headline=trace_headline(trace, findings),
            events=[event for event in trace.events if event.kind in SHOWN_EVENTS],
            findings=findings,
            drawn=drawn,
            training=training,
            inside=inside,
            layers=trace.layers,
            layers_left_out=len(trace.layers) > MOST_LAYERS,
            facts=dict(trace.facts),
            figures=script_safe(
                {found.name: _draw.as_json(found.figure) for found in (*training, *inside, *drawn.values())}
            ),
            plotly=plotly.offline.get_plotlyjs(),
        )
    )


def path_words(findings: Sequence[Finding]) -> str:
    """The page's title: its first finding."""
    return findings[0].name if findings else "nothing found"


def trace_headline(trace: Trace, findings: Sequence[Finding]) -> str:
    """How long it was watched and what came of it, in a sentence.

    Example:
        >>> trace_headline(Trace(), ())
        'Nothing was measured.'
    """
    losses = trace.series("loss")
    if not losses.steps:
        return "Nothing was measured."
    count = {severity: sum(found.severity == severity for found in findings) for severity in ("sick", "warning")}
    verdict = "nothing sick found"
    if count["sick"]:
        verdict = f"first of all {findings[0].name}"
    elif count["warning"]:
        verdict = f"{count['warning']} warning{'s' if count['warning'] > 1 else ''}, first {findings[0].name}"
    # Of many losses that are not finite, the last are not kept.
    steps = max(row.step for row in trace.rows) + (trace.facts.get("log") != "step")
    unit = {"epoch": "epochs", "record": "records"}.get(trace.facts.get("log", ""), "steps")
    return f"{steps:,} {unit}, loss {losses.values[0]:.4g} to {losses.values[-1]:.4g}: {verdict}."


def _network_pictures(trace: Trace) -> list[Picture | None]:
    drawn: list[Picture | None] = []
    name, scores = _figures.score_curves(trace)
    if scores.curves:
        title = "Accuracy" if name == "accuracy" else "R²"
        text = "The gap between the two curves is overfitting."
        drawn.append(Picture("training-score", title, text, _draw.draw_curves(scores, title)))
    for quantity, title, text in _NETWORK:
        curves = _figures.single_curve(trace, quantity)
        if curves.curves:
            drawn.append(Picture(f"training-{quantity}", title, text, _draw.draw_curves(curves, title.lower())))
    return drawn
