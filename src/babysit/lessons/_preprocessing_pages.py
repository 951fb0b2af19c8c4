"""A page for every preprocessing step: what it does to real rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from babysit.lessons import _oracles as oracles
from babysit.lessons._page import Page
from babysit.lessons._short_training import Floats, digit_rows, two_columns
from babysit.reports import GreyImage, ImagesFigure, LessonFigure, Line, LinesFigure, TableFigure

SIDE = 8
SHOWN = 6


def _cloud(name: str, title: str, text: str, rows: Floats) -> LinesFigure:
    line = Line("a tumour each", tuple(rows[:, 0].tolist()), tuple(rows[:, 1].tolist()))
    return LinesFigure(name, title, text, "first column", "second column", (line,), mode="points", equal_axes=True)


def _before_and_after(step: Callable[[Floats, Floats], Floats]) -> Callable[[], tuple[LessonFigure, ...]]:
    def figures() -> tuple[LessonFigure, ...]:
        rows = two_columns()
        after = step(rows, rows)
        return (
            _cloud("before", "Before", "Mean radius and mean area of 569 tumours, as they come.", rows),
            _cloud("after", "After", "The same rows.", after),
            _steps_needed(rows, after),
        )

    return figures


def _shifted(step: Callable[[Floats, Floats], Floats]) -> Callable[[], tuple[LessonFigure, ...]]:
    """Before and after on the same axes: with axes of their own, both clouds would look the same."""

    def figures() -> tuple[LessonFigure, ...]:
        rows = two_columns()
        after = step(rows, rows)
        lines = tuple(
            Line(name, tuple(values[:, 0].tolist()), tuple(values[:, 1].tolist()))
            for name, values in (("before", rows), ("after", after))
        )
        text = "Mean radius and mean area of 569 tumours: the cloud keeps its shape, and moves to the origin."
        shown = ("both", "Before and after", text, "first column", "second column")
        return (LinesFigure(*shown, lines, mode="points"), _steps_needed(rows, after))

    return figures


def _steps_needed(before: Floats, after: Floats) -> TableFigure:
    """How much plain gradient descent gains: its number of steps grows with the condition number."""
    rows = []
    for name, values in (("before", before), ("after", after)):
        # With the column of ones of the bias: what is not centred shows here.
        design = np.concatenate([values, np.ones((len(values), 1))], axis=1)
        condition = float(np.linalg.cond(design.T @ design / len(design)))
        rows.append((name, _pair(values.mean(axis=0)), _pair(values.std(axis=0)), f"{condition:.3g}"))
    text = "Gradient descent on a linear model needs steps in proportion to the condition number (1 is the best)."
    return TableFigure("condition", "What it does to the task", text, ("", "means", "stds", "condition"), tuple(rows))


def _pair(values: Floats) -> str:
    return ", ".join(f"{0.0 if abs(value) < 1e-9 else value:.3g}" for value in values)


def _image(title: str, values: Floats) -> GreyImage:
    return GreyImage(title, tuple(tuple(float(one) for one in row) for row in values.reshape(SIDE, SIDE)))


def _digits(step: Callable[[Floats, Floats], Floats], what: str) -> Callable[[], tuple[LessonFigure, ...]]:
    def figures() -> tuple[LessonFigure, ...]:
        rows = digit_rows()
        after = step(rows, rows)
        parts = (
            ("as they come", tuple(_image("", row) for row in rows[:SHOWN])),
            (what, tuple(_image("", row) for row in after[:SHOWN])),
        )
        return (ImagesFigure("digits", "Handwritten digits", f"The same digits before and after: {what}.", parts),)

    return figures


def _components() -> tuple[LessonFigure, ...]:
    rows = digit_rows()
    variances, directions = oracles.axes(rows)
    share = np.cumsum(variances) / variances.sum()
    place = tuple(float(number) for number in range(1, len(share) + 1))
    kept = oracles.pca(rows, rows, 16) @ directions[:, :16].T + rows.mean(axis=0)
    return (
        *_before_and_after(lambda x, train: oracles.pca(x, train, 2))(),
        LinesFigure(
            "share",
            "The variance in the first directions",
            "Digits: the share of all variance in the first so many of 64 directions.",
            "directions kept",
            "share",
            (Line("digits", place, tuple(share.tolist())),),
        ),
        ImagesFigure(
            "images",
            "Sixteen of sixty-four",
            "The first directions, and digits drawn from sixteen of them.",
            (
                ("directions", tuple(_image(str(number + 1), directions[:, number]) for number in range(SHOWN))),
                ("digits", tuple(_image("", row) for row in rows[:SHOWN])),
                ("from 16 numbers", tuple(_image("", row) for row in kept[:SHOWN])),
            ),
        ),
    )


def _whitened() -> tuple[LessonFigure, ...]:
    variances, _ = oracles.axes(digit_rows())
    return (
        *_before_and_after(oracles.whiten)(),
        TableFigure(
            "small",
            "Why a little is added",
            "The last of the digits' 64 directions hardly vary. Dividing by their standard deviation alone would"
            " amplify noise, so 1e-5 is added under the root.",
            ("direction", "variance", "divided by"),
            tuple(
                (
                    str(number),
                    f"{max(0.0, variances[number - 1]):.3g}",
                    f"{math.sqrt(max(0.0, variances[number - 1]) + 1e-5):.3g}",
                )
                for number in (1, 2, 8, 32, 60, 64)
            ),
        ),
    )


def _missing() -> tuple[LessonFigure, ...]:
    rows = two_columns()[:6].copy()
    rows[1, 0] = rows[4, 1] = np.nan
    filled = oracles.impute(rows, two_columns())
    table = tuple(
        (str(number), *(f"{value:.4g}" for value in before), *(f"{value:.4g}" for value in after))
        for number, (before, after) in enumerate(zip(rows, filled, strict=True))
    )
    columns = ("row", "first", "second", "first, filled", "second, filled")
    return (TableFigure("rows", "Six rows", "A missing number becomes the mean of the training rows.", columns, table),)


class Text(NamedTuple):
    """What is written about one step."""

    title: str
    words: str
    formula: str
    when: str
    wrong: str
    source: str
    oracle: tuple[Callable[..., object], ...]
    figures: Callable[[], tuple[LessonFigure, ...]]


LECTURE = "CS231n lecture 6, data preprocessing"
TEXTS: dict[str, Text] = {
    "centre": Text(
        "Centring",
        "Subtract the mean from each feature, so that the rows lie around zero. Inputs that are all positive give"
        " the gradients of a unit's weights one sign; centred inputs do not.",
        "x - mean",
        "Always; for images often nothing else is needed.",
        "A mean over all rows, test rows included, is a leak.",
        LECTURE,
        (oracles.centre, oracles.centre_gradient),
        _shifted(oracles.centre),
    ),
    "standardise": Text(
        "Standardising",
        "Subtract each feature's mean and divide by its standard deviation: every feature then has mean 0 and"
        " standard deviation 1, whatever its unit is. A step of the optimizer then means the same for each weight.",
        "(x - mean) / std",
        "For tables always, unless all features have one unit and scale.",
        "A constant feature has std 0; features that are rarely not zero become very large.",
        LECTURE,
        (oracles.standardise, oracles.standardise_gradient),
        _before_and_after(oracles.standardise),
    ),
    "scale-to-range": Text(
        "Scaling to a range",
        "Move each feature so that its smallest value becomes 0 and its largest 1.",
        "(x - min) / (max - min)",
        "Where numbers have hard bounds, such as pixels.",
        "One outlier pushes all other values together; new rows may lie outside the range.",
        LECTURE,
        (oracles.scale_to_range, oracles.scale_to_range_gradient),
        _before_and_after(oracles.scale_to_range),
    ),
    "pca": Text(
        "PCA: decorrelating",
        "Rotate the axes to the directions in which the rows vary most. The features are then no longer correlated,"
        " and the first few hold most of the variance, so the rest can be left out.",
        "(x - mean) @ directions[:, :k]",
        "For small networks on many correlated features; seldom for images.",
        "Directions of little variance may be those that separate the classes.",
        f"{LECTURE}; 144 of 3072 for CIFAR-10",
        (oracles.axes, oracles.pca, oracles.pca_gradient),
        _components,
    ),
    "whiten": Text(
        "Whitening",
        "After rotating the axes, divide each by its standard deviation: the rows then vary equally in every"
        " direction. That is the easiest case for gradient descent.",
        "(x - mean) @ directions / sqrt(variance + 1e-5)",
        "For shallow models on correlated features.",
        "It amplifies directions that are only noise.",
        LECTURE,
        (oracles.axes, oracles.whiten, oracles.whiten_gradient),
        _whitened,
    ),
    "zca": Text(
        "ZCA whitening",
        "Whitening, then a rotation back to the original axes: whitened images still look like images, with clearer"
        " edges.",
        "whiten(x) @ directions.T",
        "For images where whitening is wanted and pixels must keep their places.",
        "Like whitening.",
        "Bell and Sejnowski 1997; Krizhevsky 2009",
        (oracles.axes, oracles.whiten, oracles.zca, oracles.zca_gradient),
        _digits(oracles.zca, "ZCA"),
    ),
    "mean-image": Text(
        "Subtracting the mean image",
        "Subtract the mean of all training images: each pixel is centred on its own.",
        "x - mean over images, [H, W, C]",
        "As AlexNet did, where objects have the same place in every image.",
        "All images must have one size.",
        f"{LECTURE}; Krizhevsky et al. 2012",
        (oracles.mean_image,),
        _digits(oracles.centre, "mean image subtracted"),
    ),
    "channel-mean": Text(
        "Subtracting the channels' means",
        "One mean for red, one for green, one for blue, over all pixels of all training images.",
        "x - mean over images and pixels, [C]",
        "As VGG did: simple, and independent of the images' size.",
        "Little.",
        f"{LECTURE}; Simonyan and Zisserman 2015",
        (oracles.channel_mean,),
        _digits(lambda x, train: x - train.mean(), "channel mean subtracted"),
    ),
    "channel-mean-std": Text(
        "Channels' means and deviations",
        "Subtract each channel's mean and divide by its standard deviation over all pixels of all training images.",
        "(x - mean) / std over images and pixels, [C]",
        "As ResNet did: the usual choice for images today.",
        "Statistics of another data set (ImageNet's) are right for networks trained on it, not for others.",
        f"{LECTURE}; He et al. 2016",
        (oracles.channel_mean_std,),
        _digits(lambda x, train: (x - train.mean()) / train.std(), "standardised by channel"),
    ),
    "impute": Text(
        "Filling what is missing",
        "A network cannot compute with a missing number. It becomes the mean of the training rows, and an extra"
        " feature may say that it was missing.",
        "mean where x is NaN, else x",
        "Wherever numbers are missing.",
        "A number is often missing for a reason, and a mean hides that.",
        "Little and Rubin 2002, chapter 4",
        (oracles.impute, oracles.impute_gradient),
        _missing,
    ),
}


def _overview() -> tuple[LessonFigure, ...]:
    rows = two_columns()
    steps: dict[str, Floats] = {
        "as they come": rows,
        "centred": oracles.centre(rows, rows),
        "standardised": oracles.standardise(rows, rows),
        "decorrelated": oracles.pca(rows, rows, 2),
        "whitened": oracles.whiten(rows, rows),
    }
    clouds = tuple(
        _cloud(f"cloud-{number}", name.capitalize(), "Mean radius and mean area of 569 tumours.", values)
        for number, (name, values) in enumerate(steps.items())
    )
    table = []
    for name, values in steps.items():
        design = np.concatenate([values, np.ones((len(values), 1))], axis=1)
        condition = np.linalg.cond(design.T @ design / len(design))
        table.append((name, _pair(values.mean(axis=0)), _pair(values.std(axis=0)), f"{condition:.3g}"))
    half = len(rows) // 2
    leak = rows.mean(axis=0) - rows[:half].mean(axis=0)
    table.append(("means of all rows less those of the first half", _pair(leak), "", ""))
    text = "The condition number says how many steps a plain gradient descent needs. The last line is the leak if"
    text += " statistics are taken from all rows instead of the training rows."
    return (*clouds, TableFigure("table", "Step by step", text, ("", "means", "stds", "condition"), tuple(table)))


PREPROCESSING_PAGES: tuple[Page, ...] = (
    Page(
        name="preprocessing",
        kind="preprocessing",
        title="Preprocessing",
        words=(
            "A network sees numbers without units. A feature in the thousands gives its weight a gradient a thousand"
            " times as large as one near 1, so one learning rate cannot suit both. Inputs that are all positive make"
            " learning zig-zag.",
            "So rows are centred, scaled, and sometimes rotated. All statistics come from the training rows alone"
            " and are kept with the model: validation and test rows must not influence what is learned.",
        ),
        formula="statistics of the training rows, applied to all rows",
        when="Tables: standardise. Images: centre, by pixel or by channel; PCA and whitening are seldom used for them.",
        wrong="Statistics over all rows are a leak; scaling in training only, and not in use, gives wrong answers.",
        source=LECTURE,
        figures=_overview,
        see=("standardise", "centre", "inputs-badly-scaled", "zig-zag"),
    ),
    *(
        Page(
            name=name,
            kind="preprocessing",
            title=text.title,
            words=(text.words,),
            formula=text.formula,
            when=text.when,
            wrong=text.wrong,
            source=text.source,
            oracle=text.oracle,
            figures=text.figures,
            see=("preprocessing", "inputs-badly-scaled", "inputs-not-centred"),
        )
        for name, text in TEXTS.items()
    ),
)
