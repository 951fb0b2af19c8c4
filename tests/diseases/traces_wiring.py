"""Small Traces for the wiring diseases: what a probe would have measured, written down by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from babysit.diseases import DISEASES
from babysit.record import OUTPUTS, TARGETS, Event, Finding, LayerKind, Row, Trace, TraceLayer

Values = float | Sequence[float]


def series(quantity: str, values: Values, *, layer: str = "", steps: Sequence[int] | None = None) -> tuple[Row, ...]:
    """Rows of one quantity; a single number is the value of the first five steps."""
    several = [float(values)] * 5 if isinstance(values, int | float) else [float(value) for value in values]
    return tuple(
        Row(step, "train", layer, quantity, value)
        for step, value in zip(range(len(several)) if steps is None else steps, several, strict=True)
    )


def of(layer: str, **quantities: Values) -> tuple[Row, ...]:
    """Rows of a layer: quantities with _ for -."""
    return tuple(
        row for name, values in quantities.items() for row in series(name.replace("_", "-"), values, layer=layer)
    )


def outputs(**quantities: Values) -> tuple[Row, ...]:
    return of(OUTPUTS, **quantities)


def targets(**quantities: Values) -> tuple[Row, ...]:
    return of(TARGETS, **quantities)


def linear(name: str, fan_in: int, units: int, depth: int = 0) -> TraceLayer:
    return TraceLayer(name, "linear", "", depth, units, fan_in, (fan_in + 1) * units, True)


def conv(name: str, channels: int, units: int, kernel: int = 3, groups: int = 1) -> TraceLayer:
    fan_in = channels // groups * kernel**2
    return TraceLayer(name, "conv", "", 0, units, fan_in, (fan_in + 1) * units, True)


def activation(name: str, called: str | None = None) -> TraceLayer:
    return TraceLayer(called or name, "activation", name)


def plain(name: str, kind: LayerKind) -> TraceLayer:
    return TraceLayer(name, kind)


def trace(
    *parts: tuple[Row, ...],
    layers: Sequence[TraceLayer] = (),
    events: Sequence[Event] = (),
    facts: Mapping[str, str] | None = None,
    loss: str = "",
) -> Trace:
    """A Trace of rows, with the loss function among its facts."""
    known = {**(facts or {}), **({"loss": loss} if loss else {})}
    return Trace(tuple(row for part in parts for row in part), events=tuple(events), layers=tuple(layers), facts=known)


def event(kind: str, *layers: str) -> tuple[Event, ...]:
    return tuple(Event(0, kind, f"{layer}: {kind}", layer) for layer in layers)


def findings(name: str, given: Trace) -> list[Finding]:
    return DISEASES[name].find(given)


def severity(name: str, given: Trace) -> Literal["", "note", "warning", "sick"]:
    """Of the worst finding of a disease; empty when there is none."""
    found = {finding.severity for finding in findings(name, given)}
    order: tuple[Literal["sick", "warning", "note"], ...] = ("sick", "warning", "note")
    return next((level for level in order if level in found), "")


MLP = (linear("0", 20, 32), activation("relu", "1"), linear("2", 32, 10))


def mlp(last: str) -> tuple[TraceLayer, ...]:
    """A network with an activation on its outputs."""
    return (linear("fc1", 20, 32), activation("relu"), linear("fc2", 32, 10), activation(last))


def probabilities(**more: float | Sequence[float]) -> tuple[Row, ...]:
    return outputs(width=10, row_sum_one_share=1.0, value_min=0.0, value_max=0.9, **more)


def numbers(low: float, high: float, mean: float, std: float) -> tuple[Row, ...]:
    return targets(value_min=low, value_max=high, value_mean=mean, value_std=std, integer_share=0.0)


def rates(factor: float, steps: int, first: float = 0.1) -> tuple[Row, ...]:
    """A learning rate that shrinks by one factor each step."""
    return series("lr", [first * factor**step for step in range(steps)])
