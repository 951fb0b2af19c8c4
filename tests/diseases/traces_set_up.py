"""Traces of invented networks: sound ones, what is changed in them, and the lecture's experiments computed plainly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from babysit.record import INPUTS, OUTPUTS, TARGETS, Row, Trace, TraceLayer

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
STEPS = (*range(10), 50, 100, 150)  # the first ones, then now and then
LAST = 199
CLASSES = {
    "loss": "cross-entropy", "loss-reduction": "mean", "target-kind": "classes", "classes": "10",
    "network-mode": "train", "output-shape": "64x10", "optimizer": "sgd", "weight-decay": "0.0",
    "parameters": "27000", "rows": "1400",
}  # fmt: skip
WINDOWS = [64.0 * (number + 1) for number in range(len(STEPS))]


def falling(start: float, end: float, count: int = LAST + 1) -> list[float]:
    """Losses that fall by the same factor from step to step."""
    return list(np.geomspace(start, end, count))


def rows(
    quantity: str, values: Sequence[float], layer: str = "", *, steps: Sequence[int] = (), phase: str = "train"
) -> tuple[Row, ...]:
    at = steps or (STEPS if len(values) == len(STEPS) else range(len(values)))
    return tuple(Row(step, phase, layer, quantity, value) for step, value in zip(at, values, strict=True))


def replace(
    trace: Trace, quantity: str, values: Sequence[float] | float, layer: str = "", *, phase: str = "train",
    steps: Sequence[int] = (),
) -> Trace:  # fmt: skip
    """The trace with another series in a series' place; one number stands at all steps."""
    numbers = [float(values)] * len(steps or STEPS) if isinstance(values, float | int) else list(values)
    kept = tuple(row for row in trace.rows if (row.quantity, row.layer, row.phase) != (quantity, layer, phase))
    return dataclasses.replace(trace, rows=kept + rows(quantity, numbers, layer, steps=steps, phase=phase))


def in_all(trace: Trace, quantity: str, value: Callable[[int], float], prefix: str = "fc") -> Trace:
    """The trace with a quantity of each layer of a name, by the layer's number from 1."""
    for layer in trace.layers:
        if layer.name.startswith(prefix):
            trace = replace(trace, quantity, value(int(layer.name[len(prefix) :])), layer.name)
    return trace


def with_facts(trace: Trace, **facts: str) -> Trace:
    return dataclasses.replace(trace, facts={**trace.facts, **{name.replace("_", "-"): facts[name] for name in facts}})


def without(trace: Trace, quantity: str) -> Trace:
    return dataclasses.replace(trace, rows=tuple(row for row in trace.rows if row.quantity != quantity))


def until(trace: Trace, step: int) -> Trace:
    """What was known when that step was over."""
    return dataclasses.replace(trace, rows=tuple(row for row in trace.rows if row.step <= step))


def network(
    hidden: int, activation: str = "relu", *, units: int = 100, norm: bool = False, dropout: bool = False
) -> tuple[TraceLayer, ...]:
    """fc1, norm1, act1, dropout1, fc2, ... and the layer that makes ten outputs."""
    layers: list[TraceLayer] = []
    for number in range(1, hidden + 1):
        layers.append(TraceLayer(f"fc{number}", "linear", "", number, units, units, units * units, True))
        if norm:
            layers.append(TraceLayer(f"norm{number}", "batch-norm", "", number, units))
        layers.append(TraceLayer(f"act{number}", "activation", activation, number, units))
        if dropout:
            layers.append(TraceLayer(f"dropout{number}", "dropout", "", number, units))
    return (*layers, TraceLayer(f"fc{hidden + 1}", "linear", "", hidden + 1, 10, units, units * 10, True))


