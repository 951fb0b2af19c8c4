"""Curves in one line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babysit.reports._plot_text import BAD, BLOCKS, sparkline


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([], ""),
        ([2.0], "▄"),
        ([5.0, 5.0, 5.0], "▄▄▄"),
        ([1.0, 10.0, 100.0], "▁▅█"),  # decades are drawn by their logarithm
        ([-1.0, 0.0, 1.0], "▁▅█"),
        ([math.nan, math.inf], BAD * 2),
        ([1.0, math.inf, 2.0], f"▁{BAD}█"),
    ],
)
def test_known_curves(values: list[float], wanted: str) -> None:
    assert sparkline(values, 10) == wanted


@given(st.lists(st.floats(), max_size=300), st.integers(0, 50))
def test_any_curve_fits(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(width, len(values))
    assert set(line) <= {*BLOCKS, BAD}


def test_a_falling_curve_falls() -> None:
    line = sparkline([1 / (step + 1) for step in range(1000)], 20)
    places = [BLOCKS.index(block) for block in line]
    assert places == sorted(places, reverse=True)
    assert places[0] == len(BLOCKS) - 1
    assert places[-1] == 0
