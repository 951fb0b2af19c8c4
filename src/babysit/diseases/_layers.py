"""Layers as a trace names them: those with weights, and what the network does with its inputs first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from babysit.diseases._reading import latest
from babysit.record import INPUTS, WEIGHTED, Event, Trace, TraceLayer


def weighted_layers(trace: Trace) -> tuple[TraceLayer, ...]:
    """Layers that deepen the network, each once however often it is called."""
    return tuple(layer for layer in trace.layers if layer.kind in WEIGHTED and "#" not in layer.name)


def with_weights_among(trace: Trace, events: Sequence[Event]) -> tuple[TraceLayer, ...]:
    """The weighted layers whose main weights events are about: a bias alone does not count.

    Example:
        >>> trace = Trace(layers=(TraceLayer("fc1", "linear"), TraceLayer("fc2", "linear")))
        >>> [layer.name for layer in with_weights_among(trace, (Event(0, "", "", "fc1.bias"), Event(0, "", "", "fc2")))]
        ['fc2']
    """
    names = {event.layer for event in events}
    return tuple(layer for layer in weighted_layers(trace) if any(_is_main(name, layer.name) for name in names))


def _is_main(parameter: str, layer: str) -> bool:
    """`fc1`, `fc1.weight` and `rnn.weight_hh_l0`; the root of the network is a layer without a name."""
    if parameter == layer:
        return True
    prefix = f"{layer}." if layer else ""
    inside = parameter.removeprefix(prefix)
    return parameter.startswith(prefix) and "." not in inside and "weight" in inside


def named(events: Sequence[Event]) -> str:
    """Their layers in a line, each once, a handful of them.

    Example:
        >>> named([Event(0, "", "", name) for name in ("a", "b", "a")])
        'a, b'
    """
    names = list(dict.fromkeys(event.layer for event in events if event.layer))
    return _in_a_line(names)


def names_of(layers: Sequence[TraceLayer]) -> str:
    """Their names in a line, a handful of them."""
    return _in_a_line([layer.name for layer in layers])


def _in_a_line(names: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


# A first layer whose outputs have a tenth of the spread that its inputs would give it was fed something smaller: a
# network may divide by 255 in its forward pass, or begin with a layer that was not measured.
SCALED_BEFORE = 0.1


def first_weighted(trace: Trace) -> TraceLayer | None:
    """The first layer with weights."""
    return next((layer for layer in trace.layers if layer.kind in WEIGHTED), None)


def first_outputs(trace: Trace) -> float | None:
    """Standard deviation of the first weighted layer's outputs before any step; None where it was not measured."""
    first = first_weighted(trace)
    steps, values = trace.series("activation-std", layer=first.name) if first is not None else ((), ())
    return values[0] if steps and steps[0] == 0 and math.isfinite(values[0]) else None


def takes_care_of_scale(trace: Trace) -> bool:
    """Whether the scale of the inputs does not matter to this network.

    True where it begins with an embedding (inputs are class numbers) or with a normalisation, where a normalisation
    follows a first convolution at once, and where that layer's outputs at the start are far smaller than these
    inputs could have made them.
    """
    before = []
    for layer in trace.layers:
        if layer.kind in WEIGHTED:
            break
        before.append(layer.kind)
    at_once = trace.layers[len(before) : len(before) + 2]
    return (
        any(kind in ("embedding", "batch-norm", "norm") for kind in before)
        or (len(at_once) == 2 and _divided_out(*at_once))
        or _scaled_before(trace)
    )


def _divided_out(first: TraceLayer, following: TraceLayer) -> bool:
    """Whether a normalisation divides by whatever scale the inputs of a first convolution have.

    Batch normalisation takes a bias away, too; others keep it, so that inputs that are small are lost beside it. Behind
    a linear layer neither helps, as features of one row may be of different sizes.
    """
    return first.kind == "conv" and (following.kind == "batch-norm" or (following.kind == "norm" and not first.bias))


def _scaled_before(trace: Trace) -> bool:
    first = first_weighted(trace)
    mean = latest(trace, "value-mean", layer=INPUTS)
    spread = latest(trace, "value-std", layer=INPUTS)
    if first is None or not first.fan_in or first.kind not in ("linear", "conv") or mean is None or spread is None:
        return False
    measured = trace.series("activation-std", layer=first.name).values[:1]
    weights = trace.series("weight-std", layer=first.name).values[:1]
    # Random weights of standard deviation s over n inputs of root mean square r give outputs of about s sqrt(n) r.
    expected = [std * math.sqrt(first.fan_in) * math.hypot(mean, spread) for std in weights]
    return any(found < SCALED_BEFORE * wanted for found, wanted in zip(measured, expected, strict=False))
