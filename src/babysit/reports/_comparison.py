"""Initialisations compared, as a lesson: the figures that terminal and page draw."""

from __future__ import annotations

import math
import statistics

from babysit.record import InitialisationComparison, SchemeResult
from babysit.reports._lesson import HistogramsFigure, Lesson, LessonFigure, Line, LinesFigure, Panel, TableFigure

MOST_LAYERS = 10  # of a deeper network evenly spaced ones are drawn, first and last among them


def comparison_lesson(found: InitialisationComparison) -> Lesson:
    """The comparison with its figures: histograms by layer, spreads both ways, losses."""
    return Lesson(
        name="initialisations-compared",
        kind="comparison",
        title=f"Initialisations of {found.subject}: take {found.take}",
        words=(f"{found.why[0].upper()}{found.why[1:]}.",),
        figures=tuple(_figures(found)),
        source="CS231n lecture 6, weight initialisation; measured on this network and this data",
        see=("initialisation", *(one.scheme for one in found.results if one.scheme != "as given")),
    )


def _figures(found: InitialisationComparison) -> list[LessonFigure]:
    tried = [one for one in found.results if not one.failed]
    rows = []
    for one in tried:
        panels = [
            Panel(layer.name, layer.edges, layer.counts, f"std {layer.std:.2g}") for layer in one.layers if layer.counts
        ]
        rows.append((one.scheme, tuple(_spaced(panels))))
    return [
        _table(found),
        HistogramsFigure(
            "histograms",
            "Outputs of each layer before the first step",
            "One batch, in training mode.",
            tuple(row for row in rows if row[1]),
        ),
        _spread("forwards", "Spread of outputs through depth", "Level is good.", tried, back=False),
        _spread(
            "backwards",
            "Spread of gradients through depth",
            "Level is good; read from right to left.",
            tried,
            back=True,
        ),
    ]


def _table(found: InitialisationComparison) -> TableFigure:
    rows = []
    for one in found.results:
        name = f"{one.scheme} *" if one.scheme == found.take else one.scheme
        if one.failed:
            rows.append((name, "could not be tried", "", "", "", one.failed))
            continue
        stds = [layer.std for layer in one.layers if layer.weighted]
        back = [layer.gradient_std for layer in one.layers if layer.weighted and math.isfinite(layer.gradient_std)]
        flat = [layer.flat for layer in one.layers if layer.flat is not None]
        spread = f" ± {statistics.stdev(one.losses):.1g}" if len(one.losses) > 1 else ""
        mean = statistics.fmean(one.losses) if all(map(math.isfinite, one.losses)) else math.inf
        rows.append(
            (
                name,
                f"{one.first_loss:.3g}",
                f"{stds[0]:.2g} to {stds[-1]:.2g}" if stds else "",
                f"{back[-1]:.2g} to {back[0]:.2g}" if back else "",
                f"{max(flat):.0%}" if flat else "",
                f"{mean:.3g}{spread if math.isfinite(mean) else ''}",
            )
        )
    text = (
        f"Stds from the first layer to the last, of gradients from the last to the first; the loss after {found.steps}"
    )
    text += " steps over the seeds. The one to take has a star."
    columns = ("scheme", "first loss", "std of outputs", "of gradients", "flat at most", "loss after")
    return TableFigure("table", "Scheme by scheme", text, columns, tuple(rows))


def _spread(name: str, title: str, text: str, tried: list[SchemeResult], *, back: bool) -> LinesFigure:
    lines = []
    for one in tried:
        layers = [layer for layer in one.layers if layer.weighted]
        values = tuple(layer.gradient_std if back else layer.std for layer in layers)
        lines.append(Line(one.scheme, tuple(float(number) for number in range(1, len(values) + 1)), values))
    return LinesFigure(name, title, text, "layer with weights", "std", tuple(lines), log_y=True, mode="lines+points")


def _spaced(panels: list[Panel]) -> list[Panel]:
    if len(panels) <= MOST_LAYERS:
        return panels
    return [panels[round(number * (len(panels) - 1) / (MOST_LAYERS - 1))] for number in range(MOST_LAYERS)]
