"""The page: one HTML file that needs nothing else, now or later."""

from __future__ import annotations

import math
import pathlib

from babysit.record import Evaluation, Run, recipe_to_toml, write_atomic
from babysit.reports import _draw, _figures
from babysit.reports._data_text import data_lines
from babysit.reports._environment import filled
from babysit.reports._inside import MOST_LAYERS
from babysit.reports._pictures import Picture, curves_picture, evidence_pictures, inside_pictures, loss_picture
from babysit.reports._terminal import interval, score_number

SHOWN_COLUMNS = 200  # rows of the column table; of a wider table the first ones are shown


def write_page(run: Run, path: str | pathlib.Path | None = None) -> pathlib.Path:
    """Write the report of a Run as one HTML file.

    Args:
        run: The Run; unfinished ones are shown as far as they are.
        path: Where to; None takes `report.html` in the Run folder.

    Returns:
        The path.

    Raises:
        StorageError: The disk refused it; nothing is left half-written.
    """
    target = pathlib.Path(path) if path is not None else run.path / "report.html"
    write_atomic(target, render_page(run))
    return target


def render_page(run: Run) -> str:
    """The page as text."""
    summary, evaluations, trace = run.summary, run.evaluations, run.trace()
    pictures = [*_data_pictures(run), *_training_pictures(run)]
    for evaluation in evaluations.values():
        pictures += _score_pictures(evaluation)
    findings = run.findings if trace.layers else None
    drawn = evidence_pictures(trace, findings or ())
    inside = inside_pictures(trace)
    everything = [*pictures, *inside, *drawn.values()]
    return filled(
        "page.html",
        {found.name: found.figure for found in everything if found.figure is not None},
        run=run,
        info=run.info,
        summary=summary,
        headline=headline(run),
        data_lines=data_lines(summary.data),
        shown_columns=summary.data.columns[:SHOWN_COLUMNS],
        evaluations=list(evaluations.values()),
        events=trace.happened("not-finite"),
        findings=findings,
        drawn=drawn,
        inside=inside,
        layers_left_out=len(trace.layers) > MOST_LAYERS,
        parameters=sum(layer.parameters for layer in summary.layers),
        pictures={
            place: [found for found in pictures if found.name.startswith(place)] for place in _places(evaluations)
        },
        recipe=recipe_to_toml(run.recipe),
    )


def headline(run: Run) -> str:
    """What was learned, from what, and how well, in a sentence."""
    data = run.summary.data
    what = f"{data.target} learned from {data.rows:,} rows of {pathlib.Path(data.source).name}"
    evaluation = run.evaluations.get("test") or run.evaluations.get("validation")
    if evaluation is None:
        return f"{what}: {run.info.status}, not evaluated yet."
    if not evaluation.scores:
        return f"{what}: no usable predictions on {evaluation.rows:,} {evaluation.phase} rows."
    score = evaluation.scores[0]
    shown = (
        f"{score.value:.1%}" if score.name == "accuracy" and math.isfinite(score.value) else score_number(score.value)
    )
    between = ""
    if score.low is not None and score.high is not None:
        low, high = score.low, score.high
        between = f" ({low:.1%} to {high:.1%})" if score.name == "accuracy" else f" ({interval(score)})"
    return f"{what}: {score.name} {shown}{between} on {evaluation.rows:,} {evaluation.phase} rows."


def _places(evaluations: dict[str, Evaluation]) -> list[str]:
    return ["data", "training", *(f"score-{phase}" for phase in evaluations)]


def _data_pictures(run: Run) -> list[Picture]:
    bars = _figures.class_bars(run.summary)
    if bars is None:
        return []
    text = (
        "Each class should have the same share of the training, validation and test rows. A class with few rows is"
        " learned late, and its scores are uncertain."
    )
    return [Picture("data-classes", "Rows of each class", text, _draw.draw_bars(bars))]


def _training_pictures(run: Run) -> list[Picture]:
    trace = run.trace()
    pictures = []
    loss = loss_picture(trace)
    if loss is not None:
        pictures.append(loss)
    name, scores = _figures.score_curves(trace)
    title = name[0].upper() + name[1:]
    text = (
        "The gap between the two curves is overfitting. Where it is wide, use more regularisation or more data;"
        " where there is none, try a larger network."
    )
    drawn = curves_picture("training-score", title, text, scores, title)
    pictures += [drawn] if drawn is not None else []
    for quantity, title, text in (
        ("lr", "Learning rate", "The learning rate at each step, as the schedule set it."),
        ("gradient-norm", "Gradient norm", "Length of the gradient before clipping."),
    ):
        drawn = curves_picture(f"training-{quantity}", title, text, _figures.single_curve(trace, quantity))
        pictures += [drawn] if drawn is not None else []
    return pictures


def _score_pictures(evaluation: Evaluation) -> list[Picture]:
    place = f"score-{evaluation.phase}"
    pictures = []
    matrix = _figures.confusion(evaluation)
    if matrix is not None:
        text = "Rows are true classes, columns predicted ones. Cells off the diagonal are the confusions."
        pictures.append(Picture(f"{place}-confusion", "Confusion", text, _draw.draw_confusion(matrix)))
    bins = _figures.reliability(evaluation)
    if bins is not None:
        text = (
            "Of answers with 80 % confidence, 80 % should be right. Below the dotted line the model is overconfident."
        )
        pictures.append(Picture(f"{place}-reliability", "Calibration", text, _draw.draw_reliability(bins)))
    errors = _figures.residuals(evaluation)
    if errors is not None:
        text = "Each dot is a row; on the dotted line the prediction is exact."
        pictures.append(Picture(f"{place}-residuals", "Predicted and true", text, _draw.draw_residuals(errors)))
        text = "Errors should be symmetric around zero."
        pictures.append(Picture(f"{place}-errors", "Errors", text, _draw.draw_errors(errors)))
    return pictures
