"""Two trainings, pair by pair: how often the sequential test is wrong, simulated, and what it says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from babysit.rehearsal import PAIRED_ERROR, failures_tell, look_at
from babysit.rehearsal._paired import part_of

Draw = Callable[[np.random.Generator, int], np.ndarray]
# Differences of trainings that are equally good: normal, with heavy tails, and accuracies of 50 rows.
NULLS: dict[str, Draw] = {
    "normal": lambda random, seeds: random.normal(size=seeds),
    "heavy tails": lambda random, seeds: random.standard_t(3, size=seeds),
    "50 rows": lambda random, seeds: (random.binomial(50, 0.9, seeds) - random.binomial(50, 0.9, seeds)) / 50,
}


def is_told(differences: np.ndarray, *, resolution: float = 0.0) -> bool:
    """Whether it stops at any look, as `compare` does."""
    planned = len(differences)
    return any(
        look_at([*map(float, differences[:seeds])], planned, resolution=resolution).told
        for seeds in range(2, planned + 1)
    )


def rate(draw: Draw, planned: int, times: int, shift: float = 0.0) -> float:
    random = np.random.default_rng(planned)
    resolution = 0.02 if draw is NULLS["50 rows"] else 0.0
    return sum(is_told(draw(random, planned) + shift, resolution=resolution) for _ in range(times)) / times


def test_the_parts_of_the_error_add_up() -> None:
    for planned in (2, 3, 5, 10, 30):
        assert sum(part_of(seeds, planned) for seeds in range(1, planned + 1)) == pytest.approx(PAIRED_ERROR)


@pytest.mark.parametrize("null", NULLS)
def test_it_is_seldom_wrong(null: str) -> None:
    times = 600
    assert rate(NULLS[null], 5, times) <= PAIRED_ERROR + 3 * math.sqrt(PAIRED_ERROR * (1 - PAIRED_ERROR) / times)


@pytest.mark.slow
@pytest.mark.parametrize("planned", [3, 5, 10, 20])
@pytest.mark.parametrize("null", NULLS)
def test_its_error_is_kept(null: str, planned: int) -> None:
    times = 5_000
    found = rate(NULLS[null], planned, times)
    print(f"{null}, {planned} seeds: wrong in {found:.4f} of {times}")
    assert found <= PAIRED_ERROR + 3 * math.sqrt(PAIRED_ERROR * (1 - PAIRED_ERROR) / times)


def test_a_clear_difference_is_told_early_and_what_is_missing_is_enough() -> None:
    assert rate(NULLS["normal"], 10, 200, shift=2.0) > 0.95
    look = look_at([0.1, -0.05, 0.09, 0.02, 0.05], 5)
    assert not look.told
    assert look.more is not None
    random = np.random.default_rng(0)
    spread = float(np.std([0.1, -0.05, 0.09, 0.02, 0.05], ddof=1))
    seeds = 5 + look.more
    told = [
        abs(draw.mean()) > 2.1 * draw.std(ddof=1) / math.sqrt(seeds)
        for draw in random.normal(look.mean, spread, (500, seeds))
    ]
    assert 0.7 < sum(told) / len(told) < 0.9


def test_seeds_that_change_nothing_say_nothing_of_the_noise() -> None:
    assert not look_at([0.1] * 5, 5).told
    assert look_at([0.1] * 5, 5, resolution=0.01).told
    assert not look_at([0.0] * 5, 5).told


def test_failures() -> None:
    assert failures_tell(0, 5, 5, 5)
    assert not failures_tell(0, 3, 3, 5)
    assert not failures_tell(5, 5, 5, 5)
