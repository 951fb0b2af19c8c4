"""Where findings are in a script's text, and the fix as a diff that git applies."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from babysit.record import Finding, Remedy
from babysit.scripts import Script, located
from tests.scripts.conftest import program

STEP = "loss.backward()"


@pytest.fixture
def script(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "train.py").write_text(program(lr=9.0))
    return Script("job/train.py")


def line_of(script: Script, part: str) -> int:
    lines = pathlib.Path(script.target).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if part in line)


def test_the_line_is_that_which_the_remedy_changes_and_git_applies_the_fix(script: Script) -> None:
    finding = Finding("diverged", "sick", remedies=(Remedy("lr", "0.01"),))
    told = located(script, [finding], {"diverged": (finding.remedies, "loss 9 -> 0.1")})[0]
    assert (told.file, told.line) == ("job/train.py", line_of(script, "lr=9.0"))
    assert told.did == "loss 9 -> 0.1"
    subprocess.run(["git", "apply"], input=told.fix.encode(), check=True, env={"GIT_CEILING_DIRECTORIES": "/"})
    assert "lr=0.01" in pathlib.Path(script.target).read_text()


def test_without_a_value_the_line_is_where_a_reader_begins(script: Script) -> None:
    told = located(script, [Finding("diverged", "sick", remedies=(Remedy("lr"),))])[0]
    assert told.line == line_of(script, "lr=9.0")
    assert (told.fix, told.did) == ("", "")


def test_a_line_that_was_seen_comes_first(script: Script) -> None:
    finding = Finding(
        "learning-rate-schedule-inert", "warning", evidence={"line": "train.py:3"}, remedies=(Remedy("lr"),)
    )
    assert located(script, [finding])[0].line == 3


def test_a_finding_without_remedies_names_the_file_alone(script: Script) -> None:
    told = located(script, [Finding("not-learning", "sick")])[0]
    assert (told.file, told.line) == ("job/train.py", 0)


def test_a_module_of_the_folder_is_named(script: Script) -> None:
    text = pathlib.Path(script.target).read_text()
    pathlib.Path("job/parts.py").write_text(text)
    pathlib.Path(script.target).write_text("import parts\n")
    told = located(script, [Finding("diverged", "sick", remedies=(Remedy("lr", "0.01"),))])[0]
    assert told.file == "job/parts.py"


def test_what_cannot_be_read_leaves_findings_as_they_are(tmp_path: pathlib.Path) -> None:
    finding = Finding("not-learning", "sick")
    assert located(Script(str(tmp_path / "gone.py")), [finding]) == (finding,)
