"""Modules that hold weights: of what kind, how many numbers go in and out of a unit, and how one is replaced."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

Kind = Literal["dense", "convolution", "transposed", "bilinear", "embedding", "recurrent", "attention", "normalisation"]

_KINDS: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], Kind], ...] = (
    (nn.Linear, "dense"),
    (_ConvTransposeNd, "transposed"),
    (_ConvNd, "convolution"),
    (nn.Bilinear, "bilinear"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    ((nn.RNNBase, nn.RNNCellBase), "recurrent"),
    (nn.MultiheadAttention, "attention"),
    ((_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm), "normalisation"),
)


def kind_of(module: nn.Module) -> Kind | None:
    """What kind of weights a module itself holds; None for containers, activations and what is unknown."""
    for types, kind in _KINDS:
        if isinstance(module, types):
            return kind
    return None


@dataclass(frozen=True)
class Fans:
    """Numbers that enter one unit's sum, and sums that one input enters."""

    fan_in: int
    fan_out: int


def fans(module: nn.Module, weight: Tensor) -> Fans:
    """Of a dense, convolutional or bilinear layer.

    A transposed convolution's output meets only every stride-th tap of its kernel, a grouped one only its group.
    """
    if isinstance(module, _ConvNd):
        taps = math.prod(module.kernel_size)
        strides = math.prod(module.stride)
        inwards, outwards = module.in_channels // module.groups * taps, module.out_channels // module.groups * taps
        if isinstance(module, _ConvTransposeNd):
            return Fans(max(1, round(inwards / strides)), outwards)
        return Fans(inwards, max(1, round(outwards / strides)))
    return Fans(math.prod(weight.shape[1:]), weight.shape[0])


def in_groups(module: nn.Module) -> int:
    """Blocks of a weight that work side by side without seeing one another."""
    return module.groups if isinstance(module, _ConvNd) else 1


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Under every name it has, except inside the new one."""
    own = set(map(id, new.modules()))
    for parent in list(model.modules()):
        if id(parent) in own:
            continue
        for name, child in list(parent._modules.items()):
            if child is old:
                parent._modules[name] = new
