"""What commands really print with `--json`, against what `babysit schema` says of it, and how they end."""

from __future__ import annotations

import importlib
import inspect
import json
import pathlib
from typing import Any

import jsonschema
import pytest
from docs.write_exit_codes import COMMAND, PAGE, page

from babysit.cli import run
from babysit.cli._app import VERBS
from babysit.cli._codes import BAD_INPUT, BAD_NEWS, BAD_NEWS_OF, CODES, DONE, NOT_JUDGED
from babysit.cli._schema import ANSWERS
from tests.scripts.conftest import program

QUICK = ["--settings", "epochs=2", "widths=[4]"]
SPACE = ["--space", "lr=1e-3:1e-1:log", "dropout=0:0.5"]
DIVERGING = ["epochs=2", "optimizer.name=sgd", "lr=1e25", "batch_norm=false", "clip_norm=unset"]
SICK = program(zeros="x = x * 1000 + 3000", lr=0.3, epochs=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("answers")
    (path / "train.py").write_text(SICK)
    assert run(["fit", "iris", "--seconds", "0", "--out", str(path / "run"), *QUICK]) == DONE
    assert run(["predict", str(path / "run"), "iris", "--out", str(path / "first.csv")]) == DONE
    return path


# Commands that write a file, print a schema or serve: what they say is no answer.
WITHOUT_ANSWER = {"completion", "mcp", "schema", "skill"}
# A command of each kind, and the code that it ends with.
COMMANDS: dict[str, tuple[list[str], int]] = {
    "check": (["check", "train.py", "--seconds", "20"], BAD_NEWS),
    "compare": (["compare", "run", "run"], NOT_JUDGED),
    "compare-init": (["compare-init", "wine", "--schemes", "he", "zero", "--steps", "3", "--seeds", "1"], DONE),
    "demo": (["demo", "--seconds", "0", "--out", "digits"], DONE),
    "diagnose": (["diagnose", "run"], DONE),
    "evaluate": (["evaluate", "run"], DONE),
    "explain": (["explain", "relu"], DONE),
    "explain, all names": (["explain"], DONE),
    "export": (["export", "run", "model.pt2"], DONE),
    "fit": (["fit", "iris", "--seconds", "0", "--out", "fitted", *QUICK], DONE),
    "fit, diverged": (["fit", "iris", "--seconds", "0", "--out", "diverged", "--settings", *DIVERGING], BAD_NEWS),
    "heal": (["heal", "train.py", "--seconds", "20", "--seeds", "1", "--apply", "patched.py"], BAD_NEWS),
    "predict": (["predict", "run", "iris"], DONE),
    "predict, into a file": (["predict", "run", "iris", "--out", "answers.csv"], DONE),
    "recipe": (["recipe", "lecture"], DONE),
    "report": (["report", "run"], DONE),
    "resume": (["resume", "run"], DONE),
    "run": (["run", "--json", "train.py"], DONE),
    "status": (["status"], DONE),
    "tune": (["tune", "iris", *SPACE, "--trials", "2", "--winners", "1", "--repeats", "1", *QUICK], DONE),
}


def test_every_answer_has_a_schema_and_a_command() -> None:
    assert ANSWERS.keys() == VERBS.keys() - WITHOUT_ANSWER == {name.partition(",")[0] for name in COMMANDS}
    for verb in ANSWERS:
        function = verb.replace("-", "_")
        module = importlib.import_module(f"babysit.cli._{function}")
        assert "json" in inspect.signature(getattr(module, function)).parameters


@pytest.mark.usefixtures("healed_at_once")
def test_the_demonstration_prints_what_its_schema_says(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answer_of("demo", folder, monkeypatch, capfd)


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"demo"}))
def test_commands_print_what_their_schema_says(
    name: str, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answer_of(name, folder, monkeypatch, capfd)


def answer_of(
    name: str, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    arguments, code = COMMANDS[name]
    assert run(arguments if "--json" in arguments else [*arguments, "--json"]) == code
    answer = json.loads(capfd.readouterr().out, parse_constant=_no_constant)
    assert run(["schema", name.partition(",")[0]]) == DONE
    jsonschema.validate(answer, json.loads(capfd.readouterr().out))


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


def test_json_into_a_file_leaves_the_text(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run(["evaluate", "run", "--json", "scores.json", "--report", "scores.html"]) == DONE
    assert "accuracy" in capsys.readouterr().out
    assert json.loads((folder / "scores.json").read_text())["phase"] == "test"
    assert "accuracy" in (folder / "scores.html").read_text()


def test_an_unknown_schema_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "chek"]) == BAD_INPUT
    assert "there is no answer 'chek'" in capsys.readouterr().err


def test_the_table_of_exit_codes_is_as_the_page_has_it() -> None:
    assert PAGE.read_text() == page(), COMMAND
    assert sorted(CODES) == [0, 1, 2, 3, 130]
    assert BAD_NEWS_OF.keys() <= VERBS.keys()
