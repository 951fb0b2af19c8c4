"""Networks from a Recipe: what comes after the preprocessing and before the loss."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from babysit.record import ModelSection


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


class CategoryEmbedding(nn.Module):
    """Numbers pass; each category code is replaced by a learned vector.

    Shapes:
        Input [N, numbers + categories], output [N, numbers + sum of the vectors' lengths].
    """

    def __init__(self, numbers: int, levels: Sequence[int], size: int | None = None) -> None:
        super().__init__()
        self.numbers = numbers
        # Rule of thumb of fastai's tabular learner: 1.6 n^0.56, at most 600 numbers.
        sizes = [size or min(600, round(1.6 * count**0.56)) for count in levels]
        self.embeddings = nn.ModuleList(nn.Embedding(count, width) for count, width in zip(levels, sizes, strict=True))
        self.out_features = numbers + sum(sizes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Numbers and vectors side by side."""
        codes = inputs[:, self.numbers :].long()
        vectors = [embedding(codes[:, column]) for column, embedding in enumerate(self.embeddings)]
        return torch.cat([inputs[:, : self.numbers], *vectors], dim=1)


def build(model: ModelSection, inputs: Features | Pixels, outputs: int) -> nn.Module:
    """The network a recipe's model section describes, with PyTorch's own first weights.

    Args:
        model: The section, every decision filled in.
        inputs: What the preprocessing gives for one row.
        outputs: Numbers that come out for one row.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if isinstance(inputs, Features):
        width = inputs.numbers
        if inputs.levels:
            layers["embedding"] = embedding = CategoryEmbedding(inputs.numbers, inputs.levels, model.embedding)
            width = embedding.out_features
    else:
        layers["flatten"] = nn.Flatten()
        width = math.prod((inputs.channels, inputs.height, inputs.width))
    for number, units in enumerate(model.widths or (), start=1):
        layers[f"linear{number}"] = nn.Linear(width, units, bias=not model.batch_norm)
        if model.batch_norm:
            layers[f"batch_norm{number}"] = nn.BatchNorm1d(units)
        layers[f"relu{number}"] = nn.ReLU()
        if model.dropout:
            layers[f"dropout{number}"] = nn.Dropout(model.dropout)
        width = units
    layers["output"] = nn.Linear(width, outputs)
    return nn.Sequential(layers)
