"""Each disease of the dynamics with series that are missing or broken, and with what cannot matter to it."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.diseases import DISEASES
from babysit.record import Row, Trace, TraceLayer
from tests.diseases.found_dynamics import DYNAMICS, found
from tests.diseases.traces_dynamics import (
    FALLING,
    LAYERS,
    TURNING,
    by_heart,
    noisy,
    series,
    training,
    validated,
    waves,
)

# What is missing, and what cannot matter


@pytest.mark.parametrize("name", DYNAMICS)
def test_nothing_is_found_in_nothing(name: str) -> None:
    assert DISEASES[name].find(Trace()) == []
    assert DISEASES[name].find(Trace(layers=LAYERS, facts={"loss": "mse"})) == []


SICK = {
    "learning-rate-too-high": training(noisy(lambda _: 2.4, 300), ratios=0.3),
    "learning-rate-too-low": training(noisy(lambda _: 2.31, 300), ratios=1e-6),
    "diverged": training([2.3] * 20 + [math.nan] * 3),
    "not-learning": training(noisy(lambda _: 3.5, 84)),
    "stuck-at-chance": training(noisy(lambda _: 2.305, 300)),
    "oscillating": training(waves(1.0, 0.4, 1000, 20)),
    "cannot-overfit-tiny-batch": by_heart(noisy(lambda _: 2.31, 300), accuracy=0.2),
    "overfitting": validated(FALLING, TURNING),
    "underfitting": validated([2.1] * 12, [2.1] * 12, accuracy=([0.2] * 12, [0.2] * 12)),
    "stopped-too-early": validated([2.3 - 0.15 * x for x in range(10)], [2.3 - 0.15 * x for x in range(10)]),
    "gradient-noise-high": training(
        noisy(lambda _: 2.305, 300),
        rows=[Row(step, "train", "", "gradient-noise-scale", 1e5) for step in range(0, 300, 10)],
    ),
    "gradients-clipped-always": training([2.3] * 30, rows=series("clip-factor", [0.01] * 30)),
}  # fmt: skip


@pytest.mark.parametrize("name", DYNAMICS)
def test_each_is_found_and_survives_missing_and_broken_series(name: str) -> None:
    trace = SICK[name]
    assert found(name, trace) is not None
    for quantity in sorted({row.quantity for row in trace.rows}):
        without = Trace(tuple(row for row in trace.rows if row.quantity != quantity), layers=trace.layers)
        DISEASES[name].find(without)
        for bad in (math.nan, math.inf, -math.inf, 0.0, -1.0):
            rows = tuple(row._replace(value=bad) if row.quantity == quantity else row for row in trace.rows)
            found(name, Trace(rows, trace.histograms, trace.events, trace.layers, trace.facts))


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(DYNAMICS), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(name: str, order: random.Random) -> None:
    trace = SICK[name]
    rows = list(trace.rows)
    order.shuffle(rows)
    shuffled = Trace(tuple(rows), trace.histograms, trace.events, trace.layers, trace.facts)
    assert DISEASES[name].find(shuffled) == DISEASES[name].find(trace)


HEALTHY_LAYER = [
    row for quantity, value in (("weight-std", 0.05), ("gradient-std", 1e-3), ("activation-std", 0.9),
                                ("weight-norm", 3.0), ("weight-not-finite-share", 0.0))
    for row in series(quantity, [value] * 30, layer="other")
]  # fmt: skip


@pytest.mark.parametrize("name", DYNAMICS)
def test_an_unrelated_healthy_layer_does_not_matter(name: str) -> None:
    trace = SICK[name]
    more = Trace(
        (*trace.rows, *HEALTHY_LAYER), trace.histograms, trace.events,
        (*trace.layers, TraceLayer("other", "norm", depth=2)), trace.facts,
    )  # fmt: skip
    assert DISEASES[name].find(more) == DISEASES[name].find(trace)


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=250),
    ratio=st.one_of(st.none(), st.floats()),
    kind=st.sampled_from(["cross-entropy", "mse", "other", "bce"]),
)
def test_any_numbers_are_judged_without_an_error(losses: list[float], ratio: float | None, kind: str) -> None:
    trace = training(losses, ratios=ratio, loss=kind)
    for name in DYNAMICS:
        found(name, trace)
