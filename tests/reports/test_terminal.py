"""The terminal: a Run in eighty columns."""

import io
import json
import pathlib

from rich.console import Console

from babysit.record import to_json
from babysit.reports import print_summary, training_answer
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
    text = json.dumps(to_json(training_answer(numbers(tmp_path / "run"))), allow_nan=False)
    assert json.loads(text)["evaluations"]["test"]["scores"][0]["name"] == "R2"
