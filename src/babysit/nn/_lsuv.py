"""LSUV: layer by layer, in the order data runs, scaled until the sample has unit variance there.

Source: Mishkin and Matas 2016, All you need is a good init, arXiv:1511.06422: tolerance 0.1, at most ten rounds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from babysit.nn._initialisation_report import LayerInitialisation
from babysit.nn._layers import kind_of
from babysit.nn._sample import Sample, run_sample, undisturbed

TOLERANCE = 0.1
ROUNDS = 10


def scale_to_unit_variance(
    model: nn.Module, sample: Sample, layers: list[LayerInitialisation]
) -> list[LayerInitialisation]:
    """Scale dense and convolutional weights in place; the layers as they then are."""
    drawn = {layer.name: position for position, layer in enumerate(layers)}
    scaled = list(layers)
    with undisturbed(model):
        for name, module in _in_running_order(model, sample):
            full = f"{name}.weight" if name else "weight"
            if full not in drawn:
                continue
            factor, std = _scale(model, module, sample)
            before = scaled[drawn[full]]
            scaled[drawn[full]] = dataclasses.replace(
                before,
                gain=None if before.gain is None else before.gain * factor,
                std=before.std * factor,
                why=f"scaled by {factor:.3g} to std {std:.3g} on the sample"
                if math.isfinite(std) and std > 0
                else f"not scaled: the sample's std there is {std}",
            )
    return scaled


def _scale(model: nn.Module, module: nn.Module, sample: Sample) -> tuple[float, float]:
    """Factor applied to the weight, and the std reached."""
    factor = 1.0
    std = _output_std(model, module, sample)
    for _ in range(ROUNDS):
        if not math.isfinite(std) or std == 0 or abs(std * std - 1) < TOLERANCE * 0.1:
            break
        _multiply(module, 1 / std)
        factor /= std
        before, std = std, _output_std(model, module, sample)
        if abs(std / before - 1) < 1e-3:  # a parametrisation such as spectral norm holds the size: give it back
            _multiply(module, before)
            factor *= before
            break
    return factor, std


def _multiply(module: nn.Module, factor: float) -> None:
    """Scale a layer's weight; a parametrised weight is computed and not stored, so it is assigned."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    if isinstance(module._parameters.get("weight"), nn.Parameter):
        weight.mul_(factor)
    else:
        module.weight = weight * factor


class _SeenError(Exception):
    """The layer's output has been seen: the rest of the forward pass is not needed."""


def _output_std(model: nn.Module, module: nn.Module, sample: Sample) -> float:
    found: list[float] = []

    def look(module: nn.Module, arguments: Any, output: Tensor) -> None:
        found.append(output.double().std(correction=0).item())
        raise _SeenError

    handle = module.register_forward_hook(look)
    try:
        run_sample(model, sample)
    except _SeenError:
        pass
    finally:
        handle.remove()
    return found[0]


def _in_running_order(model: nn.Module, sample: Sample) -> list[tuple[str, nn.Module]]:
    """Dense and convolutional layers in the order in which the sample first reaches them."""
    order: dict[str, nn.Module] = {}

    def reached(name: str) -> Callable[[nn.Module, Any], None]:
        def note(module: nn.Module, arguments: Any) -> None:
            order.setdefault(name, module)

        return note

    handles = [
        module.register_forward_pre_hook(reached(name))
        for name, module in model.named_modules()
        if kind_of(module) in ("dense", "convolution", "transposed", "bilinear")
    ]
    try:
        with torch.no_grad():
            run_sample(model, sample)
    finally:
        for handle in handles:
            handle.remove()
    return list(order.items())
