"""Batch normalisation put into a model that has none: after each layer, before its nonlinearity."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.nn._following import Follows, Way, follow
from babysit.nn._layers import kind_of, replace_module
from babysit.nn._optimizer_groups import check_optimizer, exchange_parameters
from babysit.nn._sample import Sample

_BY_DIMENSIONS: dict[int, type[_BatchNorm]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


@dataclass(frozen=True)
class BatchNormInsertion:
    """What `insert_batch_norm` did.

    Attributes:
        way: How it was found what follows each layer.
        inserted: Layers that now have batch normalisation behind them, by their former names.
        skipped: Layers left as they were, and why.
    """

    way: Way
    inserted: tuple[str, ...]
    skipped: dict[str, str]


def insert_batch_norm(
    model: nn.Module,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    sample: Sample | None = None,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> BatchNormInsertion:
    """Put batch normalisation between each dense or convolutional layer and its nonlinearity, in place.

    A layer is replaced by `Sequential(layer, batch_norm)` under its own name. Its bias, which the normalisation would
    take away again, becomes the normalisation's shift; so in evaluation the model computes what it did before, to a
    part in 10^5, until it is trained on or recalibrated. Output layers stay as they are, and so do layers that are
    normalised already, have no nonlinearity behind them, are used more than once, or give sequences.

    In the optimizer, biases that are gone lose their place and state, and scales and shifts join with the settings of
    their layer's weight but no weight decay. That takes a parameter group of its own where the weight's group has
    weight decay: make schedulers afterwards, for they count groups when they are made.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.2; CS231n lecture 6.

    Args:
        model: Any module whose layers are modules.
        optimizer: The one that trains the model.
        sample: A batch as the model takes it; needed only where tracing cannot follow the model.
        momentum: Weight of the newest batch in the running statistics.
        eps: Added to the variance.

    Returns:
        Names of the layers, and why others were left.

    Raises:
        InputError: The model raises on the sample, or the optimizer cannot change its parameters (LBFGS).

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> insert_batch_norm(model).inserted
        ('0',)
        >>> [type(part).__name__ for part in model[0]]
        ['Linear', 'BatchNorm1d']
    """
    check_optimizer(optimizer)
    following = follow(model, sample)
    inserted: list[str] = []
    skipped: dict[str, str] = {}
    for name, module in list(model.named_modules()):
        if kind_of(module) not in ("dense", "convolution", "transposed"):
            continue
        reason = _reason_to_skip(module, following.layers.get(name))
        if reason is not None and following.way == "the order of modules":
            reason += "; seen by the order of modules only, a sample would make it surer"
        if reason is None:
            _wrap(model, module, optimizer, momentum, eps)
            inserted.append(name)
        else:
            skipped[name] = reason
    return BatchNormInsertion(following.way, tuple(inserted), skipped)


def _reason_to_skip(module: nn.Module, follows: Follows | None) -> str | None:
    if follows is None:
        return "it takes no part in the forward pass"
    if follows.is_output:
        return "it is an output layer"
    if follows.normalised:
        return "it is normalised already"
    if follows.facts is None or follows.facts.name == "identity":
        return f"no nonlinearity follows it, but {follows.meets}"
    if follows.calls > 1:
        return f"it is used {follows.calls} times in a forward pass, and each use has statistics of its own"
    if not follows.called:
        return "its weights are read by another module's forward"
    if kind_of(module) == "dense" and follows.dimensions not in (None, 2):
        return f"its output has {follows.dimensions} dimensions; layer normalisation is made for sequences"
    return None


def _wrap(
    model: nn.Module, layer: nn.Module, optimizer: torch.optim.Optimizer | None, momentum: float, eps: float
) -> None:
    """Replace a layer by itself and its normalisation."""
    weight, bias = layer.weight, layer._parameters.get("bias")
    assert isinstance(weight, Tensor)
    norm = _norm_for(layer, momentum, eps).to(weight)
    norm.train(layer.training)
    learns = any(parameter.requires_grad for parameter in layer.parameters())
    norm.requires_grad_(learns)
    if bias is not None:
        with torch.no_grad():
            norm.bias.copy_(bias)
        layer.register_parameter("bias", None)
    pair = nn.Sequential(OrderedDict(layer=layer, batch_norm=norm))
    pair.training = layer.training
    replace_module(model, layer, pair)
    if optimizer is not None and learns:
        exchange_parameters(optimizer, bias, [norm.weight, norm.bias], beside=next(layer.parameters()))


def _norm_for(layer: nn.Module, momentum: float, eps: float) -> _BatchNorm:
    if isinstance(layer, nn.Linear):
        return nn.BatchNorm1d(layer.out_features, eps, momentum)
    assert isinstance(layer, nn.modules.conv._ConvNd)
    return _BY_DIMENSIONS[len(layer.kernel_size)](layer.out_channels, eps, momentum)
