"""Batch normalisation folded into the layer before it, for inference."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from babysit.nn._following import follow
from babysit.nn._layers import replace_module
from babysit.nn._sample import Sample
from babysit.record import InputError


def fold_batch_norm(model: nn.Module, *, sample: Sample | None = None) -> tuple[tuple[str, str], ...]:
    """Multiply each batch normalisation into the dense or convolutional layer that feeds it, in place.

    With running statistics, batch normalisation is one multiplication and one addition a channel; the layer before
    it can do both. Outputs are equal but for rounding. The normalisation is replaced by an `Identity`. Only pairs
    are folded whose layer feeds nothing else and is used once. Copy the model first to keep one that can be trained.

    Args:
        model: In evaluation mode.
        sample: A batch as the model takes it; needed only where tracing cannot follow a model whose pairs do not
            stand side by side in a `Sequential`.

    Returns:
        Names of the folded pairs: layer, normalisation.

    Raises:
        InputError: The model is in training mode, or raises on the sample.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU()).eval()
        >>> fold_batch_norm(model)
        (('0', '1'),)
        >>> model[1]
        Identity()
    """
    if any(module.training for module in model.modules() if isinstance(module, _BatchNorm)):
        raise InputError(
            "batch normalisation in training mode cannot be folded",
            cause="in training it depends on the batch; folding is for inference",
            write="model.eval()",
        )
    following = follow(model, sample)
    pairs = list(_side_by_side(model)) if following.way == "the order of modules" else list(following.folds)
    folded = []
    for layer_name, norm_name in pairs:
        layer, norm = model.get_submodule(layer_name), model.get_submodule(norm_name)
        follows = following.layers.get(layer_name)
        if _can_fold(layer, norm, follows.dimensions if follows else None):
            assert isinstance(norm, _BatchNorm)
            _fold(layer, norm)
            replace_module(model, norm, nn.Identity().eval())
            folded.append((layer_name, norm_name))
    return tuple(folded)


def _side_by_side(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Neighbours in a Sequential: the one runs right after the other, whatever the rest of the model does."""
    uses: dict[int, int] = {}
    for parent in model.modules():
        for child in parent.children():
            uses[id(child)] = uses.get(id(child), 0) + 1
    for name, module in model.named_modules():
        if isinstance(module, nn.Sequential):
            children = list(module.named_children())
            for (first_name, first), (second_name, second) in itertools.pairwise(children):
                if uses[id(first)] == uses[id(second)] == 1:
                    prefix = f"{name}." if name else ""
                    yield prefix + first_name, prefix + second_name


def _can_fold(layer: nn.Module, norm: nn.Module, dimensions: int | None) -> bool:
    if not isinstance(norm, _BatchNorm) or norm.running_mean is None or "weight" not in layer._parameters:
        return False
    if isinstance(layer, nn.Linear):
        # Over sequences [N, T, F], a normalisation of T steps is not one of F units.
        return layer.out_features == norm.num_features and dimensions in (None, 2)
    return isinstance(layer, _ConvNd) and layer.out_channels == norm.num_features


def _fold(layer: nn.Module, norm: _BatchNorm) -> None:
    """w' = w s, b' = (b - mean) s + shift with s = scale / sqrt(var + eps), in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = layer.weight, layer._parameters.get("bias")
    assert isinstance(weight, nn.Parameter)
    with torch.no_grad():
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        if norm.affine:
            scale = scale * norm.weight.double()
        shifted = -norm.running_mean.double() if bias is None else bias.double() - norm.running_mean.double()
        new_bias = shifted * scale + (norm.bias.double() if norm.affine else 0.0)
        weight.copy_(_scaled(layer, weight.double(), scale))
        if bias is None:
            layer.register_parameter("bias", nn.Parameter(new_bias.to(weight), requires_grad=weight.requires_grad))
        else:
            bias.copy_(new_bias)


def _scaled(layer: nn.Module, weight: Tensor, scale: Tensor) -> Tensor:
    """Each output channel times its scale: along the first axis, or the second within a group when transposed."""
    if isinstance(layer, _ConvTransposeNd):
        grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])  # [groups, in / groups, out / groups, taps...]
        by_group = scale.view(layer.groups, 1, -1, *(1,) * (weight.ndim - 2))
        return (grouped * by_group).reshape(weight.shape)
    return weight * scale.view(-1, *(1,) * (weight.ndim - 1))
