"""What a search answers, on a terminal of 80 columns and on its page."""

import pathlib
import re

import pytest
from rich.console import Console

from babysit.record import Setting, Study, StudyResult, Winner
from babysit.reports import write_study_page
from babysit.reports._study_text import study_renderable
from babysit.search import Space, described

FEW = {"lr": "1e-4:1e-1:log", "dropout": "0:0.5"}
MANY = FEW | {"l2": "1e-6:1e-1:log", "activation": "relu,leaky-relu", "batch_norm": "true,false", "scheme": "he,xavier"}
VALUES: dict[str, Setting] = {
    "optimizer.lr": 0.01234,
    "model.dropout": 0.4321,
    "regularisation.l2": 0.001234,
    "model.activation": "leaky-relu",
    "model.batch_norm": False,
    "initialisation.scheme": "xavier",
}


def study(path: pathlib.Path, space: dict[str, str], *, failed: int = 0, alone: bool = False) -> Study:
    """A finished one, of two winners."""
    searched = Space(space)
    info = {
        "kind": "script",
        "subject": "train.py",
        "space": described(searched),
        "given": (),
        "plan": {},
        "options": {},
        "fingerprint": "",
    }
    made = Study.create(path, info, None)
    settings = {one.path: VALUES[one.path] for one in searched}
    behind = (0.01, -float("inf"), float("inf")) if alone else (0.01, -0.00001, 0.02)
    scores = (0.9,) if alone else (0.9, 0.91)
    result = StudyResult(
        "accuracy",
        (
            Winner(3, settings, scores, 0.9, float("nan") if alone else 0.007, (0.0, 0.0, 0.0), False, (7, 8)),
            Winner(5, settings, scores, 0.89, float("nan"), behind, True, (9, 10), failed=failed),
        ),
    )
    with made.writing():
        made.write_result(result)
        made.set_status("finished")
    return made


def told(found: Study, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(study_renderable(found))
    return capture.get()


@pytest.mark.parametrize("space", [FEW, MANY])
def test_every_setting_can_be_read_on_80_columns(space: dict[str, str], tmp_path: pathlib.Path) -> None:
    text = re.sub(r"\s+", " ", told(study(tmp_path / "study", space)))
    assert "\u2026" not in text, "nothing is cut off"
    for value in ("0.01234", "0.4321", *(["0.001234", "leaky-relu", "false", "xavier"] if space is MANY else [])):
        assert value in text


def test_trainings_that_failed_are_told(tmp_path: pathlib.Path) -> None:
    found = study(tmp_path / "study", FEW, failed=2)
    assert "2 of 4 trainings failed" in told(found, 140)
    assert "2 of 4 trainings failed" in write_study_page(found).read_text()
    assert "failed" not in told(study(tmp_path / "other", FEW), 140).replace("coarse ones failed", "")


def test_of_one_training_each_no_interval_is_told(tmp_path: pathlib.Path) -> None:
    found = study(tmp_path / "study", FEW, alone=True)
    page = write_study_page(found).read_text()
    for text in (told(found, 140), page[page.index("<body") :] if "<body" in page else page):
        assert "0.0100, one training each" in text
        assert "their order may be chance" in text
    several = told(study(tmp_path / "other", FEW), 140)
    assert "0.0100 (0.0000 to 0.0200)" in several
    assert "within its uncertainty" in several
