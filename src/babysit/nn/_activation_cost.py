"""What an activation costs, measured here and now beside relu."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from babysit.nn._activation_facts import activation
from babysit.nn._maxout import MaxPieces
from babysit.record import InputError

# The first passes also pay for memory that the allocator then keeps; after three the times stand still.
WARM_UP = 3


@dataclass(frozen=True)
class ActivationCost:
    """Time of a forward and a backward pass, relu's beside it.

    Attributes:
        name: The activation.
        seconds: Median of the activation's own times.
        relu_seconds: Median of relu's.
        times_relu: Median of the ratios of neighbours in time.
        low: Lower quartile of those ratios.
        high: Upper quartile.
        elements: Outputs computed; maxout reads `pieces` times as many inputs.
        repeats: Ratios taken.
        device: Where.
    """

    name: str
    seconds: float
    relu_seconds: float
    times_relu: float
    low: float
    high: float
    elements: int
    repeats: int
    device: str


def measure_cost(
    name: str, elements: int = 2**20, repeats: int = 15, *, device: str | torch.device = "cpu", **options: float | str
) -> ActivationCost:
    """Time an activation forward and backward, in turns with relu.

    Args:
        name: One of `activation_names()`.
        elements: Outputs a pass, float32.
        repeats: Turns that count, at least 2; three more come before them for warming up.
        device: Where to measure.
        **options: The activation's own.

    Raises:
        InputError: No such activation or option, no elements, or fewer than two repeats.

    Example:
        >>> measure_cost("relu", elements=1000, repeats=3).elements
        1000
    """
    if elements < 1 or repeats < 2:
        raise InputError(
            f"a cost cannot be measured on {elements} elements in {repeats} repeats",
            legal="at least 1 element and 2 repeats",
        )
    place = torch.device(device)
    contender = _pass(activation(name, **options).to(place), elements, place)
    relu = _pass(nn.ReLU(), elements, place)
    for _ in range(WARM_UP):
        contender(), relu()
    turns = [(contender(), relu()) for _ in range(repeats)]
    low, middle, high = statistics.quantiles([own / relu for own, relu in turns], n=4, method="inclusive")
    return ActivationCost(
        name=name,
        seconds=statistics.median(own for own, _ in turns),
        relu_seconds=statistics.median(relu for _, relu in turns),
        times_relu=middle,
        low=low,
        high=high,
        elements=elements,
        repeats=repeats,
        device=str(place),
    )


def _pass(module: nn.Module, elements: int, device: torch.device) -> Callable[[], float]:
    """One forward and backward pass over normal numbers; calling it gives its seconds."""
    pieces = module.pieces if isinstance(module, MaxPieces) else 1
    # A generator of its own: measuring must not move the user's random numbers.
    numbers = torch.randn(elements * pieces, generator=torch.Generator().manual_seed(0)).to(device)
    inputs = numbers.view(1, -1).requires_grad_()
    gradient = torch.ones(1, elements, device=device)

    def run() -> float:
        inputs.grad = None
        _wait(device)
        start = time.perf_counter()
        with torch.enable_grad():
            module(inputs).backward(gradient)
        _wait(device)
        return time.perf_counter() - start

    return run


def _wait(device: torch.device) -> None:
    """Until a device that works on its own has finished."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
