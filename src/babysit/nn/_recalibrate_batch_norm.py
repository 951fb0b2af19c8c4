"""Running statistics of batch normalisation, measured again exactly over a stream of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.data import Moments, moments_of
from babysit.nn._sample import run_sample, undisturbed
from babysit.record import InputError


class _Channels:
    """Moments of each channel over all batches, in float64."""

    def __init__(self) -> None:
        self.batches = 0
        self.moments: Moments[Tensor] | None = None

    def add(self, inputs: Tensor) -> None:
        """Inputs [N, C, ...] of one batch."""
        found = moments_of(inputs.detach().movedim(1, -1).reshape(-1, inputs.shape[1]).double())
        self.moments = found if self.moments is None else self.moments.joined(found)
        self.batches += 1


def recalibrate_batch_norm(model: nn.Module, batches: Iterable[Any]) -> tuple[str, ...]:
    """Set the running mean and variance of every batch normalisation to those of a stream of batches.

    The average is exact: each row counts the same, the variance includes what lies between batches, and the moments
    of earlier training are forgotten. In training the statistics lag behind the weights and lean to the last batches;
    after a change of weights (averaging, insertion, a large step) they belong to another network. While measuring,
    each layer normalises by the batch's own statistics, as in training, and dropout is off, as in evaluation.

    Source: Wu and Johnson 2021, Rethinking "Batch" in BatchNorm, arXiv:2105.07576, section 3 (PreciseBN).

    Args:
        model: Its mode, its other buffers and the random numbers stay as they are.
        batches: Tensors, (inputs, targets) pairs of which the inputs are used, or dicts of arguments by name. Batches
            are moved to the model's device.

    Returns:
        Names of the layers that were set; running statistics of layers the batches never reached are kept.

    Raises:
        InputError: There was no batch, or the model raises on one. The running statistics are then as before.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm1d(1))
        >>> recalibrate_batch_norm(model, [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [4.0]])])
        ('0',)
        >>> model[0].running_mean.item(), round(model[0].running_var.item(), 4)
        (2.5, 1.6667)
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }
    if not layers:
        return ()
    channels = {name: _Channels() for name in layers}
    device = next(iter(layers.values())).running_mean.device  # type: ignore[union-attr]
    seen = 0
    with undisturbed(model):
        handles = [module.register_forward_pre_hook(_look(channels[name])) for name, module in layers.items()]
        try:
            for batch in batches:
                run_sample(model, _inputs(batch, device))
                seen += 1
        finally:
            for handle in handles:
                handle.remove()
    if seen == 0:
        raise InputError(
            "there was no batch to recalibrate on", cause="an empty stream, or an iterator that was used up before"
        )
    reached = tuple(name for name in layers if channels[name].moments is not None)
    with torch.no_grad():
        for name in reached:
            _store(layers[name], channels[name])
    return reached


def _store(layer: _BatchNorm, channels: _Channels) -> None:
    moments = channels.moments
    assert moments is not None
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.copy_(moments.mean)
    # Unbiased, as PyTorch keeps it.
    layer.running_var.copy_(moments.squares / (moments.count - 1).clamp_min(1))
    if layer.num_batches_tracked is not None:
        layer.num_batches_tracked.fill_(channels.batches)


def _look(channels: _Channels) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def look(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        channels.add(arguments[0])

    return look


def _inputs(batch: Any, device: torch.device) -> Any:
    """What the model takes of a batch, where the model is."""
    if isinstance(batch, Mapping):
        return {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    inputs = batch[0] if isinstance(batch, list | tuple) and batch else batch
    if not isinstance(inputs, Tensor):
        raise InputError(
            f"a batch is a {type(batch).__name__} that holds no tensor first",
            legal="a tensor, (inputs, targets), or a dict of arguments by name",
        )
    return inputs.to(device)
