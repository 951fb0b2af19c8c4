"""Initialisation schemes: how the numbers of one weight are drawn, and where each scheme comes from.

A weight is drawn in float32 on the CPU and copied to where it belongs, so that a seed means the same numbers on
every device and in every precision.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from babysit.nn._layers import Fans

Scheme = Literal[
    "auto", "pytorch", "small-random", "xavier", "xavier-uniform", "he", "orthogonal", "lsuv", "constant", "zero"
]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
SMALL = 0.01  # the lecture's W = 0.01 randn

SOURCES: dict[Scheme, str] = {
    "auto": "he or xavier, whichever was derived for the activation that follows; output layers a tenth of it",
    "pytorch": "the weights are left as their modules drew them: uniform, std 1/sqrt(3 fan_in) for most",
    "small-random": "normal with one std for all; CS231n lecture 6: fine for small networks only",
    "xavier": "normal, std 1/sqrt(fan_in); Glorot and Bengio 2010 in the lecture's form",
    "xavier-uniform": "uniform within sqrt(6/(fan_in + fan_out)); Glorot and Bengio 2010, equation 16",
    "he": "normal, std gain/sqrt(fan_in), gain of the activation that follows; He et al. 2015, arXiv:1502.01852",
    "orthogonal": "orthogonal matrix times the gain of the activation that follows; Saxe et al. 2014, arXiv:1312.6120",
    "lsuv": "orthogonal, then scaled layer by layer to unit variance on the sample; Mishkin and Matas 2016, "
    "arXiv:1511.06422",
    "constant": "one number everywhere: all units stay equal, for demonstration",
    "zero": "zeros: nothing behind a relu ever learns, for demonstration",
}


def draw_normal(shape: torch.Size, std: float, generator: torch.Generator) -> Tensor:
    """N(0, std^2)."""
    return nn.init.normal_(torch.empty(shape), 0.0, std, generator=generator)


def draw_uniform(shape: torch.Size, fans: Fans, generator: torch.Generator) -> Tensor:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)): variance 2 / (fan_in + fan_out)."""
    bound = math.sqrt(6 / (fans.fan_in + fans.fan_out))
    return nn.init.uniform_(torch.empty(shape), -bound, bound, generator=generator)


def draw_orthogonal(shape: torch.Size, gain: float, groups: int, generator: torch.Generator) -> Tensor:
    """Rows (or columns, when there are fewer of them) of length `gain`, at right angles within each group."""
    weight = torch.empty(shape)
    for block in weight.chunk(groups):
        nn.init.orthogonal_(block, gain, generator=generator)
    return weight
