"""Usual slips of the first minutes: each is one error that names the command that was meant, and nothing is begun."""

import pathlib
import subprocess

import pytest

from babysit.cli import run
from babysit.cli._app import VERBS
from babysit.cli._meant import EXAMPLES, OTHER_WORDS

SLIPS = {
    "train.py": "babysit check train.py",
    "train.py --epochs 3": "babysit check train.py -- --epochs 3",
    "houses.csv": "babysit fit houses.csv",
    "houses.csv price": "babysit fit houses.csv --target price",
    "digits": "babysit fit digits",
    "recipe.toml": "babysit check recipe.toml",
    "chekc train.py": "babysit check train.py",
    "--check train.py": "babysit check train.py",
    "train train.py": "babysit run train.py",
    "train houses.csv": "babysit fit houses.csv",
    "fix train.py": "babysit heal train.py",
    "search digits": "babysit tune digits",
    "python train.py --epochs 3": "babysit run train.py --epochs 3",
    "check python train.py --epochs 3": "babysit check train.py -- --epochs 3",
    "help check": "babysit check --help",
    "help": "babysit --help",
    "version": "babysit --version",
    "check houses.csv price": "houses.csv --target price",
    "fit houses.csv price": "babysit fit houses.csv --target price",
    "fit houses.csv --targt price": "babysit fit houses.csv --target price",
    "fit houses.csv --epochs 3": "babysit fit houses.csv --settings epochs=3",
    "fit houses.csv --lr=0.01 --plain": "babysit fit houses.csv --plain --settings lr=0.01",
    "fit train.py": "babysit check train.py",
    "diagnose train.py": "babysit check train.py",
    "resume train.py": "babysit check train.py",
    "predict houses.csv": "babysit predict runs/NAME-1 houses.csv",
    "check": "babysit check train.py",
    "check trian.py": "train.py",
    "a-run": "babysit report a-run",
}


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("raise SystemExit('it was run')\n")
    (tmp_path / "houses.csv").write_text("rooms,price\n" + "".join(f"{row},{row * 100}\n" for row in range(30)))
    (tmp_path / "recipe.toml").write_text("schema = 1\n")
    (tmp_path / "a-run").mkdir()
    (tmp_path / "a-run" / "run.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("slip", "meant"), SLIPS.items(), ids=SLIPS)
def test_a_slip_names_the_command_that_was_meant(
    slip: str, meant: str, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert run(slip.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert f"  write: {meant}\n" in err
    assert sorted(folder.rglob("*")) == before


def test_other_words_and_examples_are_of_commands_that_there_are() -> None:
    assert set(OTHER_WORDS.values()) | set(EXAMPLES) <= VERBS.keys()
    assert not set(OTHER_WORDS) & VERBS.keys()


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb in script for verb in VERBS)
    assert "--remedies" in script


def test_bash_completes_a_command_and_an_option(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "bash"]) == 0
    (tmp_path / "babysit.bash").write_text(capsys.readouterr().out)
    asked = 'source babysit.bash; COMP_WORDS=({}); COMP_CWORD={}; _babysit babysit "" ""; echo "${{COMPREPLY[@]}}"'
    for words, place, wanted in (("babysit hea", 1, "heal"), ("babysit fit --tar", 2, "--target")):
        command = ["bash", "-c", asked.format(words, place)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [wanted], done.stderr
