"""The activations that can be chosen: what is written down about each, and which names PyTorch has for it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from babysit.nn._maxout import MaxPieces
from babysit.record import InputError

Rule = Literal["xavier", "he"]
Limits = tuple[float, float]
_ALL = (-math.inf, math.inf)


@dataclass(frozen=True)
class Entry:
    """What cannot be computed about an activation.

    Attributes:
        module: Makes it.
        formula: With x for the input.
        limits: Lower and upper end of the outputs, from the options.
        rule: Which initialisation was derived for its kind.
        advice: When to use it.
        source: Who proposed it.
        options: Its options, in the order the functional form takes them after the input.
        functions: Names of torch functions and Tensor methods that compute it, without a trailing underscore.
        inplace: Whether it takes `inplace`.
    """

    module: Callable[..., nn.Module]
    formula: str
    limits: Callable[[Mapping[str, Any]], Limits]
    rule: Rule
    advice: str
    source: str
    options: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    inplace: bool = False


def _between(low: float, high: float) -> Callable[[Mapping[str, Any]], Limits]:
    return lambda options: (low, high)


def _elu_limits(options: Mapping[str, Any]) -> Limits:
    return (-float(options.get("alpha", 1.0)), math.inf)


def _hardtanh_limits(options: Mapping[str, Any]) -> Limits:
    return (float(options.get("min_val", -1.0)), float(options.get("max_val", 1.0)))


def _leaky_limits(slope_name: str) -> Callable[[Mapping[str, Any]], Limits]:
    """With a slope of zero or less, outputs do not go below zero."""
    return lambda options: (-math.inf if float(options.get(slope_name, 0.01)) > 0 else 0.0, math.inf)


# Lowest points of x times a gate: numbers without a closed form, found by Newton's method; a test finds them again.
_LOWEST = {"gelu": -0.16997120747, "silu": -0.27846454276, "mish": -0.30884341259}
_SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772

CATALOGUE: dict[str, Entry] = {
    "identity": Entry(
        nn.Identity, "x", _between(*_ALL), "xavier",
        "Between layers it makes two of them one; right for the output of a regression.", "none needed",
    ),
    "sigmoid": Entry(
        nn.Sigmoid, "1 / (1 + exp(-x))", _between(0, 1), "xavier",
        "Not between layers: it saturates, is not zero-centred and exp is dear. For gates and probabilities.",
        "Verhulst 1838; CS231n lecture 6 on its three problems", functions=("sigmoid", "expit", "special_expit"),
    ),
    "tanh": Entry(
        nn.Tanh, "tanh(x) = 2 sigmoid(2x) - 1", _between(-1, 1), "xavier",
        "Zero-centred, but saturates; in recurrent networks, or where outputs must be bounded.",
        "LeCun et al. 1991; LeCun et al. 1998, Efficient BackProp", functions=("tanh",),
    ),
    "relu": Entry(
        nn.ReLU, "max(0, x)", _between(0, math.inf), "he",
        "The first choice; mind the rate, for units can die.",
        "Krizhevsky et al. 2012; gain: He et al. 2015, arXiv:1502.01852", functions=("relu",), inplace=True,
    ),
    "leaky-relu": Entry(
        nn.LeakyReLU, "x for x > 0, else negative_slope x", _leaky_limits("negative_slope"), "he",
        "Where relu units die: these cannot.", "Maas et al. 2013",
        options=("negative_slope",), functions=("leaky_relu",), inplace=True,
    ),
    "prelu": Entry(
        nn.PReLU, "x for x > 0, else a x with a learned", _leaky_limits("init"), "he",
        "As leaky-relu, the slope learned; keep weight decay off it.", "He et al. 2015, arXiv:1502.01852",
        options=("num_parameters", "init"), functions=("prelu",),
    ),
    "elu": Entry(
        nn.ELU, "x for x > 0, else alpha (exp(x) - 1)", _elu_limits, "he",
        "Outputs nearer to zero mean than relu's, robust to noise, and the price of an exp.",
        "Clevert et al. 2016, arXiv:1511.07289", options=("alpha",), functions=("elu",), inplace=True,
    ),
    "selu": Entry(
        nn.SELU, "1.0507 x for x > 0, else 1.0507 * 1.6733 (exp(x) - 1)", _between(_SELU_FLOOR, math.inf), "he",
        "Deep plain networks without normalisation; it keeps mean 0 and variance 1 by itself.",
        "Klambauer et al. 2017, arXiv:1706.02515", functions=("selu",), inplace=True,
    ),
    "celu": Entry(
        nn.CELU, "max(0, x) + min(0, alpha (exp(x / alpha) - 1))", _elu_limits, "he",
        "As elu, smooth for every alpha.", "Barron 2017, arXiv:1704.07483",
        options=("alpha",), functions=("celu",), inplace=True,
    ),
    "gelu": Entry(
        nn.GELU, "x Phi(x), Phi the normal distribution function", _between(_LOWEST["gelu"], math.inf), "he",
        "The habit of transformers; smooth, dearer than relu.", "Hendrycks and Gimpel 2016, arXiv:1606.08415",
        options=("approximate",), functions=("gelu",),
    ),
    "silu": Entry(
        nn.SiLU, "x sigmoid(x)", _between(_LOWEST["silu"], math.inf), "he",
        "A smooth relu for convolutional networks; also called swish.",
        "Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017", functions=("silu", "swish"), inplace=True,
    ),
    "mish": Entry(
        nn.Mish, "x tanh(ln(1 + exp(x)))", _between(_LOWEST["mish"], math.inf), "he",
        "As silu, a little deeper below zero, and dearer.", "Misra 2019, arXiv:1908.08681",
        functions=("mish",), inplace=True,
    ),
    "softplus": Entry(
        nn.Softplus, "ln(1 + exp(beta x)) / beta", _between(0, math.inf), "he",
        "For outputs that must be positive, such as a variance; between layers relu does better.",
        "Dugas et al. 2001", options=("beta", "threshold"), functions=("softplus",),
    ),
    "softsign": Entry(
        nn.Softsign, "x / (1 + |x|)", _between(-1, 1), "xavier",
        "A tanh that saturates more slowly.", "Bergstra et al. 2009", functions=("softsign",),
    ),
    "hardtanh": Entry(
        nn.Hardtanh, "x between min_val and max_val, else the nearer of them", _hardtanh_limits, "xavier",
        "A cheap tanh; flat outside, so units can die on either side.", "Collobert 2004",
        options=("min_val", "max_val"), functions=("hardtanh",), inplace=True,
    ),
    "hardsigmoid": Entry(
        nn.Hardsigmoid, "x / 6 + 1/2 between -3 and 3, else 0 or 1", _between(0, 1), "xavier",
        "A cheap sigmoid for gates on small devices.", "Courbariaux et al. 2015, arXiv:1511.00363",
        functions=("hardsigmoid",), inplace=True,
    ),
    "hardswish": Entry(
        nn.Hardswish, "x hardsigmoid(x)", _between(-0.375, math.inf), "he",
        "A cheap silu for small devices.", "Howard et al. 2019, arXiv:1905.02244",
        functions=("hardswish",), inplace=True,
    ),
    "relu6": Entry(
        nn.ReLU6, "min(max(0, x), 6)", _between(0, 6), "he",
        "Where outputs are stored in few bits.", "Krizhevsky 2010; Howard et al. 2017, arXiv:1704.04861",
        functions=("relu6",), inplace=True,
    ),
    "maxout": Entry(
        MaxPieces, "max(w1 x + b1, ..., wk x + bk)", _between(*_ALL), "he",
        "Never saturates, never dies; costs as many times the parameters as it has pieces.",
        "Goodfellow et al. 2013, arXiv:1302.4389", options=("pieces", "dim"), functions=("max_pieces",),
    ),
}  # fmt: skip


def activation_names() -> tuple[str, ...]:
    """Names of all activations that can be chosen, sorted.

    Example:
        >>> "leaky-relu" in activation_names()
        True
    """
    return tuple(sorted(CATALOGUE))


def unknown_activation(name: str) -> InputError:
    """The error for a name that is none."""
    nearest = difflib.get_close_matches(name.lower().replace("_", "-"), CATALOGUE, n=1)
    return InputError(
        f"there is no activation {name!r}",
        legal=", ".join(activation_names()),
        write=f'activation("{nearest[0]}")' if nearest else None,
    )
