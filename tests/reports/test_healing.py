"""What healing came to, in words: which gap was closed, between which numbers."""

import io
import math

import pytest
from rich.console import Console

from babysit.record import Effect, Finding, Healing, Remedy, Tried, Values
from babysit.reports import healing_renderable
from babysit.reports._healing_text import effect_text

EVALUATED = {"loss": 0.7, "training accuracy": 0.4, "evaluation accuracy": 0.52}


@pytest.mark.parametrize(
    ("before", "after", "gain", "text"),
    [
        (EVALUATED, {"loss": 0.1, "evaluation accuracy": 0.98}, 0.9583,
         "closes 96 % of the gap between the sick evaluation accuracy (0.52) and a perfect one (1.00)"),
        ({"training balanced-accuracy": 0.5}, {"training balanced-accuracy": 0.75}, 0.5,
         "closes 50 % of the gap between the sick training balanced accuracy (0.50) and a perfect one (1.00)"),
        ({"training r2": -3.2}, {"training r2": 0.8}, 0.8,
         "closes 80 % of the gap between the sick training r2 (-3.20, counted as 0) and a perfect one (1.00)"),
        ({"training r2": math.nan}, {"training r2": 0.8}, 0.8,
         "closes 80 % of the gap between the sick training r2 (nan, counted as 0) and a perfect one (1.00)"),
        ({"loss": 2.0}, {"loss": 0.5, "training accuracy": 0.9}, 0.75,
         "closes 75 % of the gap between the sick loss (2) and a loss of 0"),
        ({"loss": -1.0}, {"loss": -2.0}, 1.0, "lowers the loss from -1 to -2"),
        ({"loss": math.inf, "failed": "an error"}, {"loss": 0.5}, 0.9,
         "mends a training that failed: its loss now falls by 90 %"),
    ],
)  # fmt: skip
def test_an_effect_names_the_two_numbers_that_its_gap_lies_between(
    before: Values, after: Values, gain: float, text: str
) -> None:
    assert effect_text(Effect((before,), (after,), gain)) == text
    assert effect_text(Effect((before,) * 3, (after,) * 3, gain)) == f"{text}, median of 3 seeds"


def test_of_several_seeds_the_middle_is_told() -> None:
    before = tuple({"training accuracy": value} for value in (0.9, 0.1, 0.5))
    assert "(0.50)" in effect_text(Effect(before, ({"training accuracy": 1.0},) * 3, 1.0))


def test_the_report_on_a_terminal() -> None:
    remedy = Remedy("lr", "0.01")
    effect = Effect((EVALUATED,), ({"steps": 189, "loss": 0.1, "evaluation accuracy": 0.98},), 0.9583)
    found = Healing(
        "train.py", (Finding("learning-rate-too-high", "sick"),), (remedy,), effect,
        (Tried((remedy,), 0.9583), Tried((Remedy("optimizer", "adam"),), -1.0, refused="no optimizer here")),
        advice=("train.py:27: lr=0.01",),
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=120)
    console.print(healing_renderable(found))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for part in (
        "healed by lr=0.01",
        "sick: learning-rate-too-high",
        "train.py:27: lr=0.01",
        "what it did: closes 96 % of the gap between the sick evaluation accuracy (0.52) and a perfect one (1.00)",
        "seed 0, 189 steps: loss 0.7 -> 0.1, training accuracy 0.4 -> unseen, evaluation accuracy 0.52 -> 0.98",
        "+96%  lr=0.01",
        "-  optimizer=adam  no optimizer here",
    ):
        assert part in text, part
    lines = text.strip().splitlines()
    assert lines[0] == lines[-1] == "heal train.py: healed by lr=0.01 (0 rehearsals, 0 steps, 0.0 s)"
