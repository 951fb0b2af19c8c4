"""Networks written as users write them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Functional(nn.Module):
    """Activations as functions and methods, one in place, one by hand, a hidden state kept on the module."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.second = nn.Linear(8, 8)
        self.third = nn.Linear(8, 8)
        self.fourth = nn.Linear(8, 8)
        self.fifth = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)
        self.kept: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = F.relu(self.first(inputs))
        hidden = torch.tanh(F.dropout(self.second(hidden), 0.5, self.training))
        hidden = self.third(hidden).relu_()
        hidden = self.fourth(hidden)
        hidden = hidden * torch.sigmoid(hidden)
        hidden = self.fifth(hidden).clamp(min=0)
        self.kept = hidden
        return self.head(hidden)  # type: ignore[no-any-return]


class Branching(Functional):
    """A data-dependent branch, which cannot be traced symbolically."""

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.sum() > 1e9:
            raise ArithmeticError("unlikely")
        return super().forward(inputs)


class Residual(nn.Module):
    """A block with a shortcut, normalised or not, activated after the sum."""

    def __init__(self, channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        branch = F.relu(self.norm1(self.conv1(inputs)), inplace=True)
        branch = self.norm2(self.conv2(branch))
        branch += inputs
        return F.relu(branch)


class ResidualNet(nn.Module):
    """A stem, some blocks, a head."""

    def __init__(self, blocks: int = 3, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.act = nn.LeakyReLU(0.1)
        self.blocks = nn.Sequential(*(Residual(8, batch_norm=batch_norm) for _ in range(blocks)))
        self.head = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.blocks(self.act(self.stem(images)))
        return self.head(hidden.mean((2, 3)))  # type: ignore[no-any-return]


class Shared(nn.Module):
    """One layer used three times, and an embedding whose weight is the output layer's too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.layer = nn.Linear(8, 8)
        self.head = nn.Linear(8, 12, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, codes: Tensor) -> Tensor:
        hidden = self.embedding(codes)
        for _ in range(3):
            hidden = F.gelu(self.layer(hidden))
        return self.head(hidden)  # type: ignore[no-any-return]


class OwnWeights(nn.Module):
    """Layers of one's own: a matrix [in, out] added to a bias, a product, and weights read by functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(6, 8))
        self.first_bias = nn.Parameter(torch.randn(8))
        self.second = nn.Parameter(torch.randn(8, 8))
        self.middle = nn.Linear(8, 10)
        self.last = nn.Parameter(torch.randn(3, 10))
        self.last_bias = nn.Parameter(torch.randn(3))
        self.scale = nn.Parameter(torch.ones(10))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = F.relu(torch.addmm(self.first_bias, inputs, self.first))
        hidden = torch.tanh(hidden @ self.second)
        hidden = F.gelu(self.middle(hidden)) * self.scale
        return F.linear(hidden, self.last, bias=self.last_bias)


class PreNormTransformer(nn.Module):
    """Two blocks of attention and two dense layers, each branch fed by a layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(10, 16)
        self.positions = nn.Parameter(torch.zeros(5, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", norm_first=True, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 10)

    def forward(self, codes: Tensor) -> Tensor:
        return self.head(self.encoder(self.tokens(codes) + self.positions))  # type: ignore[no-any-return]


def plain(depth: int, width: int, activation: type[nn.Module], *, bias: bool = True) -> nn.Sequential:
    """The lecture's deep net: so many equal layers."""
    return nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(width, width, bias=bias), activation())))
