"""Pages of losses: what each measures, and what a network that knows nothing gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from babysit.lessons import _oracles as oracles
from babysit.lessons._page import Page
from babysit.reports import LessonFigure, Line, LinesFigure, TableFigure


def _by_margin() -> tuple[LessonFigure, ...]:
    margins = np.linspace(-4, 4, 81)
    at = tuple(margins.tolist())
    label = np.zeros(1, dtype=np.int64)
    entropy = tuple(oracles.softmax_cross_entropy(np.array([[margin, 0.0]]), label) for margin in margins)
    hinged = tuple(oracles.hinge(np.array([[margin, 0.0]]), label) for margin in margins)
    return (
        LinesFigure(
            "margin",
            "The loss of one row",
            "Two classes: by how much the right class's score is ahead.",
            "score of the right class less the other's",
            "loss",
            (Line("softmax and cross-entropy", at, entropy), Line("hinge", at, hinged)),
        ),
        _knowing_nothing(),
    )


def _knowing_nothing() -> TableFigure:
    stream = np.random.default_rng(0)
    rows = []
    for classes in (2, 3, 10, 100, 1000):
        scores, labels = np.zeros((50, classes)), stream.integers(0, classes, 50)
        rows.append(
            (
                str(classes),
                f"{oracles.softmax_cross_entropy(scores, labels):.4f}",
                f"{np.log(classes):.4f}",
                f"{oracles.hinge(scores, labels):.4g}",
            )
        )
    text = "The loss of equal scores for all classes: what the first loss of a training should be."
    return TableFigure("nothing", "Without knowledge", text, ("classes", "cross-entropy", "ln C", "hinge"), tuple(rows))


def _errors() -> tuple[LessonFigure, ...]:
    errors = np.linspace(-3, 3, 61)
    at = tuple(errors.tolist())
    squared = tuple(oracles.mse(np.array([error]), np.zeros(1)) for error in errors)
    return (
        LinesFigure(
            "errors",
            "The loss of an error",
            "Twice the error costs four times as much; the absolute error is drawn beside it.",
            "answer less target",
            "loss",
            (Line("squared", at, squared), Line("absolute", at, tuple(np.abs(errors).tolist()))),
        ),
    )


def _logits() -> tuple[LessonFigure, ...]:
    logits = np.linspace(-5, 5, 81)
    at = tuple(logits.tolist())
    one = tuple(oracles.bce_with_logits(np.array([value]), np.ones(1)) for value in logits)
    none = tuple(oracles.bce_with_logits(np.array([value]), np.zeros(1)) for value in logits)
    return (
        LinesFigure(
            "logits",
            "The loss of a logit",
            "The output before the sigmoid, for rows with target 1 and with target 0.",
            "logit",
            "loss",
            (Line("target 1", at, one), Line("target 0", at, none)),
        ),
    )


def _page(
    name: str,
    title: str,
    words: str,
    formula: str,
    when: str,
    wrong: str,
    source: str,
    figures: Callable[[], tuple[LessonFigure, ...]],
    *see: str,
) -> Page:
    stem = name.replace("-", "_")
    return Page(
        name=name,
        kind="loss",
        title=title,
        words=(
            "A loss is one number that says how wrong the answers to a batch are. Training makes it small, by"
            " following its gradient.",
            words,
        ),
        formula=formula,
        when=when,
        wrong=wrong,
        source=source,
        oracle=(getattr(oracles, stem), getattr(oracles, f"{stem}_gradient")),
        figures=figures,
        see=("first-loss", *see),
    )


LOSS_PAGES: tuple[Page, ...] = (
    _page(
        "softmax-cross-entropy",
        "Softmax and cross-entropy",
        "The network gives a score for each class. Softmax turns scores into shares that add up to one; the loss is"
        " minus the logarithm of the share of the right class. Equal scores for C classes give ln C: 2.303 for ten.",
        "L = -ln( exp(s_right) / sum exp(s) )",
        "For classes.",
        "PyTorch's cross_entropy takes scores: a softmax before it is wrong.",
        "CS231n notes 1",
        _by_margin,
        "double-softmax",
        "hinge",
    ),
    _page(
        "hinge",
        "Hinge (SVM)",
        "Each wrong class whose score comes within 1 of the right one's adds the missing difference to the loss."
        " Once the right class is ahead by 1, the loss is 0. Equal scores give C - 1: 9 for ten classes.",
        "L = sum over wrong classes of max(0, s_wrong - s_right + 1)",
        "For classes, where shares are not needed.",
        "It does not say how certain an answer is.",
        "Weston and Watkins 1999; CS231n notes 1",
        _by_margin,
        "softmax-cross-entropy",
    ),
    _page(
        "mse",
        "Squared error",
        "The mean of squared differences between answers and targets. The best constant answer is the mean, and its"
        " loss is the variance of the targets.",
        "L = mean (answer - target)^2",
        "For numbers.",
        "Large targets give huge gradients; outliers dominate; [N, 1] against [N] becomes [N, N].",
        "Gauss 1809",
        _errors,
        "targets-badly-scaled",
        "loss-broadcasts",
        "wrong-loss",
    ),
    _page(
        "bce-with-logits",
        "Binary cross-entropy on logits",
        "One output a row, any number; a sigmoid within the loss turns it into the probability of yes. An output of"
        " zero gives ln 2 = 0.693.",
        "L = -t ln sigmoid(z) - (1 - t) ln(1 - sigmoid(z))",
        "For two classes, or several labels that may be true at once.",
        "A sigmoid before it is wrong; targets outside 0 to 1 make it fall without end.",
        "CS231n notes 2",
        _logits,
        "sigmoid-before-logits-loss",
        "wrong-loss",
    ),
)
