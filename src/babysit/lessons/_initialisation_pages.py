"""A page for every initialisation: the lecture's ten layers, computed now."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from babysit.lessons import _oracles as oracles
from babysit.lessons._oracles import Floats, Stream, backward, forward
from babysit.lessons._page import Page
from babysit.reports import HistogramsFigure, LessonFigure, Line, LinesFigure, Panel, TableFigure

ROWS, UNITS, DEPTH = 1000, 500, 10  # the lecture's
BINS = 40
SHOWN = (1, 2, 3, 5, 10)  # layers, of the lecture's table

Draw = Callable[[Stream, int, int], Floats]
SCHEMES: dict[str, Draw] = {
    "small-random": oracles.small_random,
    "xavier": oracles.xavier,
    "xavier-uniform": oracles.xavier_uniform,
    "he": oracles.he,
    "orthogonal": oracles.orthogonal,
    "pytorch": oracles.pytorch,
    "constant": oracles.constant,
    "zero": oracles.zero,
}


@functools.lru_cache(maxsize=4)
def ten_layers(scheme: str, tanh: bool) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Activations [1000, 500] of each layer of the lecture's experiment, and its weights [500, 500]."""
    stream = np.random.default_rng(0)
    entering = stream.standard_normal((ROWS, UNITS))
    weights: list[Floats] = []
    layers: list[Floats] = []
    for _ in range(DEPTH):
        if scheme == "lsuv":
            weights.append(oracles.lsuv(stream, entering, UNITS))
        else:
            weights.append(SCHEMES[_drawn_as(scheme, tanh)](stream, UNITS, UNITS))
        entering = forward(entering, weights[-1:], tanh)[0]
        layers.append(entering)
    return tuple(layers), tuple(weights)


@functools.cache
def spreads(scheme: str, tanh: bool) -> tuple[float, ...]:
    """Standard deviation of each layer's activations."""
    return tuple(float(one.std()) for one in ten_layers(scheme, tanh)[0])


def gradient_spreads(scheme: str, tanh: bool) -> tuple[float, ...]:
    """Standard deviation of the loss's gradient by each layer's outputs, where one of variance 1 enters at the end."""
    layers, weights = ten_layers(scheme, tanh)
    entering = np.random.default_rng(1).standard_normal((ROWS, UNITS))
    return tuple(float(one.std()) for one in backward(list(layers), list(weights), tanh, entering))


def _drawn_as(scheme: str, tanh: bool) -> str:
    if scheme != "auto":
        return scheme
    return "xavier" if tanh else "he"


def _figures(scheme: str) -> tuple[LessonFigure, ...]:
    rows = []
    ahead: list[Line] = []
    back: list[Line] = []
    depth = tuple(float(number) for number in range(1, DEPTH + 1))
    table = []
    for tanh in (True, False):
        name = "tanh" if tanh else "relu"
        layers, _ = ten_layers(scheme, tanh)
        panels = []
        for number in SHOWN:
            values = layers[number - 1] if tanh else layers[number - 1][layers[number - 1] > 0]
            highest = max(1e-9, float(np.quantile(values, 0.99))) if values.size else 1.0
            edges = np.linspace(-1.0 if tanh else 0.0, 1.0 if tanh else highest, BINS + 1)
            counts, _ = np.histogram(values, edges)
            panels.append(
                Panel(
                    f"layer {number}",
                    tuple(edges.tolist()),
                    tuple(counts.tolist()),
                    f"std {layers[number - 1].std():.2g}",
                )
            )
        rows.append((name, tuple(panels)))
        ahead.append(Line(name, depth, spreads(scheme, tanh)))
        back.append(Line(name, depth, gradient_spreads(scheme, tanh)))
        table.append((f"std, {name}", *(f"{layers[number - 1].std():.4g}" for number in SHOWN)))
    experiment = f"{ROWS:,} inputs of mean 0 and variance 1 through ten layers of {UNITS} units. Of relu's outputs,"
    experiment += " only those above zero are drawn."
    return (
        HistogramsFigure("histograms", "Outputs of each layer", experiment, tuple(rows)),
        LinesFigure(
            "forwards",
            "Spread of activations",
            "A level line is good: what shrinks or grows is lost after ten layers.",
            "layer",
            "std",
            tuple(ahead),
            log_y=True,
            mode="lines+points",
        ),
        LinesFigure(
            "backwards",
            "Spread of gradients",
            "A gradient of variance 1 enters at layer 10 and goes back to layer 1.",
            "layer",
            "std",
            tuple(back),
            log_y=True,
            mode="lines+points",
        ),
        TableFigure(
            "table",
            "Standard deviation by layer",
            "The lecture's table, drawn anew.",
            ("", *(str(number) for number in SHOWN)),
            tuple(table),
        ),
    )


