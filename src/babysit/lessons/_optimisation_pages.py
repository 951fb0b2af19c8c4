"""Pages of optimizers, rates, schedules and penalties, each with a path or a training of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch

from babysit.lessons import _oracles as oracles
from babysit.lessons._page import Page
from babysit.lessons._short_training import Floats, small_network, train_a_little
from babysit.record import ScheduleSection
from babysit.reports import LessonFigure, Line, LinesFigure, TableFigure
from babysit.training import rate_at

Step = Callable[..., Floats]
VALLEY = np.array([1.0, 25.0])  # how steep it is along and across
START = np.array([-4.0, 1.0])
STEPS = 60
# Rates at which each walks well in this valley.
WALKS: dict[str, tuple[Step, float]] = {
    "sgd": (oracles.sgd, 0.07),
    "momentum": (oracles.momentum, 0.02),
    "nesterov": (oracles.nesterov, 0.02),
    "adagrad": (oracles.adagrad, 1.0),
    "rmsprop": (oracles.rmsprop, 0.1),
    "adam": (oracles.adam, 0.4),
    "adamw": (oracles.adamw, 0.4),
}


def walk(step: Step, lr: float, steps: int = STEPS) -> Floats:
    """Places [steps + 1, 2] on the way down a narrow valley."""
    place, state, places = START, dict[str, object](), [START]
    for _ in range(steps):
        place = step(place, VALLEY * place, lr, state)
        places.append(place)
    return np.stack(places)


def _path(name: str) -> Callable[[], tuple[LessonFigure, ...]]:
    def figures() -> tuple[LessonFigure, ...]:
        chosen = dict.fromkeys(("sgd", name))
        paths, heights = [], []
        for one in chosen:
            places = walk(*WALKS[one])
            paths.append(Line(one, tuple(places[:, 0].tolist()), tuple(places[:, 1].tolist())))
            height = (VALLEY * places**2).sum(axis=1) / 2
            heights.append(Line(one, tuple(float(n) for n in range(len(height))), tuple(height.tolist())))
        return (
            LinesFigure(
                "path",
                "Down a narrow valley",
                f"The valley is {VALLEY[1]:.0f} times as steep across as along; its bottom is at 0, 0.",
                "along",
                "across",
                tuple(paths),
                mode="lines+points",
            ),
            LinesFigure(
                "height", "Height above the bottom", "The same walks.", "step", "height", tuple(heights), log_y=True
            ),
        )

    return figures


def _zig_zag() -> tuple[LessonFigure, ...]:
    """Two weights of one unit whose inputs are all positive, or centred: the lecture's drawing, computed."""
    stream = np.random.default_rng(0)
    inputs = stream.uniform(0.2, 1.8, (64, 2))
    wanted = np.array([1.5, -1.0])  # one up, one down: what inputs of one sign cannot do at once
    paths = []
    share = {}
    for name, rows in (("inputs all positive", inputs), ("inputs centred", inputs - inputs.mean(axis=0))):
        weights, places, one_sign = np.zeros(2), [np.zeros(2)], []
        for step in range(80):
            row = rows[step % len(rows)]
            gradient = (weights - wanted) @ row * row  # of half the squared error, one row at a time
            one_sign.append(bool(gradient[0] * gradient[1] > 0))
            weights = weights - 0.5 * gradient
            places.append(weights)
        path = np.stack(places)
        share[name] = float(np.mean(one_sign))
        paths.append(Line(name, tuple(path[:, 0].tolist()), tuple(path[:, 1].tolist())))
    rows_of_table = tuple((name, f"{value:.0%}") for name, value in share.items())
    return (
        LinesFigure(
            "path",
            "From 0, 0 to 1.5, -1",
            "Each step uses one row. With inputs of one sign, both weights move in the same direction in each step,"
            " so the way to a place where one is higher and one is lower is a zig-zag.",
            "first weight",
            "second weight",
            tuple(paths),
            mode="lines+points",
        ),
        TableFigure(
            "share",
            "Steps in which both gradients have one sign",
            "Counted on these paths.",
            ("", "share"),
            rows_of_table,
        ),
    )


