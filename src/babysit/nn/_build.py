"""Networks from a Recipe: what comes after the preprocessing and before the loss."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from babysit.nn._convolutional import convolutional_layers, residual_layers
from babysit.nn._embedding import CategoryEmbedding
from babysit.nn._unit import unit_layers
from babysit.record import ModelSection, RecipeError


@dataclass(frozen=True)
class Features:
    """A preprocessed table row: numbers first, then category codes (0 missing, 1 unknown, 2.. levels).

    Attributes:
        numbers: How many numbers.
        levels: For each category column, how many codes.
    """

    numbers: int
    levels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pixels:
    """A preprocessed image: [channels, height, width]."""

    channels: int
    height: int
    width: int


def build(model: ModelSection, inputs: Features | Pixels, outputs: int) -> nn.Sequential:
    """The network a recipe's model section describes, with PyTorch's own first weights.

    Args:
        model: The section; widths, batch norm and dropout decided.
        inputs: What the preprocessing gives for one row.
        outputs: Numbers that come out for one row.

    Shapes:
        Input [N, numbers + categories] or [N, channels, height, width], output [N, outputs].

    Raises:
        RecipeError: A convolutional network was asked for a table, or the recipe names a function that makes it.

    Example:
        >>> network = build(ModelSection(widths=(8,), batch_norm=False, dropout=0.0), Features(4), outputs=3)
        >>> [name for name, _ in network.named_children()]
        ['linear1', 'activation1', 'output']
    """
    if model.factory is not None:
        raise RecipeError(
            f"the network is made by {model.factory}, which was not given",
            cause="what a recipe or a Run holds is data, and no code is run because of it",
            write=f"model={model.factory.rpartition(':')[2]} in Python: babysit.tune, load, evaluate, predict, export",
        )
    if isinstance(inputs, Pixels) and model.architecture in ("convolutional", "residual"):
        make = residual_layers if model.architecture == "residual" else convolutional_layers
        layers = make(model, inputs.channels, min(inputs.height, inputs.width))
        width = model.widths[-1] if model.widths else inputs.channels
        layers["average"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        if model.dropout:
            layers["dropout"] = nn.Dropout(model.dropout)
    elif model.architecture in ("convolutional", "residual"):
        raise RecipeError(
            f"architecture '{model.architecture}' needs images, the data is a table",
            legal="mlp",
            write="--set architecture=mlp",
        )
    else:
        layers, width = _mlp(model, inputs)
    layers["output"] = nn.Linear(width, outputs)
    return nn.Sequential(layers)


def _mlp(model: ModelSection, inputs: Features | Pixels) -> tuple[OrderedDict[str, nn.Module], int]:
    """Hidden layers of dense units, and how wide the last one is."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if isinstance(inputs, Pixels):
        layers["flatten"] = nn.Flatten()
        width = math.prod((inputs.channels, inputs.height, inputs.width))
    else:
        width = inputs.numbers
        if inputs.levels:
            layers["embedding"] = embedding = CategoryEmbedding(inputs.numbers, inputs.levels, model.embedding)
            width = embedding.out_features
    for number, units in enumerate(model.widths or (), start=1):
        for name, layer in unit_layers(model, nn.Linear, width, units).items():
            layers[f"{name}{number}"] = layer
        if model.dropout:
            layers[f"dropout{number}"] = nn.Dropout(model.dropout)
        width = units
    return layers, width
