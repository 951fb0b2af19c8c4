"""A forward pass without side effects: modes, buffers, attributes and random numbers are as before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from babysit.record import InputError

Sample = Tensor | tuple[Any, ...] | list[Any] | Mapping[str, Any]


def run_sample(model: nn.Module, sample: Sample) -> Any:
    """What the model gives for a sample: a tensor, a tuple of arguments, or arguments by name.

    Raises:
        InputError: The model raises on it.
    """
    try:
        if isinstance(sample, Mapping):
            return model(**sample)
        if isinstance(sample, tuple | list):
            return model(*sample)
        return model(sample)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise InputError(
            f"the sample cannot be run through {type(model).__name__}",
            legal="a batch as the model takes it: a tensor, a tuple of arguments, or a dict of arguments by name; "
            "two rows or more where there is batch normalisation",
            cause=f"{type(error).__name__}: {error}",
        ) from error


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Inside, the model computes as in training but draws nothing: batch statistics, no dropout, no gradients.

    Afterwards its mode, buffers, attributes and the random numbers of every device it lies on are as before.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
        >>> with undisturbed(model):
        ...     model.training, torch.is_grad_enabled()
        (False, False)
        >>> model.training
        True
    """
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with (
        attributes_restored(model),
        torch.random.fork_rng(devices=sorted(device.index or 0 for device in devices)),
        _as_written(model),
    ):
        model.eval()
        for module in model.modules():
            if isinstance(module, _NormBase):
                module.train()
        try:
            with torch.no_grad():
                yield
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)


def _as_written(model: nn.Module) -> contextlib.AbstractContextManager[Any]:
    """A compiled model runs uncompiled: its hooks and steps are to be seen one by one."""
    # Known by name, because importing the compiler takes a second that others need not pay.
    if any(
        type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None
        for module in model.modules()
    ):
        stance: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return stance
    return contextlib.nullcontext()


@contextlib.contextmanager
def attributes_restored(model: nn.Module) -> Iterator[None]:
    """What a forward pass stores on its modules (a last hidden state, a cache, a mode) is gone afterwards."""
    before = [(module, dict(module.__dict__), dict(module._buffers)) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes, buffers in before:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            module._buffers.clear()
            module._buffers.update(buffers)