def _overview() -> tuple[LessonFigure, ...]:
    depth = tuple(float(number) for number in range(1, DEPTH + 1))
    figures: list[LessonFigure] = []
    compared = ("small-random", "pytorch", "xavier", "he", "orthogonal", "lsuv")
    for tanh in (True, False):
        name = "tanh" if tanh else "relu"
        lines = tuple(Line(scheme, depth, spreads(scheme, tanh)) for scheme in compared)
        figures.append(
            LinesFigure(
                name,
                f"Spread through ten layers, {name}",
                "The standard deviation of activations with each scheme; a level line is good.",
                "layer",
                "std",
                lines,
                log_y=True,
            )
        )
    rows = tuple(
        (f"{scheme}, {'tanh' if tanh else 'relu'}", *(f"{spreads(scheme, tanh)[number - 1]:.3g}" for number in SHOWN))
        for scheme in compared
        for tanh in (True, False)
    )
    return (
        *figures,
        TableFigure(
            "table",
            "Standard deviation by layer",
            "Computed now.",
            ("scheme", *(str(number) for number in SHOWN)),
            rows,
        ),
    )


TEXTS: dict[str, tuple[str, str, str, str, str, str]] = {
    # title, words, formula, when, what goes wrong, source
    "small-random": (
        "Small random numbers",
        "Every weight is a small random number, of the same size in every layer. In a shallow network that is fine."
        " In a deep network the outputs of each layer are smaller than its inputs, and after ten layers almost"
        " nothing is left.",
        "W = 0.01 N(0, 1)",
        "In a network of one or two layers.",
        "Activations shrink layer by layer, and so do gradients: deep layers give nearly the same outputs for every"
        " row.",
        "CS231n lecture 6",
    ),
    "xavier": (
        "Xavier (Glorot)",
        "A unit adds up fan_in numbers, so the variance of its sum is fan_in times that of one of them. Weights that"
        " are smaller by the square root of fan_in keep the variance: outputs vary as much as inputs.",
        "W = N(0, 1) / sqrt(fan_in)",
        "For tanh, sigmoid and other S-shaped activations, and for layers without any.",
        "ReLU removes half of the variance at each layer: use He there.",
        "Glorot and Bengio 2010, in the lecture's form",
    ),
    "xavier-uniform": (
        "Xavier, uniform",
        "Xavier drawn from a uniform distribution, with a compromise: fan_in keeps the variance of activations,"
        " fan_out that of gradients, and their mean nearly keeps both.",
        "W = U(-a, a), a = sqrt(6 / (fan_in + fan_out))",
        "Like Xavier, where the widths of layers differ a lot.",
        "Like Xavier, too small with ReLU.",
        "Glorot and Bengio 2010, equation 16",
    ),
    "he": (
        "He (Kaiming)",
        "ReLU sets half of what a layer computes to zero. He's weights are larger by the square root of two, which"
        " makes up for that: activations neither shrink nor grow, however deep the network is.",
        "W = N(0, 1) sqrt(2 / fan_in)",
        "For ReLU and its relatives.",
        "With S-shaped activations it pushes units to their flat ends.",
        "He et al. 2015, arXiv:1502.01852",
    ),
    "orthogonal": (
        "Orthogonal",
        "A random rotation: no direction of the inputs is stretched or lost. Several rotations in a row are a"
        " rotation, so depth alone changes nothing.",
        "W = Q of the QR decomposition of N(0, 1), times a gain",
        "In recurrent networks, where one matrix is applied many times, and in very deep plain ones.",
        "Without the gain of the activation (as here), ReLU halves the variance in each layer, as with Xavier.",
        "Saxe et al. 2014, arXiv:1312.6120",
    ),
    "lsuv": (
        "LSUV: layer-sequential unit variance",
        "LSUV measures the variance instead of computing it: run a batch, divide the weights of each layer by the"
        " standard deviation of its outputs, and go on to the next layer. It fits any activation.",
        "W = Q / std(x Q), layer after layer",
        "Where no formula fits the architecture.",
        "It needs a batch that represents the data, and scaled inputs.",
        "Mishkin and Matas 2016, arXiv:1511.06422",
    ),
    "pytorch": (
        "PyTorch's default",
        "Linear and convolutional layers draw uniformly within 1 / sqrt(fan_in), a standard deviation of 1 / sqrt(3"
        " fan_in): a third of Xavier's variance, a sixth of He's. Ten such layers lose almost all of the signal.",
        "W = U(-a, a), a = 1 / sqrt(fan_in)",
        "In shallow networks, or with batch norm, which corrects the scale.",
        "Deep plain networks start with activations near zero and learn late or never.",
        "torch.nn.Linear's documentation; simulated here",
    ),
    "constant": (
        "A constant",
        "All weights are equal. Then all units of a layer compute the same, get the same gradient and stay equal: a"
        " layer of a hundred units is as good as one unit.",
        "W = 0.01",
        "Never between layers; for biases a constant is fine.",
        "The units stay equal: nothing breaks the symmetry.",
        "CS231n notes 2, pitfall: all zero initialisation",
    ),
    "zero": (
        "Zeros",
        "All weights are zero. Every output is the same for every row, and no gradient passes back through a ReLU.",
        "W = 0",
        "Never between layers; for biases, and for the last layer of a residual branch, it is usual.",
        "Only the bias of the output is learned.",
        "CS231n lecture 6: what happens when W = 0 init is used?",
    ),
    "auto": (
        "What babysit chooses",
        "For each layer, the scheme derived for the activation that really follows it: He for ReLU and its"
        " relatives, Xavier for S-shaped ones; the output layer gets a tenth of it, so that the first loss is that"
        " of a network that knows nothing.",
        "He or Xavier by what follows; outputs times 0.1",
        "By default.",
        "What follows a layer is found by running a sample; without one it is guessed by the order of layers.",
        "He et al. 2015; Glorot and Bengio 2010; Goyal et al. 2017, arXiv:1706.02677, for the outputs",
    ),
}


