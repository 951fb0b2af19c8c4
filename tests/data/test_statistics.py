"""Streaming statistics against two plain passes, on the inputs that break naive sums."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from babysit.data import Moments, moments_of
from babysit.data._covariance import FEATURES_IN_FLOAT64, RunningCovariance
from babysit.data._statistics import ColumnStatistics, RunningStatistics, statistics_of
from babysit.record import DataError
from tests.data.oracles import two_passes


def pieces(rows: Tensor, sizes: list[int]) -> Iterator[Tensor]:
    """The rows in pieces of these sizes, and the rest."""
    start = 0
    for size in sizes:
        yield rows[start : start + size]
        start += size
    yield rows[start:]


def assert_equal(found: ColumnStatistics, rows: Tensor, relative: float = 1e-11) -> None:
    expected = two_passes(rows.numpy())
    assert found.rows == len(rows)
    np.testing.assert_array_equal(found.count, expected.count)
    np.testing.assert_array_equal(found.minimum, expected.minimum)
    np.testing.assert_array_equal(found.maximum, expected.maximum)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-14, atol=relative * expected.variance.max() ** 0.5)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=relative, atol=1e-28)
    if found.covariance is not None:
        size = np.sqrt(np.outer(expected.variance, expected.variance)) + 1e-28
        assert np.abs((found.covariance.numpy() - expected.covariance) / size).max() < relative


def hostile(kind: str) -> Tensor:
    random = np.random.default_rng(7)
    normal = random.standard_normal((3000, 6))
    mixed = normal @ random.standard_normal((6, 6))
    match kind:
        case "far from zero":
            return torch.from_numpy(1e8 + mixed)
        case "float32 at a million":
            return torch.from_numpy((1e6 + mixed).astype(np.float32))
        case "seconds since 1970":
            return torch.from_numpy(1.6e9 + 100 * mixed)
        case "scales apart":
            return torch.from_numpy(mixed * 10.0 ** np.arange(-6, 6, 2))
        case "missing":
            return torch.from_numpy(np.where(random.random(mixed.shape) < 0.2, np.nan, 50 + mixed))
        case "missing at first":
            mixed[:1500, 0] = np.nan
            mixed[0, 1] = np.nan
            mixed[1:, 2] = np.nan
            mixed[:, 3] = np.nan
            return torch.from_numpy(1e5 + mixed)
        case "an outlier first":
            mixed[0] = 1e6
            return torch.from_numpy(mixed)
        case "sorted":
            return torch.from_numpy(np.sort(1e4 + mixed, axis=0))
        case "bytes":
            return torch.from_numpy(random.integers(0, 256, (3000, 6), dtype=np.uint8))
        case "whole numbers":
            return torch.from_numpy(random.integers(-(10**9), 10**9, (3000, 6)))
        case _:
            return torch.from_numpy(mixed > 0)


KINDS = [
    "far from zero", "float32 at a million", "seconds since 1970", "scales apart", "missing", "missing at first",
    "an outlier first", "sorted", "bytes", "whole numbers", "truth values",
]  # fmt: skip
CUTS = {"whole": [], "single rows": [1] * 60, "empty pieces": [0, 700, 0, 0, 1, 1299], "many": [97] * 30}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_two_passes(kind: str, cut: str) -> None:
    rows = hostile(kind)
    found = statistics_of(pieces(rows, CUTS[cut]), 6, covariance=True)
    assert_equal(found, rows, relative=1e-9)
    assert found.dtype == rows.dtype


@pytest.mark.parametrize("kind", KINDS)
def test_parts_join_to_the_whole(kind: str) -> None:
    rows = hostile(kind)
    whole = RunningStatistics(6, covariance=True)
    for part in (rows[:0], rows[:1], rows[1:1600], rows[1600:]):
        whole.merge(RunningStatistics(6, covariance=True).update(part))
    assert_equal(whole.result(), rows, relative=1e-9)
    whole.update(rows[:10])  # and goes on
    assert_equal(whole.result(), torch.cat([rows, rows[:10]]), relative=1e-9)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_tensors_equal_two_passes(kind: str, cut: str) -> None:
    rows = hostile(kind).double()
    found = None
    for piece in pieces(rows, CUTS[cut]):
        more = moments_of(piece, piece.isfinite())
        found = more if found is None else found.joined(more)
    expected = two_passes(rows.numpy())
    assert found is not None
    np.testing.assert_array_equal(found.count, expected.count)
    spread = expected.variance.max() ** 0.5
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-14, atol=1e-9 * spread)
    # Means near 1e8 are known to 1e-8, and they alone carry that into the variance: `RunningMoments` shifts them.
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-8, atol=1e-26 * spread**2)


def test_moments_of_floats_arrays_and_tensors_are_the_same() -> None:
    """One algorithm for three kinds of numbers; an empty part costs nothing, nor does a mean far from zero."""
    parts = [(2.0, 1e8 + 2.5, 4.5), (0.0, 0.0, 0.0), (3.0, 1e8 + 4 / 3, 58 - 16 / 3)]
    values = np.array([[1.0], [4.0], [-3.0], [0.0], [7.0]]) + 1e8
    floats = [Moments(*part) for part in parts]
    arrays = [Moments(*(np.array(number) for number in part)) for part in parts]
    tensors = [Moments(*torch.tensor(part, dtype=torch.float64)) for part in parts]
    expected = two_passes(values)
    kinds: tuple[list[Moments[Any]], ...] = (floats, arrays, tensors)
    for one, empty, other in kinds:
        for found in (one.joined(empty).joined(other), empty.joined(other).joined(one)):
            assert float(found.count) == 5
            assert float(found.mean) == pytest.approx(expected.mean[0], rel=1e-15)
            assert float(found.variance) == pytest.approx(expected.variance[0], rel=1e-8)
    assert (floats[1].variance, floats[1].joined(floats[1]).mean) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6)), min_size=3, max_size=3),
        min_size=1,
        max_size=30,
    ),
    st.lists(st.integers(0, 9), max_size=6),
)
def test_any_numbers_in_any_pieces(values: list[list[float]], sizes: list[int]) -> None:
    rows = torch.tensor(values, dtype=torch.float64)
    found = statistics_of(pieces(rows, sizes), 3, covariance=True)
    expected = two_passes(rows.numpy())
    assert found.covariance is not None
    size = 1e-10 * max(1.0, float(rows.nan_to_num().abs().max())) ** 2
    np.testing.assert_allclose(found.variance, expected.variance, atol=size, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=size, rtol=1e-9)
    np.testing.assert_array_equal(found.count, expected.count)


def test_bytes_are_exact() -> None:
    rows = torch.randint(0, 256, (5000, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rows[:, 3] = 255  # sums and squares as large as they can be
    rows[17, 3] = 254
    found = statistics_of(pieces(rows, [123] * 41), 4)
    values = [[int(value) for value in rows[:, j]] for j in range(4)]
    for j in range(4):
        mean = Fraction(sum(values[j]), 5000)
        variance = sum((value - mean) ** 2 for value in values[j]) / 5000
        assert float(found.mean[j]) == pytest.approx(float(mean), rel=1e-15)
        assert float(found.variance[j]) == pytest.approx(float(variance), rel=1e-13)


@pytest.mark.parametrize("spread", [20, 256])
def test_products_of_bytes_are_exact_in_float32(spread: int) -> None:
    """More features than float64 products are made for; a wide spread forces shorter products."""
    features = FEATURES_IN_FLOAT64 + 8
    random = np.random.default_rng(3)
    rows = random.integers(0, spread, (5000, features), dtype=np.uint8)
    if spread == 256:
        rows[:, :300] = np.where(random.random((5000, 300)) < 0.5, 0, 255)
    running = RunningCovariance(features)
    for start in range(0, 5000, 999):
        running.update(rows[start : start + 999])
    wide = rows.astype(np.float64) - running.shift  # whole numbers, whose sums float64 holds
    running.result(rows.mean(0))
    np.testing.assert_array_equal(running.products, wide.T @ wide)
    assert (running._rows_per_product < 4096) == (spread == 256)


def test_many_float32_features() -> None:
    """Products in float32: each entry to a part in a million of its features' spread, missing values or not."""
    features = FEATURES_IN_FLOAT64 + 1
    random = np.random.default_rng(4)
    rows = (1e4 + random.standard_normal((1500, features))).astype(np.float32)
    assert_equal(statistics_of([torch.from_numpy(rows)], features, covariance=True), torch.from_numpy(rows), 1e-6)
    rows[random.random(rows.shape) < 0.1] = np.nan
    assert_equal(statistics_of([torch.from_numpy(rows)], features, covariance=True), torch.from_numpy(rows), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8, torch.int32, torch.uint16])
