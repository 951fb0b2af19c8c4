"""A page for every activation, and one for all of them side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from babysit.lessons import _activation_oracles as oracles
from babysit.lessons._page import Page
from babysit.nn import activation_facts, activation_names, measure_cost
from babysit.record import ActivationFacts
from babysit.reports import LessonFigure, Line, LinesFigure, TableFigure

REACH = 6.0  # how far out a curve is drawn
POINTS = 121
COST_ELEMENTS, COST_REPEATS = 2**16, 7  # a cost in some milliseconds
CHAIN = 10

TITLES = {
    "celu": "CELU",
    "elu": "ELU",
    "gelu": "GELU",
    "hardsigmoid": "Hard sigmoid",
    "hardswish": "Hard swish",
    "hardtanh": "Hard tanh",
    "identity": "No activation",
    "leaky-relu": "Leaky ReLU",
    "maxout": "Maxout",
    "mish": "Mish",
    "prelu": "PReLU",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "selu": "SELU",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
}

# What it is, for somebody who has never heard of it.
WORDS = {
    "celu": "CELU is ELU made smooth for every alpha: its slope at zero is 1 from both sides.",
    "elu": "ELU passes positive numbers unchanged. Below zero it approaches -1 smoothly instead of cutting off, so"
    " outputs can be negative, their mean is nearer to zero, and a unit with negative inputs still has a gradient.",
    "gelu": "GELU multiplies a number by the share of a normal distribution that lies below it. Large numbers pass,"
    " small negative numbers become smaller, and large negative numbers become zero.",
    "hardsigmoid": "A sigmoid made of straight lines: linear between -3 and 3, flat outside. It needs no exp.",
    "hardswish": "SiLU with a hard sigmoid: the number times its hard sigmoid.",
    "hardtanh": "A tanh made of straight lines: numbers between -1 and 1 pass, others are cut off at these limits. A"
    " unit can die on either side.",
    "identity": "Numbers pass as they are. Two layers with nothing between them are one layer: a product of two"
    " matrices is a matrix. A network needs a nonlinearity to learn anything nonlinear.",
    "leaky-relu": "ReLU with a small slope below zero: a hundredth of a negative number passes. There is always a"
    " gradient, so a unit cannot die.",
    "maxout": "Each unit computes several weighted sums of its inputs and passes on the largest. It learns the shape"
    " of its own nonlinearity; it neither saturates nor dies, and it needs as many times the weights as it has"
    " pieces.",
    "mish": "Mish is the number times the tanh of its softplus: much like SiLU, a little lower below zero.",
    "prelu": "Leaky ReLU whose slope below zero is learned along with the weights.",
    "relu": "ReLU passes positive numbers and sets all others to zero. That nonlinearity is enough for a network. It"
    " is the fastest one to compute, it never saturates above zero, and in the lecture's words it converges about"
    " six times faster than sigmoid or tanh.",
    "relu6": "ReLU with an upper limit of 6, so that outputs fit into few bits.",
    "selu": "ELU with two constants that bring the outputs to mean 0 and variance 1 by themselves, layer after layer.",
    "sigmoid": "A sigmoid maps any number to a value between 0 and 1, such as a probability. Between layers it has"
    " three faults. Far from zero it is flat, so almost no gradient passes. Its outputs are all positive, so the"
    " gradients of a unit's weights in the next layer all have one sign, and learning zig-zags. And exp is slow to"
    " compute.",
    "silu": "SiLU is the number times its own sigmoid: a smooth ReLU with small negative outputs just below zero.",
    "softplus": "A smooth ReLU, always positive and never exactly zero.",
    "softsign": "Shaped like tanh, but it approaches its limits more slowly, so it saturates later.",
    "tanh": "A sigmoid scaled to run from -1 to 1. Its outputs are centred on zero, which removes the zig-zag; it"
    " still saturates at both ends.",
}


def _wrong(facts: ActivationFacts) -> str:
    parts = []
    if facts.can_die:
        parts.append(
            "A unit is dead if its slope is exactly zero for every row: it has no gradient and cannot recover. A too"
            " high learning rate or a bad initialisation causes that."
        )
    elif facts.saturates:
        ends = [
            f"{side} {edge:.3g}"
            for side, edge in (("below", facts.flat_below), ("above", facts.flat_above))
            if edge is not None
        ]
        parts.append(f"The slope is below 0.01 {' and '.join(ends)}: units with such inputs learn very slowly.")
    if not facts.zero_centred and facts.name != "identity":
        parts.append(f"Its outputs are not centred: inputs of mean 0 and variance 1 give a mean of {facts.mean:.3g}.")
    return " ".join(parts) or "Little by itself."


def _formula(facts: ActivationFacts) -> str:
    return f"f(x) = {facts.formula}"


def _curves(name: str) -> tuple[LessonFigure, ...]:
    facts = activation_facts(name)
    x = np.linspace(-REACH, REACH, POINTS)
    at = tuple(x.tolist())
    function, gradient = ORACLES[name]
    if name == "maxout":
        pieces = np.stack([x, -0.5 * x - 1], axis=-1)
        lines = (
            Line("f(x): the larger of x and -x/2 - 1", at, tuple(function(pieces).tolist())),
            Line("slope", at, tuple((gradient(pieces) @ np.array([1.0, -0.5])).tolist())),
        )
    else:
        lines = (Line("f(x)", at, tuple(function(x).tolist())), Line("slope f'(x)", at, tuple(gradient(x).tolist())))
    figures: list[LessonFigure] = [
        LinesFigure(
            "curve",
            "Output and slope",
            "The output, and the factor for a gradient on its way back.",
            "x",
            "f(x)",
            lines,
        )
    ]
    if name in ("sigmoid", "tanh", "relu"):
        figures.append(_chain(name))
    cost = measure_cost(name, COST_ELEMENTS, COST_REPEATS)
    rows = [
        ("outputs from", _number(facts.low)),
        ("outputs to", _number(facts.high)),
        ("mean of f(z), z normal", f"{facts.mean:.3g}"),
        ("zero-centred", _yes(facts.zero_centred)),
        ("slope below 0.01 for x below", _number(facts.flat_below)),
        ("slope below 0.01 for x above", _number(facts.flat_above)),
        ("units can die", _yes(facts.can_die)),
        ("initialisation made for it", f"{facts.scheme}, gain {facts.gain:.3g}"),
        ("time, forward and back, over ReLU's", f"{cost.times_relu:.2g} ({cost.low:.2g} to {cost.high:.2g})"),
    ]
    text = f"Computed from the function itself; the time was measured now, on {cost.elements:,} numbers."
    return (*figures, TableFigure("facts", "Facts", text, ("", facts.name), tuple(rows)))


def _chain(name: str) -> LinesFigure:
    """How much is left of a gradient after ten units in a row."""
    _, gradient = ORACLES[name]
    stream = np.random.default_rng(0)
    inputs = stream.standard_normal((2000, CHAIN))
    left = np.cumprod(np.abs(gradient(inputs)), axis=1).mean(axis=0)
    depth = tuple(float(number) for number in range(1, CHAIN + 1))
    return LinesFigure(
        "chain",
        "A gradient through ten units",
        "A gradient of 1 goes back through units with inputs of variance 1: the mean size of what is left, without the"
        " weights.",
        "units passed",
        "left",
        (Line(name, depth, tuple(left.tolist())),),
        log_y=True,
        mode="lines+points",
    )


def _overview() -> tuple[LessonFigure, ...]:
    x = np.linspace(-4, 4, POINTS)
    shown = ("sigmoid", "tanh", "relu", "leaky-relu", "elu", "gelu")
    curves = LinesFigure(
        "curves",
        "Side by side",
        "The six most used.",
        "x",
        "f(x)",
        tuple(Line(name, tuple(x.tolist()), tuple(ORACLES[name][0](x).tolist())) for name in shown),
    )
    rows = []
    for name in activation_names():
        facts = activation_facts(name)
        cost = measure_cost(name, COST_ELEMENTS, 3)
        flat = " and ".join(
            f"{side} {edge:.2g}"
            for side, edge in (("<", facts.flat_below), (">", facts.flat_above))
            if edge is not None
        )
        rows.append(
            (
                name,
                f"{facts.mean:.2g}",
                f"{facts.gain:.3g}",
                flat or "never",
                _yes(facts.can_die),
                f"{cost.times_relu:.2g}",
            )
        )
    columns = ("activation", "mean", "gain", "flat", "dies", "time / ReLU")
    text = "Mean of outputs for inputs of mean 0 and variance 1; where the slope is below 0.01; times measured now."
    return curves, TableFigure("table", "All of them", text, columns, tuple(rows))


def _number(value: float | None) -> str:
    if value is None:
        return "never"
    return ("-" if value < 0 else "") + "no limit" if math.isinf(value) else f"{value:.3g}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def fast(name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> torch.Tensor:
    """The fast one on the same numbers, float64; for tests."""
    from babysit.nn import activation

    result: torch.Tensor = activation(name).double()(torch.from_numpy(values))
    return result


ORACLES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    name: (getattr(oracles, name.replace("-", "_")), getattr(oracles, f"{name.replace('-', '_')}_gradient"))
    for name in activation_names()
}
# What an oracle calls, so that the page shows all of it.
CALLS: dict[str, tuple[str, ...]] = {
    "tanh": ("sigmoid",),
    "silu": ("sigmoid",),
    "mish": ("softplus", "sigmoid"),
    "softplus": ("sigmoid",),
    "hardswish": ("hardsigmoid", "hardsigmoid-gradient"),
}


def _page(name: str) -> Page:
    facts = activation_facts(name)
    before = tuple(getattr(oracles, called.replace("-", "_")) for called in CALLS.get(name, ()))

    def figures() -> tuple[LessonFigure, ...]:
        return _curves(name)

    return Page(
        name=name,
        kind="activation",
        title=TITLES[name],
        words=(
            "An activation is the function that a unit applies to its weighted sum. It makes the network nonlinear:"
            " without it, a network could learn only linear relations.",
            WORDS[name],
        ),
        formula=_formula(facts),
        when=facts.advice,
        wrong=_wrong(facts),
        source=facts.source,
        oracle=(*before, *ORACLES[name]),
        figures=figures,
        see=("activations", "units-dead" if facts.can_die else "units-saturated", facts.scheme),
    )


ACTIVATION_PAGES: tuple[Page, ...] = (
    Page(
        name="activations",
        kind="activation",
        title="Activations side by side",
        words=(
            "A layer multiplies its inputs by weights and adds them up; a nonlinear activation is then applied to"
            " each sum. Without it, many layers can do no more than one. With it, a network can approximate any"
            " function.",
            "What matters is what the activation does to a gradient on its way back: where it is flat, no gradient"
            " passes, and the layers before it do not learn.",
        ),
        formula="h = f(W x + b)",
        when="Take ReLU, with a moderate learning rate. Try Leaky ReLU, Maxout or ELU. Try tanh, and expect less. Do"
        " not use sigmoid between layers.",
        wrong="Flat ends stop gradients (sigmoid, tanh), a slope of exactly zero makes units die (ReLU), and outputs"
        " that are all positive make learning zig-zag.",
        source="CS231n lecture 6, activation functions",
        figures=_overview,
        see=("zig-zag", "relu", "initialisation"),
    ),
    *map(_page, activation_names()),
)
