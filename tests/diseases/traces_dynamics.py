"""Traces of trainings that never were: curves of known shape, with the noise that batches give."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from babysit.record import INPUTS, TARGETS, Event, Row, Trace, TraceLayer

LAYERS = (
    TraceLayer("fc1", "linear", depth=1, units=50, fan_in=3072, bias=True),
    TraceLayer("relu", "activation", activation="relu", depth=1),
    TraceLayer("fc2", "linear", depth=2, units=10, fan_in=50, bias=True),
)
MEASURED = 60  # steps that a trace of any length holds ratios of, dense at first
LN_TEN = math.log(10)
Ratios = Mapping[str, float | Callable[[int], float]]  # by layer; perhaps of the step


def series(quantity: str, values: Sequence[float], *, layer: str = "", phase: str = "train") -> list[Row]:
    """A value a step."""
    return [Row(step, phase, layer, quantity, value) for step, value in enumerate(values)]


def measured_steps(steps: int) -> list[int]:
    """The first ten, then evenly spaced ones."""
    return sorted({*range(min(steps, 10)), *(round(place * (steps - 1) / MEASURED) for place in range(MEASURED + 1))})


def training(
    losses: Sequence[float],
    *,
    lr: float | Sequence[float] = 0.01,
    ratios: float | Ratios | None = 1e-3,
    loss: str = "cross-entropy",
    optimizer: str = "sgd",
    classes: int = 10,
    facts: Mapping[str, str] | None = None,
    rows: Iterable[Row] = (),
    events: Iterable[Event] = (),
) -> Trace:
    """A trace of these losses; `ratios` are update ratios, of both layers or by layer, perhaps of the step."""
    count = len(losses)
    rates = [lr] * count if isinstance(lr, int | float) else list(lr)
    found = [*series("loss", losses), *series("lr", rates), *rows]
    by_layer = {"fc1": ratios, "fc2": ratios} if isinstance(ratios, int | float) else (ratios or {})
    for layer, ratio in by_layer.items():
        values = ((step, ratio(step) if callable(ratio) else ratio) for step in measured_steps(count))
        found += [Row(step, "train", layer, "update-ratio", value) for step, value in values]
    if loss in ("cross-entropy", "nll"):
        found += [
            Row(0, "train", TARGETS, "label-entropy", math.log(classes)),
            Row(0, "train", TARGETS, "label-top-share", 1 / classes),
            Row(0, "train", TARGETS, "classes-seen", classes),
        ]
    elif loss == "mse":
        found.append(Row(0, "train", TARGETS, "value-std", 1.0))
    found.append(Row(0, "train", INPUTS, "batch-rows", 64))
    all_facts = {"loss": loss, "loss-reduction": "mean", "optimizer": optimizer, "batch-size": "64", **(facts or {})}
    return Trace(tuple(found), events=tuple(events), layers=LAYERS, facts=all_facts)


def noisy(shape: Callable[[float], float], steps: int, *, noise: float = 0.05, seed: int = 0) -> list[float]:
    """A curve over 0..1, times what batches add: a factor with that standard deviation."""
    draw = random.Random(seed)
    return [shape(step / max(1, steps - 1)) * math.exp(draw.gauss(0, noise)) for step in range(steps)]


def epochs(
    train: Sequence[float], validation: Sequence[float], *, steps: int = 100, name: str = "data-loss"
) -> list[Row]:
    """Numbers at the ends of epochs of so many steps."""
    found = []
    for phase, values in (("train", train), ("validation", validation)):
        found += [Row((epoch + 1) * steps - 1, phase, "", name, value) for epoch, value in enumerate(values)]
    return found


def one_cycle(steps: int, peak: float = 0.1) -> list[float]:
    """Up for three tenths, then down to nearly nothing."""
    up = max(1, round(0.3 * steps))
    return [
        peak * (0.04 + 0.96 * step / up) if step < up else peak * max(1e-4, (steps - step) / (steps - up))
        for step in range(steps)
    ]


def cyclic(steps: int, cycles: int = 8, low: float = 0.001, high: float = 0.1) -> list[float]:
    """Triangles."""
    return [low + (high - low) * (1 - abs(2 * ((cycles * step / steps) % 1) - 1)) for step in range(steps)]


# Shapes that sound trainings have: what the loss of ten classes does between the start, 0, and the end, 1.
SHAPES: dict[str, Callable[[float], float]] = {
    "exponential": lambda x: 0.1 + 2.2 * math.exp(-6 * x),
    "power law": lambda x: 2.3 * (1 + 60 * x) ** -0.5,
    "flat, then a drop": lambda x: 0.4 + 1.9 / (1 + math.exp(40 * (x - 0.3))),
    "steps of the rate": lambda x: 2.3 * math.exp(-8 * x) + (0.9 if x < 0.5 else 0.5 if x < 0.8 else 0.3),
    "noise in the labels": lambda x: 1.7 + 0.6 * math.exp(-8 * x),
    "to nothing": lambda x: 2.3 * math.exp(-12 * x),
    "straight": lambda x: 2.3 - 1.8 * x,
    "a bump at the start": lambda x: 0.3 + 2.0 * math.exp(-6 * x) + 2.5 * math.exp(-(((x - 0.02) / 0.01) ** 2)),
}


def in_both(ratio: Callable[[int], float]) -> Ratios:
    """Ratios of the step, the same in both layers."""
    return {"fc1": ratio, "fc2": ratio}


def waves(level: float, height: float, steps: int, periods: float, noise: float = 0.05) -> list[float]:
    """Losses that go up and down, after two that fall."""
    plain = noisy(lambda x: level * (1 + height * math.sin(2 * math.pi * periods * x)), steps, noise=noise)
    return [2.3, 2.0, *plain]


def validated(train: list[float], validation: list[float], **more: object) -> Trace:
    """A trace with these losses at the ends of epochs; perhaps `accuracy`, `r2`, `planned` epochs and `lr`."""
    rows = epochs(train, validation, steps=10)
    for name in ("accuracy", "r2"):
        if name in more:
            rows += epochs(*more[name], steps=10, name=name)  # type: ignore[misc]
    facts = {"epochs": str(more.get("planned", len(train)))}
    lr = more.get("lr", 0.01)
    assert isinstance(lr, float | list)
    return training(noisy(SHAPES["exponential"], 10 * len(train)), rows=rows, facts=facts, lr=lr)


def by_heart(losses: Sequence[float], *, accuracy: float | None = None, loss: str = "cross-entropy") -> Trace:
    """A trace of the rehearsal in which the same twenty rows come at every step."""
    answered = [] if accuracy is None else series("accuracy", [accuracy] * len(losses))
    return training(losses, loss=loss, facts={"rehearsal": "tiny-batch"}, rows=answered)


FALLING = [2.0 * 0.8**epoch for epoch in range(20)]
TURNING = [1.0 + 0.02 * (epoch - 6) ** 2 for epoch in range(20)]