def test_every_type_of_number(dtype: torch.dtype) -> None:
    rows = torch.arange(60).reshape(20, 3).to(dtype)
    found = statistics_of([rows[:7], rows[7:]], 3, covariance=True)
    assert_equal(found, rows.double())
    assert found.dtype == dtype


def test_images_are_counted_by_pixel() -> None:
    images = torch.randint(0, 256, (20, 4, 5, 3), dtype=torch.uint8)
    assert_equal(statistics_of([images], 60), images.reshape(20, 60))


@pytest.mark.parametrize("value", [0.1, 1e8 + 0.1, -3.3e-7, 0.0])
def test_a_constant_has_no_variance_at_all(value: float) -> None:
    found = statistics_of(pieces(torch.full((1000, 1), value, dtype=torch.float64), [7] * 99), 1, covariance=True)
    assert found.variance.item() == 0
    assert found.covariance is not None
    assert found.covariance.item() == 0
    assert found.mean.item() == value
    assert found.divisor.item() == 1


def test_standardised_statistics_without_a_second_pass() -> None:
    rows = hostile("missing")
    rows[:, 4] = 3.5
    found = statistics_of([rows], 6, covariance=True).standardised()
    filled = np.where(np.isnan(rows.numpy()), np.nanmean(rows.numpy(), 0), rows.numpy())
    std = np.nanstd(rows.numpy(), 0)
    std[4] = 1
    scaled = (filled - filled.mean(0)) / std
    assert found.covariance is not None
    np.testing.assert_allclose(found.covariance, scaled.T @ scaled / len(scaled), atol=1e-12)
    np.testing.assert_allclose(found.variance, [1, 1, 1, 1, 0, 1], atol=1e-12)


@pytest.mark.parametrize("covariance", [False, True])
@pytest.mark.parametrize("bad", [float("inf"), -float("inf"), 1e200])
def test_infinity_is_refused_and_named(bad: float, covariance: bool) -> None:
    rows = torch.ones(50, 4, dtype=torch.float64)
    rows[30, 2] = bad
    rows[31, 2] = -bad
    with pytest.raises(DataError, match=r"1 of 4 features .* square: 2\n") as caught:
        statistics_of(pieces(rows, [20, 20]), 4, covariance=covariance)
    assert "NaN where a value is missing" in str(caught.value)


def test_bad_streams() -> None:
    with pytest.raises(DataError, match="no rows"):
        statistics_of([torch.empty(0, 3)], 3)
    with pytest.raises(DataError, match=r"shape \(2, 4\)"):
        statistics_of([torch.zeros(2, 4)], 3)
    with pytest.raises(DataError, match="complex"):
        statistics_of([torch.zeros(2, 3, dtype=torch.complex64)], 3)
    with pytest.raises(DataError, match="cannot be joined"):
        RunningStatistics(3).merge(RunningStatistics(3, covariance=True))
