"""Learned vectors for categories."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


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
