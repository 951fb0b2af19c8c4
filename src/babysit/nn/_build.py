"""Networks from a recipe: what comes after the preprocessing and before the loss.

Layers of units (linear map, batch norm, nonlinearity, in the lecture's order), stages of convolutions, residual blocks,
and learned vectors for categories.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from babysit.nn._activation_facts import activation
from babysit.nn._maxout import MaxPieces
from babysit.record import ModelSection, RecipeError


def embedding_size(levels: int) -> int:
    """Numbers that stand for a category of so many levels: min(600, round(1.6 levels^0.56)).

    Source: the rule of fastai's tabular learner (Howard and Gugger 2020, "Deep Learning for Coders", chapter 9), found
    there by trying many.

    Example:
        >>> embedding_size(2), embedding_size(44)
        (2, 13)
    """
    return int(min(600, round(1.6 * float(levels) ** 0.56)))


class CategoryEmbedding(nn.Module):
    """Numbers pass; each category code is replaced by a learned vector.

    Args:
        numbers: How many leading columns are numbers.
        levels: For each category column after them, how many codes.
        size: Length of every vector; None takes `embedding_size` for each.

    Shapes:
        Input [N, numbers + categories], output [N, out_features].

    Example:
        >>> CategoryEmbedding(1, [3, 5], size=2)(torch.tensor([[0.5, 2.0, 4.0]])).shape
        torch.Size([1, 5])
    """

    def __init__(self, numbers: int, levels: Sequence[int], size: int | None = None) -> None:
        super().__init__()
        self.numbers = numbers
        sizes = [size or embedding_size(count) for count in levels]
        self.embeddings = nn.ModuleList(nn.Embedding(count, width) for count, width in zip(levels, sizes, strict=True))
        self.out_features = numbers + sum(sizes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Numbers and vectors side by side."""
        codes = inputs[:, self.numbers :].long()
        vectors = [embedding(codes[:, column]) for column, embedding in enumerate(self.embeddings)]
        return torch.cat([inputs[:, : self.numbers], *vectors], dim=1)


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


SMALLEST_SIDE = 2  # pixels; below, halving again would leave nothing to look at
LARGE_SIDE = 96  # pixels; from here the first layer strides, as ImageNet networks do, so that time stays bounded


def convolutional_layers(model: ModelSection, channels: int, side: int) -> OrderedDict[str, nn.Module]:
    """Stages of two 3x3 convolutions, each stage halving the image.

    Args:
        model: `widths` are the channels of the stages.
        channels: Of the image.
        side: The image's shorter side in pixels.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for stage, width in enumerate(model.widths or (), start=1):
        stride = 2 if stage == 1 and side >= LARGE_SIDE else 1
        for part, (inputs, step) in enumerate(((channels, stride), (width, 1)), start=1):
            made = unit_layers(model, nn.Conv2d, inputs, width, kernel_size=3, stride=step, padding=1)
            layers.update({f"{name}{stage}_{part}": layer for name, layer in made.items()})
        channels, side = width, _halved(side, stride)
        if side >= 2 * SMALLEST_SIDE:
            layers[f"pool{stage}"] = nn.MaxPool2d(2)
            side //= 2
    return layers


def residual_layers(model: ModelSection, channels: int, side: int) -> OrderedDict[str, nn.Module]:
    """A first convolution, then a stage of two residual blocks for each width; later stages halve the image.

    Args:
        model: `widths` are the channels of the stages.
        channels: Of the image.
        side: The image's shorter side in pixels.
    """
    widths = model.widths or (channels,)
    stride = 2 if side >= LARGE_SIDE else 1
    stem = unit_layers(model, nn.Conv2d, channels, widths[0], kernel_size=3, stride=stride, padding=1)
    layers: OrderedDict[str, nn.Module] = OrderedDict((f"{name}0", layer) for name, layer in stem.items())
    side = _halved(side, stride)
    if stride == 2:
        layers["pool0"] = nn.MaxPool2d(2)
        side //= 2
    inputs = widths[0]
    for stage, width in enumerate(widths, start=1):
        step = 2 if stage > 1 and side >= 2 * SMALLEST_SIDE else 1
        layers[f"block{stage}_1"] = ResidualBlock(model, inputs, width, step)
        layers[f"block{stage}_2"] = ResidualBlock(model, width, width, 1)
        inputs, side = width, _halved(side, step)
    return layers


def _halved(side: int, stride: int) -> int:
    return -(-side // stride)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut, added before the last nonlinearity (He et al. 2016, figure 5 left).

    Args:
        model: Activation, batch norm, pieces.
        inputs: Channels in.
        outputs: Channels out.
        stride: Step of the first convolution.

    Shapes:
        Input [N, inputs, H, W], output [N, outputs, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, model: ModelSection, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first = unit_layers(model, nn.Conv2d, inputs, outputs, kernel_size=3, stride=stride, padding=1)
        maxout = model.activation == "maxout"
        wide = outputs * model.pieces if maxout else outputs
        bias = not model.batch_norm
        self.branch = nn.Sequential(
            OrderedDict(
                [
                    *((f"{name}1", layer) for name, layer in first.items()),
                    ("conv2", nn.Conv2d(outputs, wide, 3, padding=1, bias=bias)),
                    *([("norm2", nn.BatchNorm2d(wide))] if model.batch_norm else []),
                ]
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != wide:
            projection: list[nn.Module] = [nn.Conv2d(inputs, wide, 1, stride=stride, bias=bias)]
            if model.batch_norm:
                projection.append(nn.BatchNorm2d(wide))
            self.shortcut = nn.Sequential(*projection)
        self.activation = MaxPieces(model.pieces) if maxout else activation(model.activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """The branch added to the short cut, through the nonlinearity."""
        outputs: Tensor = self.activation(self.branch(inputs) + self.shortcut(inputs))
        return outputs


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
        RecipeError: A table gets a convolutional network, or the recipe names a user's function for it.

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
