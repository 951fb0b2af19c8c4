"""Programs made by chance end with the same weights, random numbers and output, watched or not."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("differential.py")


def differences(first: int, count: int, *more: str) -> tuple[list[dict[str, object]], dict[str, object]]:
    command = [sys.executable, str(PROGRAM), str(first), str(count), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *found, whole = map(json.loads, done.stdout.splitlines())
    return found, whole


@pytest.mark.parametrize("first", [7, pytest.param(2003, marks=pytest.mark.slow)])
def test_watching_changes_nothing(first: int) -> None:
    found, whole = differences(first, 3)
    assert not found
    assert whole["programs"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_400, 50))
def test_watching_changes_nothing_of_many_programs(first: int) -> None:
    found, whole = differences(first, 50, "--compiled")
    assert not found
    assert whole["programs"] == 50
    ends = whole["ends"]
    assert isinstance(ends, dict)
    assert ends.get("complete", 0) >= 25  # most of them train to their own end
