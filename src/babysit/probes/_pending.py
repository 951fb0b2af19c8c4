"""Numbers on their way into a Trace: they stay on their device until there is time to wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor

from babysit.probes._numbers import as_float
from babysit.record import Event, Histogram, Row, TraceLayer

NotFinite = Callable[[int, float, str, str], None]  # step, loss, layer, sentence
BINS = 40


class Sink(Protocol):
    """Where what was measured goes: a TraceStore, or anything like one."""

    def add(self, items: Iterable[Row | Histogram | Event]) -> None:
        """Take these."""

    def describe(self, layers: Iterable[TraceLayer] = (), facts: Mapping[str, str] | None = None) -> None:
        """Layers and facts."""


class Pending:
    """Collects numbers and one-number tensors; `rows()` reads them all, one wait for each device.

    Example:
        >>> pending = Pending()
        >>> pending.add(0, "fc", "weight-norm", torch.tensor(2.0))
        >>> pending.add(0, "", "lr", 0.1)
        >>> [(row.layer, row.quantity, row.value) for row in pending.rows()]
        [('fc', 'weight-norm', 2.0), ('', 'lr', 0.1)]
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, str, str, float | Tensor]] = []
        self._counted: list[tuple[int, str, str, Tensor, Tensor, Tensor]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, step: int, layer: str, quantity: str, value: float | Tensor) -> None:
        """Keep a number; a tensor of one element is read later."""
        self._waiting.append((step, layer, quantity, value))

    def add_histogram(self, step: int, layer: str, quantity: str, values: Tensor) -> None:
        """Count a flat tensor's finite values between the smallest and the largest, without waiting for them."""
        values = as_float(values.detach()).reshape(-1)
        if not values.numel():
            return
        finite = torch.isfinite(values)
        # What is not finite takes a finite value's place in the range, and counts nothing.
        low = torch.where(finite, values, torch.full_like(values, torch.inf)).amin()
        high = torch.where(finite, values, torch.full_like(values, -torch.inf)).amax()
        width = (high / BINS - low / BINS).clamp_min(torch.finfo(values.dtype).tiny)
        place = torch.where(finite, (values - low) / width, torch.zeros_like(values)).clamp_(0, BINS - 1).long()
        # In a type of its own: the default one is the user's to choose.
        counts = torch.zeros(BINS, dtype=torch.float32, device=values.device).scatter_add_(0, place, finite.float())
        self._counted.append((step, layer, quantity, low, high, counts))

    def histograms(self) -> list[Histogram]:
        """Histograms collected since the last call; none of values of which no one was finite."""
        counted, self._counted = self._counted, []
        found = []
        for step, layer, quantity, low_tensor, high_tensor, counts in counted:
            low, high = low_tensor.item(), high_tensor.item()
            if low <= high:
                edges = tuple(low + (high - low) * number / BINS for number in range(BINS + 1))
                found.append(Histogram(step, "train", layer, quantity, edges, tuple(map(int, counts.tolist()))))
        return found

    def rows(self) -> list[Row]:
        """Everything collected since the last call, as rows of phase train."""
        waiting, self._waiting = self._waiting, []
        read = _read([value for *_, value in waiting if isinstance(value, Tensor)])
        return [
            Row(step, "train", layer, quantity, next(read) if isinstance(value, Tensor) else float(value))
            for step, layer, quantity, value in waiting
        ]


class Readout:
    """Hands over what was measured: numbers and histograms; layers and facts when there are new ones.

    Args:
        sink: Where it goes.
        pending: Numbers that wait on their devices.
        layers: By name; may grow.
        facts: What holds for the whole training; may grow.

    Attributes:
        flushed: When that was done last, by `time.perf_counter`.
    """

    def __init__(
        self, sink: Sink, pending: Pending, layers: Mapping[str, TraceLayer], facts: Mapping[str, str]
    ) -> None:
        self.flushed = 0.0
        self._sink = sink
        self._pending = pending
        self._layers = layers
        self._facts = facts
        self._told = (0, 0)  # layers and facts that the sink knows

    def add(self, events: Iterable[Event]) -> None:
        """Events, which wait for nothing."""
        self._sink.add(events)

    def flush(self) -> None:
        """Everything until now; waits for the device."""
        self.flushed = time.perf_counter()
        if len(self._pending):
            self._sink.add([*self._pending.rows(), *self._pending.histograms()])
        if (known := (len(self._layers), len(self._facts))) != self._told:
            self._told = known
            self._sink.describe(self._layers.values(), self._facts)


def _read(tensors: list[Tensor]) -> Iterator[float]:
    """Their numbers in order; those of one device and type travel together."""
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, tensor in enumerate(tensors):
        groups.setdefault((tensor.device, tensor.dtype), []).append(place)
    numbers = [0.0] * len(tensors)
    for places in groups.values():
        together = torch.stack([tensors[place].reshape(()) for place in places])
        for place, number in zip(places, together.tolist(), strict=True):
            numbers[place] = float(number)
    return iter(numbers)
