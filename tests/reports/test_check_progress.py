"""The bar of a check while it runs: on a terminal it says what is done and what time is left, elsewhere nothing."""

import io

import pytest
from rich.console import Console

from babysit.record import PreFlightStep
from babysit.reports import CheckProgress


def shown(width: int) -> tuple[str, Console]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    progress = CheckProgress(console)
    progress.began(("data", "overfit-tiny"), 60.0)
    progress.step_ended(PreFlightStep("data", "pass", measured="1,257 training rows"))
    progress.step_began("overfit-tiny")
    with console.capture() as captured:
        console.print(progress._picture())
    progress.ended()
    return captured.get(), console


@pytest.mark.parametrize("width", [80, 120])
def test_it_stays_within_a_line_a_step(width: int) -> None:
    text, _ = shown(width)
    line = next(line for line in text.splitlines() if "overfit-tiny" in line)
    assert "s left" in line
    assert "a few examples" in line
    assert "1,257 training rows" in text
    assert max(map(len, text.splitlines())) <= width


def test_elsewhere_it_is_silent() -> None:
    file = io.StringIO()
    progress = CheckProgress(Console(file=file))
    progress.began(("data",), 60.0)
    progress.step_began("data")
    progress.ended()
    assert file.getvalue() == ""
