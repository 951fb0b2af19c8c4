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
    "celu": "It is ELU with its bend made smooth for every alpha: the slope is 1 at zero from both sides.",
    "elu": "Above zero it lets numbers through; below, it bends softly towards -1 instead of cutting off. Outputs can"
    " so be negative, their mean lies nearer to zero, and a unit that is pushed down still feels a slope.",
    "gelu": "It lets a number through in proportion to how unusual it is: multiplied by the share of a normal"
    " distribution that lies below it. Large numbers pass, small negative ones are weakened, large negative ones go.",
    "hardsigmoid": "A sigmoid drawn with a ruler: a straight slope between -3 and 3, flat outside. It costs no exp.",
    "hardswish": "SiLU drawn with a ruler: the number times a hard sigmoid of it.",
    "hardtanh": "A tanh drawn with a ruler: it lets numbers between -1 and 1 through and cuts the rest off, on both"
    " sides, so that a unit can die on either.",
    "identity": "Numbers pass as they are. Two layers with nothing between them are one layer: a product of two"
    " matrices is a matrix. A network needs something that is not straight to learn what is not straight.",
    "leaky-relu": "ReLU that is not quite shut below zero: a hundredth of the number passes. So there is always a"
    " slope, and a unit cannot die.",
    "maxout": "Each unit computes several weighted sums of its inputs and passes on the largest. It learns the shape of"
    " its own bend; it neither saturates nor dies, and costs as many times the weights as it has pieces.",
    "mish": "Much like SiLU, a little deeper below zero: the number times tanh of its softplus.",
    "prelu": "Leaky ReLU whose slope below zero is learned along with the weights.",
    "relu": "It passes what is positive and cuts off what is not: a unit is either off, or a straight line. That bend"
    " is all a network needs. It is the cheapest there is, it never saturates above zero, and in the lecture's words"
    " it converges about six times faster than sigmoid or tanh.",
    "relu6": "ReLU with a ceiling of 6, so that outputs fit into few bits.",
    "selu": "ELU with two constants chosen so that outputs drift to mean 0 and variance 1 by themselves, layer after"
    " layer.",
    "sigmoid": "It squeezes any number into 0 to 1, like a firing rate, or a probability. Between layers it has three"
    " faults: far from zero it is flat, so that no gradient passes; its outputs are all positive, so that gradients"
    " of the next layer's weights all have one sign and learning zig-zags; and exp is dear.",
    "silu": "The number times its own sigmoid: a ReLU with a soft knee and a small dip below zero.",
    "softplus": "A ReLU with its corner rounded off; always positive, never quite zero.",
    "softsign": "Shaped like tanh, but it comes to its ends slowly, so that it saturates later.",
    "tanh": "A sigmoid stretched to run from -1 to 1. Its outputs are centred on zero, which takes the zig-zag away; it"
    " still saturates at both ends.",
}


def _wrong(facts: ActivationFacts) -> str:
    parts = []
    if facts.can_die:
        parts.append(
            "A unit whose every input falls where the slope is exactly zero has no gradient that could bring it back:"
            " it is dead. Too high a rate does that, or a bad start."
        )
    elif facts.saturates:
        ends = [
            f"{side} {edge:.3g}"
            for side, edge in (("below", facts.flat_below), ("above", facts.flat_above))
            if edge is not None
        ]
        parts.append(f"The slope is under a hundredth {' and '.join(ends)}: what falls there learns very slowly.")
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
            "curve", "Output and slope", "What comes out, and what of a gradient passes back.", "x", "f(x)", lines
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
        ("slope under 0.01 below", _number(facts.flat_below)),
        ("slope under 0.01 above", _number(facts.flat_above)),
        ("units can die", _yes(facts.can_die)),
        ("initialisation made for it", f"{facts.scheme}, gain {facts.gain:.3g}"),
        ("time, forward and back, over ReLU's", f"{cost.times_relu:.2g} ({cost.low:.2g} to {cost.high:.2g})"),
    ]
    text = f"Computed from the function itself; the time was measured now, on {cost.elements:,} numbers."
    return (*figures, TableFigure("facts", "Facts", text, ("", facts.name), tuple(rows)))


def _chain(name: str) -> LinesFigure:
    """What is left of a gradient after ten units in a row."""
    _, gradient = ORACLES[name]
    stream = np.random.default_rng(0)
    inputs = stream.standard_normal((2000, CHAIN))
    left = np.cumprod(np.abs(gradient(inputs)), axis=1).mean(axis=0)
    depth = tuple(float(number) for number in range(1, CHAIN + 1))
    return LinesFigure(
        "chain",
        "A gradient through ten units",
        "The mean size of what is left of a gradient of 1 that goes back through units with inputs of variance 1, their"
        " weights left aside.",
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
    text = "Mean of outputs for inputs of mean 0 and variance 1; where the slope is under 0.01; times measured now."
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
            "An activation is what a unit does with its weighted sum before it passes it on. Its bend is what lets a"
            " network learn more than straight lines.",
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
            "A layer multiplies its inputs by weights and adds them up; an activation then bends each sum. Without it a"
            " stack of layers is one layer, however deep. With it, a network is made of many small bends and can follow"
            " any shape.",
            "What matters is how the bend treats a gradient on its way back: where it is flat, nothing passes, and"
            " what lies before it does not learn.",
        ),
        formula="h = f(W x + b)",
        when="Take ReLU and mind the rate. Try Leaky ReLU, Maxout or ELU. Try tanh, and expect less. Do not use sigmoid"
        " between layers.",
        wrong="Flat ends kill gradients (sigmoid, tanh), an exact zero kills units (ReLU), outputs that are all"
        " positive"
        " make weights zig-zag.",
        source="CS231n lecture 6, activation functions",
        figures=_overview,
        see=("zig-zag", "relu", "initialisation"),
    ),
    *map(_page, activation_names()),
)
