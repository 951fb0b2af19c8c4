"""The terminal: a Run in eighty columns, and the training as it runs."""

import io
import json
import pathlib

import pytest
from rich.console import Console

from babysit.record import EpochNumbers, StepNumbers
from babysit.reports import TerminalProgress, print_summary, summary_dict
from tests.reports.runs import EVIL, classes, numbers


def printed(run_of: object, path: pathlib.Path) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_summary(run_of(path / "run"), console)  # type: ignore[operator]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_classes(tmp_path: pathlib.Path) -> None:
    text = printed(classes, tmp_path)
    for part in (
        "120 rows of images 8x8 (54 train, 66 test)",
        "3 classes",
        "optimizer.lr",
        "0.9090",
        "0.8500 to 0.9500",
        "the constant answer 'cat'",
        "check: first loss 1.12, expected about 1.099: pass",
        "note: 3 images left out",
        EVIL,
    ):
        assert part in " ".join(text.split()), part


def test_numbers_and_what_went_wrong(tmp_path: pathlib.Path) -> None:
    text = printed(numbers, tmp_path)
    assert "step 200: the loss became inf" in text
    assert "16,000" in text
    assert max(map(len, text.splitlines())) <= 80 or "run:" in text


def test_json_is_strict(tmp_path: pathlib.Path) -> None:
    text = json.dumps(summary_dict(numbers(tmp_path / "run")), allow_nan=False)
    assert json.loads(text)["evaluations"]["test"]["scores"][0]["name"] == "R2"


def epoch(number: int, loss: float = 0.5) -> EpochNumbers:
    return EpochNumbers(number, number * 10, 0.1, loss, 0.75, "accuracy", 0.9, 0.8, number * 1.0, number == 1)


def test_plain_lines_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    with TerminalProgress(console=Console(file=file, width=200)) as progress:
        progress.began(epochs=3, steps_per_epoch=10, step=0)
        progress.stepped(StepNumbers(3, 1, float("nan"), 0.1))
        for number in (1, 2, 3):
            progress.epoch_ended(epoch(number, loss=float("nan") if number == 3 else 0.5))
        progress.ended("all 3 epochs are done")
    lines = file.getvalue().splitlines()
    assert lines[0] == "training: 3 epochs of 10 steps"
    assert lines[1].startswith("epoch 1/3  loss 0.5 | 0.75  accuracy 0.900 | 0.800 *")
    assert "nan" in lines[-2]
    assert lines[-1] == "training ended: all 3 epochs are done"


@pytest.mark.parametrize("ending", ["ended", "raised"])
def test_the_bar_gives_the_terminal_back(ending: str) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    try:
        with TerminalProgress(console=console) as progress:
            progress.began(epochs=2, steps_per_epoch=10, step=5)
            progress.stepped(StepNumbers(6, 1, 0.7, 0.1))
            progress.epoch_ended(epoch(1))
            if ending == "raised":
                raise KeyboardInterrupt
            progress.ended("done")
    except KeyboardInterrupt:
        pass
    text = file.getvalue()
    assert "epoch 1/2" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown again"
