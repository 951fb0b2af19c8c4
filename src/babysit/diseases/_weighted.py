"""Layers with weights, as parameters' names tell of them."""

from __future__ import annotations

from collections.abc import Sequence

from babysit.record import WEIGHTED, Event, Trace, TraceLayer


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