def sound(
    hidden: int = 3, activation: str = "relu", *, units: int = 100, norm: bool = False, dropout: bool = False
) -> Trace:
    """A training that goes well, with every series that a rule of the set-up reads."""
    made: list[Row] = []
    for layer in network(hidden, activation, units=units, norm=norm, dropout=dropout):
        numbers: dict[str, float | Sequence[float]] = {}
        if layer.kind == "linear":
            numbers = {
                "activation-std": 0.8, "row-spread": 0.9, "activation-gradient-std": 1e-3, "gradient-norm": 0.1,
                "gradient-std": 1e-3, "weight-std": 0.1, "weight-norm": 5.0, "update-ratio": 1e-3,
                "identical-units-share": 0.0,
            }  # fmt: skip
        elif layer.kind == "activation":
            flat = {} if activation == "relu" else {"activation-flat-share": 0.0, "saturated-unit-share": 0.0}
            numbers = {
                "activation-std": 0.6, "never-active-share": 0.0, "window-rows": WINDOWS, **flat,
                "activation-zero-share": 0.5 if activation == "relu" else 0.0,
            }  # fmt: skip
        elif layer.kind == "batch-norm":
            numbers = {"activation-std": 1.0}
        elif layer.kind == "dropout":
            numbers = {"activation-zero-share": 0.75}
        for quantity, value in numbers.items():
            made += rows(quantity, [value] * len(STEPS) if isinstance(value, float) else value, layer.name)
    for quantity, value, name in (
        ("batch-rows", 64.0, INPUTS), ("width", 10.0, OUTPUTS), ("value-std", 0.3, OUTPUTS),
        ("value-min", -1.0, OUTPUTS), ("value-max", 1.0, OUTPUTS), ("label-entropy", math.log(10), TARGETS),
        ("label-top-share", 0.1, TARGETS),
    ):  # fmt: skip
        made += rows(quantity, [value] * len(STEPS), name)
    losses = falling(2.31, 0.1)
    made += rows("loss", losses)
    made += rows("criterion", [losses[step] for step in STEPS])
    ends = range(19, LAST + 1, 20)
    made += rows("data-loss", [losses[step] for step in ends], steps=ends)
    made += rows("data-loss", [1.05 * losses[step] + 0.02 for step in ends], steps=ends, phase="validation")
    layers = network(hidden, activation, units=units, norm=norm, dropout=dropout)
    return Trace(tuple(made), layers=layers, facts=CLASSES)


def at_chance(trace: Trace, level: float = 2.303) -> Trace:
    """The same, but nothing is learned."""
    ends = range(19, LAST + 1, 20)
    trace = replace(trace, "loss", [level] * (LAST + 1), steps=range(LAST + 1))
    trace = replace(trace, "criterion", level)
    trace = replace(trace, "data-loss", level, steps=ends)
    return replace(trace, "data-loss", level, steps=ends, phase="validation")


def by_table(activation: str, table: Mapping[int, float]) -> Trace:
    """Ten layers at step 0 with a table's std of activations; between its rows the logarithm follows a line."""
    depths = sorted(table)
    between = np.interp(range(1, 11), depths, [math.log(table[depth]) for depth in depths])
    made = [Row(0, "train", f"act{number}", "activation-std", math.exp(std)) for number, std in enumerate(between, 1)]
    made.append(Row(0, "train", INPUTS, "batch-rows", 1000.0))
    return Trace(tuple(made), layers=network(10, activation, units=500), facts=CLASSES)


def simulated(
    activation: str, draw: Callable[[np.random.Generator, int], tuple[Numbers, Numbers]], *, seed: int = 0,
    width: int = 500, rows_in: int = 1000, depth: int = 10,
) -> Trace:  # fmt: skip
    """The lecture's experiment: inputs from N(0, 1) through ten layers, with every quantity by its definition.

    Args:
        activation: `relu` or `tanh`.
        draw: Weights [width, width] and biases [width] of a layer.
        seed: Of inputs and weights.
        width: Units of every layer.
        rows_in: Rows.
        depth: Hidden layers.
    """
    random = np.random.default_rng(seed)
    made = [Row(0, "train", INPUTS, "batch-rows", float(rows_in))]
    signal = random.standard_normal((rows_in, width))
    for number in range(1, depth + 1):
        weights, biases = draw(random, width)
        raw = signal @ weights + biases
        signal = np.maximum(raw, 0) if activation == "relu" else np.tanh(raw)
        within = math.sqrt(raw.var(0).mean())
        made.append(Row(0, "train", f"fc{number}", "activation-std", float(raw.std())))
        made.append(Row(0, "train", f"fc{number}", "row-spread", within / float(raw.std())))
        made.append(Row(0, "train", f"act{number}", "activation-std", float(signal.std())))
        made.append(Row(0, "train", f"act{number}", "never-active-share", float((signal == 0).all(0).mean())))
        made.append(Row(0, "train", f"act{number}", "window-rows", float(rows_in)))
        if activation == "tanh":
            flat = float((1 - signal**2 < 0.01).mean())
            made.append(Row(0, "train", f"act{number}", "activation-flat-share", flat))
    return Trace(tuple(made), layers=network(depth, activation, units=width), facts=CLASSES)
