"""What entered the loss function: outputs, targets, and the activation that the outputs come out of.

A step may call several loss functions, one for each output head. Measurements are then of all of them and the facts of
one, so nothing is judged by the outputs and targets of such a training.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from babysit.diseases._reading import observed
from babysit.record import OUTPUTS, TARGETS, WEIGHTED, Series, Trace, TraceLayer, output_limits

# What these functions read of a trace, for `Disease.reads` of the diseases that use them.
READS_AT_THE_LOSS = ("batch-rows", "not-finite-share", "rows-seen", "width")
READS_OUTPUT_ACTIVATION = (*READS_AT_THE_LOSS, "activation-max", "value-min", "value-max", "zero-share")


def of_outputs(trace: Trace, quantity: str) -> Series:
    """A quantity of the outputs in each batch; batches with outputs that are not finite are left out."""
    if _several_losses(trace):
        return Series((), ())
    broken = observed(trace, "not-finite-share", layer=OUTPUTS)
    spoiled = {step for step, share in zip(*broken, strict=True) if share > 0}
    steps, values = observed(trace, quantity, layer=OUTPUTS)
    kept = [(step, value) for step, value in zip(steps, values, strict=True) if step not in spoiled]
    return Series(tuple(step for step, _ in kept), tuple(value for _, value in kept))


def of_targets(trace: Trace, quantity: str) -> Series:
    """A quantity of the targets, over all rows seen by each step."""
    return Series((), ()) if _several_losses(trace) else observed(trace, quantity, layer=TARGETS)


def _several_losses(trace: Trace) -> bool:
    """Two rows for one step, or more rows seen in the first batch than it has."""
    twice = any(len(set(steps)) < len(steps) for steps in [trace.series("width", layer=OUTPUTS).steps])
    seen = observed(trace, "rows-seen", layer=TARGETS).values[:1]
    return twice or seen > observed(trace, "batch-rows", layer=TARGETS).values[:1] > ()


def output_width(trace: Trace) -> int:
    """Outputs of one row; 0 where that was not measured."""
    widths = of_outputs(trace, "width").values
    return int(widths[-1]) if widths else 0


def output_range(trace: Trace) -> tuple[float, float] | None:
    """The smallest and the largest output of all batches."""
    low, high = of_outputs(trace, "value-min").values, of_outputs(trace, "value-max").values
    return (min(low), max(high)) if low and high else None


def target_range(trace: Trace) -> tuple[float, float] | None:
    """The smallest and the largest target, class numbers too."""
    low = of_targets(trace, "value-min").values + of_targets(trace, "label-min").values
    high = of_targets(trace, "value-max").values + of_targets(trace, "label-max").values
    return (min(low), max(high)) if low and high else None


def target_value(trace: Trace, quantity: str) -> float | None:
    """What a quantity of the targets came to over all rows seen."""
    values = of_targets(trace, quantity).values
    return values[-1] if values else None


def whole_numbers(trace: Trace) -> bool:
    """Whether every target is a whole number, or was given as one."""
    shares = of_targets(trace, "integer-share").values
    if shares:
        return all(share == 1 for share in shares)
    return bool(of_targets(trace, "label-max").values)


_ALSO_CALLED = {"logsoftmax": "log-softmax", "log-sigmoid": "logsigmoid", "expit": "sigmoid", "swish": "silu"}
ROUNDING = 1e-3  # outputs may pass a limit by so much: half precision has 11 bits
SAME_SIZE = 0.05  # a layer's largest value is taken from a part of a large batch, so it may fall short by so much
EQUAL, DIFFERENT = 1e-4, 1e-2  # of what is computed again in float32, and of what surely is something else
LEAST_STEPS = 3  # at which what is computed again has to agree
LEAST_ZEROS = 0.01  # of the outputs: a linear layer gives exact zeros never


class OutputActivation(NamedTuple):
    """What the outputs come out of; `layer` is "outputs" when no layer of the network does it."""

    layer: str
    name: str
    low: float
    high: float

    @property
    def range(self) -> str:
        """In words, for evidence."""
        if math.isinf(self.high):
            return f"{self.low:.3g} and above"
        return f"{self.high:g} and below" if math.isinf(self.low) else f"{self.low:g} to {self.high:g}"

    @property
    def probability(self) -> bool:
        """Whether it makes numbers from 0 to 1 of any: a sigmoid, a hard sigmoid, a softmax."""
        return (self.low, self.high) == (0, 1)


def activation_name(layer: TraceLayer) -> str:
    """The name of the activation; for a function that is not known as one, the name of the function.

    Example:
        >>> activation_name(TraceLayer("net.log_softmax#2", "function"))
        'log-softmax'
    """
    if layer.kind not in ("activation", "function"):
        return ""
    name = layer.activation or layer.name.rpartition(".")[2].partition("#")[0]
    name = name.lower().strip("_").replace("_", "-")
    return _ALSO_CALLED.get(name, name)


def last_layer(trace: Trace) -> TraceLayer | None:
    """The layer called last; dropout does not count."""
    return next((layer for layer in reversed(trace.layers) if layer.kind != "dropout"), None)


def output_activation(trace: Trace) -> OutputActivation | None:
    """The last layer called, when it is an activation with limits and the outputs look as if nothing came after it.

    Scaled outputs, such as 10 tanh(x), have other limits, and a gate called last is not an output: both show in outputs
    that pass the limits or are of another size than what the activation gave. Where the last layer has weights, its
    outputs may have gone through an activation outside the network.
    """
    last, seen = last_layer(trace), output_range(trace)
    if last is None or seen is None:
        return None
    name = activation_name(last)
    limits = output_limits(name)
    if limits is None:
        return _outside(trace, last) if last.kind in WEIGHTED else None
    low, high = limits
    if seen[0] < low - ROUNDING or seen[1] > high + ROUNDING or not _same_size(trace, last.name):
        return None
    return OutputActivation(last.name, name, low, high)


def _by_step(trace: Trace, layer: str) -> list[tuple[float, float, float]]:
    """Batches in which both were measured: the layer's largest size, the smallest and the largest output."""
    sizes = dict(zip(*observed(trace, "activation-max", layer=layer), strict=True))
    low = dict(zip(*of_outputs(trace, "value-min"), strict=True))
    high = dict(zip(*of_outputs(trace, "value-max"), strict=True))
    return [(sizes[step], low[step], high[step]) for step in sorted(sizes.keys() & low.keys() & high.keys())]