def _page(name: str) -> Page:
    title, words, formula, when, wrong, source = TEXTS[name]
    drawn: tuple[Callable[..., object], ...] = (oracles.orthogonal, oracles.lsuv) if name == "lsuv" else ()
    if name == "auto":
        drawn = (oracles.xavier, oracles.he)
    elif name in SCHEMES:
        drawn = (SCHEMES[name],)

    def figures() -> tuple[LessonFigure, ...]:
        return _figures(name)

    return Page(
        name=name,
        kind="initialisation",
        title=title,
        words=(
            "Before the first step a network's weights are random numbers. Their size decides whether a signal"
            " reaches the outputs, and whether a gradient reaches the first layers.",
            words,
        ),
        formula=formula,
        when=when,
        wrong=wrong,
        source=source,
        oracle=(*drawn, forward, backward),
        figures=figures,
        see=("initialisation", "activations-vanish", "activations-explode", "batch-norm"),
    )


INITIALISATION_PAGES: tuple[Page, ...] = (
    Page(
        name="initialisation",
        kind="initialisation",
        title="Initialisations side by side",
        words=(
            "A layer's outputs are sums of many products. Weights that are too small make the outputs of each layer"
            " smaller than its inputs, and weights that are too large make them larger. A deep network multiplies"
            " that: ten layers that each halve the spread leave a thousandth.",
            "The right size depends on how many numbers a unit adds up (fan_in) and on what its activation removes.",
        ),
        formula="var(W) = gain^2 / fan_in",
        when="He for ReLU and its relatives, Xavier for tanh and sigmoid, LSUV where neither fits. With batch norm it"
        " matters much less.",
        wrong="Zeros and constants make all units equal; PyTorch's default is too small for deep plain networks.",
        source="CS231n lecture 6, weight initialisation",
        figures=_overview,
        see=("he", "xavier", "batch-norm", "activations-vanish"),
    ),
    *map(_page, TEXTS),
)
