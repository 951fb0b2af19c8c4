"""Trace: what was measured during a stretch of training.

Rows (step, phase, layer, quantity, value), histograms and events, and what the network is made of. Values are as they
were measured: a NaN or an infinity stays one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

TRACE_SCHEMA = 2

# What stands in a row's `layer` for things that are not layers. "" is the whole network; "(inputs)[3]" is one feature.
INPUTS, OUTPUTS, TARGETS = "(inputs)", "(outputs)", "(targets)"

LayerKind = Literal[
    "linear",
    "conv",
    "recurrent",
    "attention",
    "embedding",
    "batch-norm",
    "norm",
    "activation",
    "dropout",
    "pooling",
    "function",
    "other",
]
WEIGHTED: frozenset[str] = frozenset({"linear", "conv", "recurrent", "attention"})  # kinds that deepen a network


class Row(NamedTuple):
    """One number: a quantity of a layer (empty: the whole network) at a step; phase is train, validation or test.

    A step is counted by the optimizer: step 0 is what was measured before weights changed for the first time.
    """

    step: int
    phase: str
    layer: str
    quantity: str
    value: float


class Histogram(NamedTuple):
    """Counts of a quantity's values between edges; `len(edges) == len(counts) + 1`."""

    step: int
    phase: str
    layer: str
    quantity: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Event(NamedTuple):
    """Something that happened: `kind` in a word, `text` for people, `layer` where it has one."""

    step: int
    kind: str
    text: str
    layer: str = ""


class TraceLayer(NamedTuple):
    """A layer as it was called, in the order of the first forward pass.

    A function called in a forward pass (`F.relu`) is a layer too, named for the module that calls it: `block.relu`.
    A layer called again in one pass is `fc#2`.

    Attributes:
        name: As rows call it.
        kind: What it is.
        activation: The activation's name (`relu`, `tanh`, ...), empty for another layer or an unknown activation.
        depth: Weighted layers passed by then, this one included.
        units: Outputs a row has: features of a linear layer, channels of a convolution.
        fan_in: Inputs one unit sees; 0 without weights.
        parameters: Numbers in it that can be learned.
        bias: Whether it has one.
    """

    name: str
    kind: LayerKind
    activation: str = ""
    depth: int = 0
    units: int = 0
    fan_in: int = 0
    parameters: int = 0
    bias: bool = False


class Series(NamedTuple):
    """One quantity over steps."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Trace:
    """What was measured during a stretch of training.

    Attributes:
        rows: Numbers.
        histograms: Counts.
        events: What happened.
        layers: What the network is made of, in the order of calls; empty where it was not recorded.
        facts: What holds for the whole training, by name: `loss`, `optimizer`, `batch-size`, ... (see `FACTS`).

    Example:
        >>> trace = Trace(rows=(Row(0, "train", "", "loss", 2.3), Row(1, "train", "", "loss", 1.9)))
        >>> trace.series("loss")
        Series(steps=(0, 1), values=(2.3, 1.9))
    """

    rows: tuple[Row, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    events: tuple[Event, ...] = ()
    layers: tuple[TraceLayer, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    schema: int = TRACE_SCHEMA

    def series(self, quantity: str, *, phase: str = "train", layer: str = "") -> Series:
        """One quantity over steps, in order of steps; empty when it was not measured."""
        return self._index.get((quantity, phase, layer), Series((), ()))

    def layers_with(self, quantity: str, *, phase: str = "train") -> tuple[str, ...]:
        """Names under which a quantity was measured: the network's layers in their order, then all others.

        Example:
            >>> rows = (Row(0, "train", "b", "weight-std", 0.1), Row(0, "train", "a", "weight-std", 0.2))
            >>> Trace(rows, layers=(TraceLayer("a", "linear"), TraceLayer("b", "linear"))).layers_with("weight-std")
            ('a', 'b')
        """
        found = [layer for name, where, layer in self._index if (name, where) == (quantity, phase)]
        order = {layer.name: place for place, layer in enumerate(self.layers)}
        return tuple(sorted(found, key=lambda name: order.get(name, len(order))))

    def layer(self, name: str) -> TraceLayer | None:
        """The layer of that name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def happened(self, kind: str) -> tuple[Event, ...]:
        """Events of a kind, in order."""
        return tuple(event for event in self.events if event.kind == kind)

    @functools.cached_property
    def _index(self) -> dict[tuple[str, str, str], Series]:
        found: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
        for row in self.rows:
            found.setdefault((row.quantity, row.phase, row.layer), []).append((row.step, row.value))
        return {
            key: Series(tuple(step for step, _ in points), tuple(value for _, value in points))
            for key, unsorted in found.items()
            for points in [sorted(unsorted, key=lambda point: point[0])]
        }
