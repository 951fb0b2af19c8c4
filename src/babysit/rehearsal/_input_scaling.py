"""Inputs brought to scale on their way into the network, for the length of a rehearsal."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor

from babysit.rehearsal._batches import tensors_of
from babysit.rehearsal._state import RehearsalState

BATCHES = 32  # that statistics are taken from
IMAGE = 4  # dimensions from which on the second one holds channels
TINY = 1e-8


def centre(state: RehearsalState) -> None:
    """Subtract each feature's mean over the first batches."""
    mean, _, _, _ = _statistics(state)
    _apply(state, mean, torch.ones_like(mean))


def standardise(state: RehearsalState) -> None:
    """Subtract the mean and divide by the standard deviation of each feature; what does not vary is only centred."""
    mean, std, _, _ = _statistics(state)
    _apply(state, mean, torch.where(std > TINY, std, 1.0))


def scale_to_range(state: RehearsalState) -> None:
    """From 0 to 1 over the first batches."""
    _, _, low, high = _statistics(state)
    _apply(state, low, torch.where(high - low > TINY, high - low, 1.0))


def _statistics(state: RehearsalState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, standard deviation, smallest and largest value of each feature: [1, C, 1, ...] or [1, ..., F]."""
    kept: list[Any] = list(islice(state.batches, BATCHES))
    rest = state.batches

    state.batches = chain(kept, rest)
    values = torch.cat([tensors_of(batch)[0].double() for batch in kept])
    axes = [axis for axis in range(values.ndim) if axis != (1 if values.ndim >= IMAGE else values.ndim - 1)]
    if values.ndim == 1:
        axes = [0]
    found = (
        values.mean(axes, keepdim=True),
        values.std(axes, correction=0, keepdim=True),
        values.amin(axes, keepdim=True),
        values.amax(axes, keepdim=True),
    )
    dtype = tensors_of(kept[0])[0].dtype
    mean, std, low, high = (one.to(dtype if dtype.is_floating_point else torch.float32) for one in found)
    return mean, std, low, high


def _apply(state: RehearsalState, shift: Tensor, scale: Tensor) -> None:
    """A hook before the forward pass, so that the network meets scaled inputs wherever they come from."""

    def before(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].is_floating_point():
            return None
        return ((arguments[0] - shift) / scale, *arguments[1:])

    # Before everybody else's hooks: those who measure inputs must see what the network sees.
    handle = state.network.register_forward_pre_hook(before, prepend=True)
    state.undo.callback(handle.remove)
