"""One layer of units: linear map, batch norm, nonlinearity, in the lecture's order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import nn

from babysit.nn._activation_facts import activation
from babysit.nn._maxout import MaxPieces
from babysit.record import ModelSection


def unit_layers(
    model: ModelSection, linear: Callable[..., nn.Module], inputs: int, units: int, **options: Any
) -> OrderedDict[str, nn.Module]:
    """Linear or convolution, then batch norm when wanted, then the nonlinearity.

    The bias is left out before batch norm, which subtracts it again. Maxout units have `pieces` linear pieces each.

    Args:
        model: What is wanted.
        linear: `nn.Linear` or `nn.Conv2d`.
        inputs: Features or channels in.
        units: Features or channels out.
        options: For a convolution: kernel_size, stride, padding.
    """
    dense = linear is nn.Linear
    maps = units * model.pieces if model.activation == "maxout" else units
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["linear" if dense else "conv"] = linear(inputs, maps, bias=not model.batch_norm, **options)
    if model.batch_norm:
        layers["norm"] = nn.BatchNorm1d(maps) if dense else nn.BatchNorm2d(maps)
    if model.activation == "maxout":
        layers["activation"] = MaxPieces(model.pieces)
    elif model.activation != "identity":
        layers["activation"] = activation(model.activation)
    return layers
