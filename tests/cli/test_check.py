"""`babysit check`, `compare-init` and `explain` as a user calls them."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from babysit.cli._app import run


def test_a_sound_recipe_is_sound(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "check.json"
    assert run(["check", "iris", "--skip", "rate-range", "--json", str(path)]) == 0
    told = capsys.readouterr().out
    assert "check of iris: sound" in told
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert content["ok"] is True
    assert content["verdict"] == "sound"
    assert content["reasons"][0].startswith("it learns: ")
    assert [step["verdict"] for step in content["steps"] if step["verdict"] == "fail"] == []


def test_a_sick_one_ends_with_one(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "sick.toml"
    recipe.write_text('[data]\nsource = "digits"\n[model]\narchitecture = "mlp"\n[optimizer]\nname = "sgd"\nlr = 1e5\n')
    path = tmp_path / "check.json"
    assert run(["check", str(recipe), "--skip", "rate-range", "--json", str(path)]) == 1
    assert "sick, first of all" in capsys.readouterr().out
    content = json.loads(path.read_text())
    assert content["findings"][0]["severity"] == "sick"
    assert content["verdict"] == "sick"
    assert content["reasons"][0].startswith(content["findings"][0]["name"])


def test_one_that_was_not_seen_to_learn_ends_with_three(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "slow.toml"
    recipe.write_text('[data]\nsource = "iris"\n[model]\narchitecture = "mlp"\n[optimizer]\nname = "sgd"\nlr = 1e-4\n')
    arguments = ["check", str(recipe), "--only", "short-training", "--steps", "20", "--json", str(tmp_path / "a.json")]
    assert run(arguments) == 3
    told = capsys.readouterr().out.splitlines()
    assert "not judged" in told[-1] or any(line.startswith("check of") and "not judged" in line for line in told)
    content = json.loads((tmp_path / "a.json").read_text())
    assert (content["verdict"], content["ok"]) == ("not judged", False)
    assert "not seen to learn" in content["reasons"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere.csv"], "nowhere.csv"),
        (["check", "iris", "--only", "dta"], "no step 'dta'"),
        (["check", "iris", "--only", "data", "wirring"], "no step 'wirring'"),
        (["check", "--only", "data", "wiring", "nowhere.py", "--plain"], "nowhere.py"),
        (["check", "--seconds", "9", "--only", "data", "nowhere.py"], "nowhere.py"),
        (["check", "iris", "--seconds", "0"], "a check of 0 seconds"),
        (["check", "iris", "--ignore", "overfittng"], "is not the name of a finding"),
        (["check", "iris", "--json=."], "--json answer.json"),
        (["compare-init", "iris", "--schemes", "hee"], "no initialisation 'hee'"),
        (["explain", "rellu"], "no page about 'rellu'"),
        (["explain", "relu", "--report", "."], "--report report.html"),
    ],
)
def test_bad_input_ends_with_two(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_explain_lists_prints_and_writes(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    assert "leaky-relu" in capsys.readouterr().out
    assert run(["explain", "Leaky", "ReLU"]) == 0
    assert "Leaky ReLU" in capsys.readouterr().out
    path = tmp_path / "page.html"
    assert run(["explain", "xavier", "--report", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    assert "Xavier" in path.read_text()


def test_compare_init_prints_and_writes(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare-init", "wine", "--schemes", "he", "small-random", "--steps", "5", "--seeds", "1"]
    assert run(arguments) == 0
    assert "small-random" in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1
    assert run([*arguments, "--report", str(tmp_path / "page.html")]) == 0


def test_ctrl_c_keeps_what_was_done(tmp_path: pathlib.Path) -> None:
    """A real SIGINT in the midst of a check of a real process."""
    script = (
        "import os, signal, sys\n"
        "from babysit.cli._app import run\n"
        "from babysit.rehearsal import _pre_flight\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal\n"
        "def interrupted(examination):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return step(examination)\n"
        "step, _pre_flight.STEPS['overfit-tiny'] = _pre_flight.STEPS['overfit-tiny'], interrupted\n"
        f"sys.exit(run(['check', 'iris', '--steps', '20', '--json', {str(tmp_path / 'check.json')!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stdout
    content = json.loads((tmp_path / "check.json").read_text())
    assert content["interrupted"] is True
    verdicts = {step["name"]: step["verdict"] for step in content["steps"]}
    # The short training says most and comes first; it was done, and is kept.
    assert verdicts["overfit-tiny"] == verdicts["rate-range"] == "skip"
    assert verdicts["short-training"] == "pass"
    assert content["steps"][0]["verdict"] != "skip"