@functools.cache
def loss_by_rate() -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Constant rates on a ladder, the loss after a short training at each, and the accuracy."""
    rates = tuple(float(10 ** (power / 2)) for power in range(-8, 3))
    results = [train_a_little(small_network, torch.optim.SGD, rate, 120) for rate in rates]
    losses = tuple(float(np.mean(result.losses[-10:])) for result in results)
    return rates, losses, tuple(result.accuracy for result in results)


def _rates() -> tuple[LessonFigure, ...]:
    rates, losses, scores = loss_by_rate()
    steps = tuple(float(step) for step in range(120))
    curves = []
    for name, rate in (("too low, 1e-4", 1e-4), ("good, 0.1", 0.1), ("high, 3", 3.0)):
        result = train_a_little(small_network, torch.optim.SGD, rate, 120)
        curves.append(Line(name, steps, result.losses))
    return (
        LinesFigure(
            "ladder",
            "Loss against rate",
            "A small network on the digits, 120 steps at each of eleven constant rates, trained now.",
            "rate",
            "loss after",
            (Line("loss", rates, losses),),
            log_x=True,
            log_y=True,
            mode="lines+points",
        ),
        LinesFigure(
            "curves",
            "The loss while they train",
            "Too low: nearly a straight line. Good: a quick fall that goes on. Too high: it jumps, or stays high.",
            "step",
            "loss",
            tuple(curves),
        ),
        TableFigure(
            "table",
            "Rate by rate",
            "Accuracy on rows held out.",
            ("rate", "loss", "accuracy"),
            tuple(
                (f"{rate:.2g}", f"{loss:.3g}", f"{score:.3f}")
                for rate, loss, score in zip(rates, losses, scores, strict=True)
            ),
        ),
    )


def _schedules() -> tuple[LessonFigure, ...]:
    steps = 200
    lines = []
    for name in ("constant", "cosine", "step", "inverse-time"):
        section = ScheduleSection.model_validate({"name": name, "warm_up": 0.05})
        rates = tuple(rate_at(section, 0.1, step, steps) for step in range(steps))
        lines.append(Line(name, tuple(float(step) for step in range(steps)), rates))
    return (
        LinesFigure(
            "rates",
            "The rate over a training",
            "With a warm-up over the first twentieth.",
            "step",
            "rate",
            tuple(lines),
        ),
    )


def _decay() -> tuple[LessonFigure, ...]:
    strengths = (0.0, 1e-3, 1e-2, 1e-1, 1.0)
    rows = []
    for strength in strengths:
        result = train_a_little(small_network, torch.optim.SGD, 0.1, 200, rows=100, weight_decay=strength)
        rows.append((f"{strength:g}", f"{np.mean(result.losses[-10:]):.3f}", f"{result.accuracy:.3f}"))
    return (
        TableFigure(
            "strengths",
            "A hundred rows, two hundred steps",
            "A small network on a hundred digits, trained now.",
            ("strength", "loss in training", "accuracy on others"),
            tuple(rows),
        ),
    )


TEXTS: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    (
        "sgd",
        "Stochastic gradient descent",
        "Take a batch, compute in which direction its loss falls, and take a step in that direction. In a narrow"
        " valley it goes from side to side and moves slowly along the valley.",
        "w -= lr g",
        "With momentum, for images.",
        "One rate for all weights: too high across the valley, too low along it.",
        "Robbins and Monro 1951",
    ),
    (
        "momentum",
        "Momentum",
        "The steps add up: gradients of changing direction cancel each other, gradients of one direction grow.",
        "v = mu v + g; w -= lr v",
        "With SGD nearly always, mu 0.9.",
        "It overshoots; with mu 0.9 the steps are up to ten times as long.",
        "Polyak 1964; CS231n notes 3",
    ),
    (
        "nesterov",
        "Nesterov momentum",
        "Momentum that looks ahead: the gradient is taken at the place where the momentum will lead, so it slows"
        " down earlier.",
        "v = mu v + g; w -= lr (g + mu v)",
        "In place of momentum.",
        "Like momentum.",
        "Nesterov 1983; Sutskever et al. 2013",
    ),
    (
        "adagrad",
        "Adagrad",
        "Each weight has its own rate, divided by the size of all its gradients so far. Weights that seldom get a"
        " gradient take larger steps.",
        "s += g^2; w -= lr g / sqrt(s)",
        "For sparse features.",
        "Its rates only fall, until nothing changes.",
        "Duchi et al. 2011",
    ),
    (
        "rmsprop",
        "RMSprop",
        "Adagrad that forgets old gradients: each weight's rate is divided by the size of its recent gradients.",
        "s = d s + (1 - d) g^2; w -= lr g / sqrt(s)",
        "For recurrent networks.",
        "Its steps never become small by themselves.",
        "Hinton, Coursera lecture 6, 2012",
    ),
    (
        "adam",
        "Adam",
        "Momentum and RMSprop together: the mean of recent gradients over their size. Each weight then changes by"
        " about the rate in each step, whatever the scale of the loss is.",
        "w -= lr mean / sqrt(square)",
        "A good first choice: 1e-3.",
        "Weight decay within its gradient is divided as well: use AdamW.",
        "Kingma and Ba 2015, arXiv:1412.6980",
    ),
    (
        "adamw",
        "AdamW",
        "Adam with weight decay beside the gradient instead of within it, so that all weights shrink by the same"
        " share.",
        "w *= 1 - lr decay; then Adam's step",
        "In place of Adam, with weight decay.",
        "Like Adam.",
        "Loshchilov and Hutter 2019, arXiv:1711.05101",
    ),
)


def _optimizer(name: str, title: str, words: str, formula: str, when: str, wrong: str, source: str) -> Page:
    before = (oracles.adam,) if name == "adamw" else ()
    return Page(
        name=name,
        kind="optimizer",
        title=title,
        words=(
            "The gradient is the direction in which the loss rises most steeply. An optimizer turns it into a step.",
            words,
        ),
        formula=formula,
        when=when,
        wrong=wrong,
        source=source,
        oracle=(*before, WALKS[name][0]),
        figures=_path(name),
        see=("learning-rate", "momentum" if name != "momentum" else "nesterov"),
    )


OPTIMISATION_PAGES: tuple[Page, ...] = (
    *(_optimizer(*text) for text in TEXTS),
    Page(
        name="zig-zag",
        kind="optimisation",
        title="The zig-zag of inputs with one sign",
        words=(
            "A unit's gradient with respect to a weight is the error times that weight's input. When all inputs are"
            " positive, as sigmoid's outputs are, all the weights' gradients of a row have the sign of the error:"
            " in one step all weights go up, or all go down.",
            "To raise one weight and lower another takes many steps, up and down in turns. With centred inputs it"
            " does not.",
        ),
        formula="dL/dw = error x",
        when="The reason for centring inputs, and for activations with mean zero.",
        wrong="Learning takes several times as many steps.",
        source="CS231n lecture 6, sigmoid's second fault",
        oracle=(oracles.sgd,),
        figures=_zig_zag,
        see=("sigmoid", "centre", "inputs-not-centred"),
    ),
    Page(
        name="learning-rate",
        kind="optimisation",
        title="The learning rate",
        words=(
            "The learning rate is the length of a step. If it is too low, a training of an hour takes a month. If it"
            " is too high, each step goes past the minimum and up the other side. Between them are one or two"
            " decades of good rates, and finding them matters more than any other choice.",
            "So try rates by factors, not by differences: 1e-4, 1e-3, 1e-2.",
        ),
        formula="w -= lr g",
        when="Look for the rate at which the loss falls within about a hundred steps.",
        wrong="It is the first thing to look at when a training does not learn.",
        source="CS231n lecture 6, babysitting",
        oracle=(oracles.sgd,),
        figures=_rates,
        see=("rate-range", "learning-rate-too-high", "learning-rate-too-low", "loss-curves"),
    ),
    Page(
        name="schedules",
        kind="optimisation",
        title="Schedules: the rate over time",
        words=(
            "Large steps come near a minimum quickly, and small steps reach it. So the rate falls during a training;"
            " and it may begin low, while the first gradients are very large (warm-up).",
        ),
        formula="cosine: lr (1 + cos(pi t)) / 2, t from 0 to 1",
        when="In long trainings; with warm-up for transformers.",
        wrong="A rate that falls too early stops the training; a schedule stepped every batch instead of every epoch"
        " does so at once.",
        source="Loshchilov and Hutter 2017, arXiv:1608.03983; CS231n notes 3",
        oracle=(oracles.cosine,),
        figures=_schedules,
        see=("learning-rate", "scheduler-misused"),
    ),
    Page(
        name="l2",
        kind="optimisation",
        title="L2: weight decay",
        words=(
            "Large weights let a network fit single rows. A penalty of half lambda times the sum of their squares"
            " pulls all weights to zero a little in each step, so only weights that lower the loss stay large.",
        ),
        formula="L + lambda/2 sum w^2; gradient lambda w",
        when="Against overfitting: 1e-5 to 1e-2, on a log scale.",
        wrong="If it is too strong, nothing is learned. PyTorch's weight_decay never shows in the loss.",
        source="Krogh and Hertz 1992; CS231n lecture 3",
        oracle=(oracles.l2, oracles.l2_gradient),
        figures=_decay,
        see=("regularisation-check", "weight-decay-too-strong", "adamw"),
    ),
)
