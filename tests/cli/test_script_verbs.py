"""`babysit check` and `heal` on somebody's script, as they are typed."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from babysit.cli._app import run
from tests.scripts.conftest import program

SICK = program(zeros="x = x * 1000 + 3000", lr=0.3, epochs=20)


@pytest.fixture
def script(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.py"
    path.write_text(SICK)
    return path


def test_check_names_the_cause_and_heal_mends_it(script: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "train.py", "--seconds", "30", "--json", "check.json"]) == 1
    found = json.loads(pathlib.Path("check.json").read_text())
    assert found["schema"] == 1
    assert found["findings"][0]["name"] == "inputs-badly-scaled"
    assert {"name", "severity", "where", "evidence", "why", "remedies"} <= found["findings"][0].keys()
    assert "tried" in found["findings"][0]["evidence"]
    assert "inputs-badly-scaled" in capsys.readouterr().out

    assert run(["heal", "train.py", "--seconds", "30", "--json", "heal.json"]) == 1
    healed = json.loads(pathlib.Path("heal.json").read_text())
    assert healed["schema"] == 1
    assert len(healed["remedies"]) == 1
    assert healed["remedies"][0] in ("standardise-inputs", "scale-inputs")
    assert healed["effect"]["gain"] > 0.8
    assert healed["effect"]["seeds"] == 3
    assert "healed by" in capsys.readouterr().out
    # What heal says is what run takes, and the script itself is as it was.
    assert run(["run", "--remedy", healed["remedies"][0], "train.py"]) == 0
    assert float(capsys.readouterr().out.split()[-1]) > 0.9
    assert script.read_text() == SICK
    assert sorted(path.name for path in script.parent.iterdir()) == ["check.json", "heal.json", "train.py"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nothing.py"], "there is no script nothing.py"),
        (["heal", "nothing.py"], "there is no script nothing.py"),
        (["heal", "train.py", "--seconds", "0"], "a healing of 0 seconds"),
        (["check", "train.py", "--target", "y"], "a script has no target"),
        (["heal", "train.py", "--json=."], "is a folder"),
        (["heal", "train.py", "--apply", "."], "--apply train_patched.py"),
        (["check", "digits", "--", "--epochs"], "which is not a script"),
        (["heal", "train.py", "--ignore", "nonsense"], "'nonsense' is not the name of a finding"),
    ],
)
def test_bad_input_is_one_clear_error(
    script: pathlib.Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(arguments) == 2
    told = capsys.readouterr().err
    assert said in told.replace("\n", " ")
    assert "Traceback" not in told


def test_a_script_that_trains_nothing_says_so(script: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.write_text("print('hello')\n")
    assert run(["check", "train.py", "--seconds", "5"]) == 2
    assert "no training was seen" in capsys.readouterr().err.replace("\n", " ")


def test_a_script_that_fails_shows_its_own_error(script: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.write_text("import torch\nraise ValueError('the data is gone')\n")
    assert run(["heal", "train.py", "--seconds", "5"]) == 2
    assert "ValueError: the data is gone" in capsys.readouterr().err


def test_ctrl_c_ends_every_process(script: pathlib.Path) -> None:
    script.write_text("import time\n" + program(before="opt.zero_grad(); time.sleep(0.05)", epochs=1000))
    command = [sys.executable, "-m", "babysit", "heal", "train.py", "--seconds", "300"]
    process = subprocess.Popen(
        command, cwd=script.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Whoever runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not _children(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    children = _children(process.pid)
    assert children
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    deadline = time.monotonic() + 30
    while any(_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [child for child in children if _alive(child)]


def _children(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True).stdout.split()
    direct = [int(one) for one in found]
    return direct + [grandchild for child in direct for grandchild in _children(child)]


def _alive(process: int) -> bool:
    return pathlib.Path(f"/proc/{process}").exists() and "Z" not in pathlib.Path(f"/proc/{process}/stat").read_text()


def test_a_quiet_run_says_nothing_but_the_scripts_own(script: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--quiet", "train.py"]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert len(said.out.splitlines()) == 1
    script.write_text("def broken():\n    raise KeyError('lost')\n\n\nbroken()\n")
    assert run(["run", "--quiet", "train.py"]) == 1
    said = capfd.readouterr()
    assert said.err.startswith("Traceback")
    assert said.err.rstrip().endswith("KeyError: 'lost'")
    assert not said.out


def test_check_of_a_script_without_an_optimizer(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps that need what is not there are left out; the others are done."""
    script = tmp_path / "train.py"
    lines = ["import torch", "rows = torch.randn(64, 3)", "net = torch.nn.Linear(3, 1)", "for _ in range(60):"]
    lines += ["    torch.nn.functional.mse_loss(net(rows), rows.sum(1, keepdim=True)).backward()"]
    script.write_text("\n".join(lines))
    assert run(["check", str(script), "--json", str(tmp_path / "check.json")]) == 1
    assert json.loads((tmp_path / "check.json").read_text())["findings"][0]["name"] == "step-missing"
    assert "tried: call-step" in " ".join(capsys.readouterr().out.split())
