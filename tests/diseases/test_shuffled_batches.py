"""Batches drawn shuffled from label sets as they occur practically never look as if they were not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from babysit.diseases import DISEASES
from babysit.diseases._batches_not_shuffled import ALARM, dispersion_bound
from babysit.record import INPUTS, TARGETS, Trace
from tests.diseases.traces_data import CLASSES, REGRESSION, Numbers, dispersion, joined, rows_at, series

DRAWS = 2000
BATCH_SIZES = (1, 2, 4, 8, 32, 128, 512)
BATCHES = (3, 10, 40, 150)
MOST_NUMBERS = 2_000_000  # counts held at once
SHARES = {
    "two even": [0.5, 0.5],
    "two, 95 to 5": [0.95, 0.05],
    "two, 999 to 1": [0.999, 0.001],
    "three, two rare": [0.99, 0.005, 0.005],
    "ten even": [0.1] * 10,
    "ten, halving": [2.0**-number for number in range(10)],
    "ten, one common": [0.91] + [0.01] * 9,
    "a hundred even": [0.01] * 100,
    "a hundred, Zipf": [1 / number for number in range(1, 101)],
}


def trace(ratio: float, name: str, classes: int, size: int, batches: int) -> Trace:
    numbers = {name: ratio} | ({"classes-seen": classes, "rows-seen": size * batches} if name[0] == "l" else {})
    return joined(
        Trace(tuple(rows_at(batches - 1, TARGETS, numbers))),
        series("batch-rows", [size] * batches, layer=TARGETS),
        series("batch-rows", [size] * batches, layer=INPUTS),
        facts=CLASSES if name[0] == "l" else REGRESSION,
    )


def alarms(ratios: Numbers, name: str, classes: int, size: int, batches: int) -> int:
    """How many of these the disease's own rule takes for not shuffled; it is monotone, so the largest go first."""
    find = DISEASES["batches-not-shuffled"].find
    count = 0
    for ratio in np.sort(ratios)[::-1]:
        if not find(trace(float(ratio), name, classes, size, batches)):
            break
        count += 1
    return count


@pytest.mark.parametrize("name", SHARES)
def test_shuffled_classes(name: str) -> None:
    generator = np.random.default_rng(1)
    shares = np.array(SHARES[name]) / sum(SHARES[name])
    found = draws = 0
    for size in BATCH_SIZES:
        for batches in BATCHES:
            number = max(50, min(DRAWS, MOST_NUMBERS // (batches * len(shares))))
            counts = generator.multinomial(size, shares, size=(number, batches)).astype(np.float64)
            seen = (counts.sum(1) > 0).sum(1)
            ratios = dispersion(counts)
            for classes in np.unique(seen[seen > 1]):
                found += alarms(ratios[seen == classes], "label-dispersion", int(classes), size, batches)
            draws += number
    assert draws >= 5000
    assert found <= 1  # of some 40,000; the rule promises fewer than one in 10,000


def drawn(kind: str, generator: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    if kind == "exponential":
        return generator.exponential(size=shape)
    if kind == "lognormal":
        return generator.lognormal(sigma=1.5, size=shape)
    rare = 1000 * (generator.random(shape) < 0.01) if kind == "a rare size" else 0
    return np.asarray(generator.normal(size=shape) + rare)


@pytest.mark.parametrize("kind", ["normal", "exponential", "lognormal", "a rare size"])
def test_shuffled_numbers(kind: str) -> None:
    generator = np.random.default_rng(2)
    found = 0
    for size in (1, 2, 4, 8, 32, 128):
        for batches in BATCHES:
            number = max(50, min(500, MOST_NUMBERS // (batches * size)))
            values = drawn(kind, generator, (number, batches, size))
            ratios = values.mean(2).var(1, ddof=1) * size / values.var((1, 2))
            found += alarms(ratios, "target-dispersion", 2, size, batches)
    assert found <= 1


@pytest.mark.parametrize("name", ["two even", "ten even", "ten, halving", "a hundred even"])
@pytest.mark.parametrize("size", [4, 32, 512])
def test_sorted_classes_are_found_whatever_their_shares(name: str, size: int) -> None:
    shares = np.array(SHARES[name]) / sum(SHARES[name])
    rows = np.repeat(np.arange(len(shares)), np.ceil(shares * size * 60).astype(int))
    batches = len(rows) // size
    kept = rows[: batches * size].reshape(batches, size)
    counts = np.stack([np.bincount(batch, minlength=len(shares)) for batch in kept]).astype(np.float64)
    classes = int((counts.sum(0) > 0).sum())
    assert alarms(dispersion(counts)[None], "label-dispersion", classes, size, batches) == 1


def test_partly_shuffled_classes_are_found() -> None:
    generator = np.random.default_rng(3)
    rows = np.repeat(np.arange(10), 600)
    buffered = np.concatenate([generator.permutation(part) for part in np.split(rows, 5)])  # a shuffle buffer of 1200
    counts = np.stack([np.bincount(batch, minlength=10) for batch in np.split(buffered, 100)]).astype(np.float64)
    assert alarms(dispersion(counts)[None], "label-dispersion", 10, 60, 100) == 1


def test_the_dispersion_of_shuffled_batches_is_one_and_of_sorted_ones_their_size() -> None:
    generator = np.random.default_rng(4)
    counts = generator.multinomial(32, [0.7, 0.2, 0.1], size=(2000, 20)).astype(np.float64)
    assert abs(dispersion(counts).mean() - 1) < 0.02
    assert dispersion(np.array([[8.0, 0.0], [0.0, 8.0]] * 50)) == pytest.approx(8 * 100 / 99)


@pytest.mark.parametrize("batches", [3, 10, 50, 200])
def test_the_bound_is_the_chi_square_quantile_or_a_little_above(batches: int) -> None:
    for classes in (2, 10, 100):
        freedom = (batches - 1) * max(1.0, classes**2 / (classes + 2))
        exact = float(chi2.isf(ALARM, freedom)) / freedom
        assert exact <= dispersion_bound(batches, classes) <= 1.15 * exact