def _same_size(trace: Trace, layer: str) -> bool:
    """Whether the activation's largest output and the network's agree in the first batch measured."""
    return all(
        abs(size - max(abs(low), abs(high))) <= SAME_SIZE * max(size, abs(low), abs(high))
        for size, low, high in _by_step(trace, layer)[:1]
    )


def _outside(trace: Trace, last: TraceLayer) -> OutputActivation | None:
    """An activation after the network: its values are computed again from the size of what the last layer gave."""
    batches = _by_step(trace, last.name)
    again: dict[str, Callable[[float], float]] = {"sigmoid": _sigmoid, "tanh": math.tanh}
    for name, function in again.items():
        # Where both are nearly alike, as tanh(x) and x are when small, nothing is claimed.
        changed = any(abs(max(abs(low), abs(high)) - size) > DIFFERENT for size, low, high in batches)
        if len(batches) >= LEAST_STEPS and changed and all(_made_by(function, *batch) for batch in batches):
            return _outputs_of(name)
    zeros = of_outputs(trace, "zero-share").values
    if len(zeros) >= LEAST_STEPS and min(zeros) >= LEAST_ZEROS and all(low == 0 for _, low, _ in batches):
        return _outputs_of("relu")
    return None


def _outputs_of(name: str) -> OutputActivation | None:
    limits = output_limits(name)
    return None if limits is None else OutputActivation("outputs", name, *limits)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-min(max(value, -500.0), 500.0)))


def _made_by(function: Callable[[float], float], size: float, low: float, high: float) -> bool:
    """Whether one end of the outputs is the function of the layer's largest size."""
    return abs(high - function(size)) <= EQUAL or abs(low - function(-size)) <= EQUAL
