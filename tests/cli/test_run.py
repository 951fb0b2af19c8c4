"""`babysit run` as a user calls it."""

import inspect
import json
import pathlib
import subprocess
import sys

import pytest

from babysit.cli._app import WITH_SCRIPT, run
from babysit.cli._arguments import apart, with_json_files
from babysit.cli._run import run as run_verb

TRAIN = """\
import sys
import torch
from torch import nn
torch.manual_seed(0)
inputs = torch.randn(128, 4)
labels = (inputs.sum(1) > 0).long()
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(net.parameters(), lr={lr})
for epoch in range(int(sys.argv[sys.argv.index("--epochs") + 1]) if "--epochs" in sys.argv else 3):
    for rows in torch.randperm(128).split(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs[rows]), labels[rows])
        loss.backward()
        optimizer.step()
print(__name__, sys.argv[1:], epoch + 1, "metric: %.4f" % (net(inputs).argmax(1) == labels).float().mean())
"""


@pytest.fixture
def script(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "train.py"
    path.write_text(TRAIN.format(lr=0.3))
    return path


def test_what_follows_the_script_is_its_own(script: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(sys.path), list(sys.argv), sys.modules["__main__"]
    assert run(["run", "--plain", str(script), "--epochs", "2", "--json", "x", "--help"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("__main__ ['--epochs', '2', '--json', 'x', '--help'] 2 metric: ")
    assert "babysit: train.py finished" in said.err
    assert "16 steps" in said.err
    assert (list(sys.path), list(sys.argv), sys.modules["__main__"]) == before


def test_remedies_are_applied_in_full(script: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", str(script)]) == 0
    plain = capsys.readouterr().out
    assert run(["run", "--remedy", "lr=1e-12", "--remedy=epochs=5", str(script)]) == 0
    changed = capsys.readouterr().out
    assert plain.split()[2] == "3"
    assert changed.split()[2] == "5"
    assert float(changed.split()[-1]) < float(plain.split()[-1])


def test_json_report_and_trace(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "sick.py"
    script.write_text(TRAIN.format(lr=1e6))
    files = {name: tmp_path / f"out.{name}" for name in ("json", "report", "keep")}
    assert run(["run", *(part for name, path in files.items() for part in (f"--{name}", str(path))), str(script)]) == 0
    content = json.loads(files["json"].read_text())
    assert content["schema"] == 1
    assert (content["steps"], content["ended"], content["code"]) == (24, "finished", 0)
    assert content["findings"][0]["name"] == "learning-rate-too-high"
    assert "learning-rate-too-high" in capsys.readouterr().err
    assert "<html" in files["report"].read_text()
    assert run(["diagnose", str(files["keep"])]) == 1
    capsys.readouterr()
    assert run(["run", "--ignore", "learning-rate-too-high", "--json", str(files["json"]), str(script)]) == 0
    names = [finding["name"] for finding in json.loads(files["json"].read_text())["findings"]]
    assert "learning-rate-too-high" not in names


def test_a_crash_is_told_as_python_tells_it_and_then_what_was_seen(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAIN.format(lr=0.3) + "raise LookupError('nothing there')\n")
    alone = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    done = subprocess.run(
        [sys.executable, "-m", "babysit", "run", "--json", str(tmp_path / "a.json"), str(script)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (alone.stdout, 1)
    assert done.stderr.startswith(alone.stderr), done.stderr
    assert "babysit: train.py failed" in done.stderr[len(alone.stderr) :]
    assert json.loads((tmp_path / "a.json").read_text())["error"] == "LookupError: nothing there"


def test_a_module_of_a_package(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "deep_package" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text("WIDTH = 3\n")
    (package / "train.py").write_text("from . import WIDTH\n" + TRAIN.format(lr=0.1) + "print(WIDTH, __spec__.name)\n")
    (package / "__main__.py").write_text(
        "import sys\nfrom . import WIDTH\nprint('main', sys.argv[1:])\nsys.exit(WIDTH)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run(["run", "--remedy", "epochs=2", "-m", "deep_package.inner.train", "-m", "x"]) == 0
    said = capsys.readouterr().out
    assert "['-m', 'x'] 2 metric" in said
    assert said.splitlines()[-1] == "3 deep_package.inner.train"
    assert run(["run", "-m", "deep_package.inner", "--plain"]) == 3
    said_both = capsys.readouterr()
    assert said_both.out == "main ['--plain']\n"
    assert "no training was seen" in said_both.err
    for name in [name for name in sys.modules if name.startswith("deep_package")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere.py"], "there is no script nowhere.py"),
        (["run", "-m", "no_such.module"], "there is no module no_such.module"),
        (["run", "-m", "json.decoder.nothing"], "there is no module json.decoder.nothing"),
        (["run", "--epochs", "3", "SCRIPT"], "babysit run has no option --epochs"),
        (["run", "--remedy", "lr=fast", "SCRIPT"], "'lr=fast' needs a number"),
        (["run", "--remedy", "hope", "SCRIPT"], "there is no remedy 'hope'"),
        (["run", "--remedy", "epochs=many", "SCRIPT"], "needs a number of epochs"),
        (["run", "--remedy", "linear-output", "SCRIPT"], "come from no activation"),
        (["run", "--overhead", "3", "SCRIPT"], "overhead is 3"),
        (["run", "--ignore", "overfittng", "SCRIPT"], "is not the name of a finding"),
        (["run", "--json=.", "SCRIPT"], "--json . is a folder"),
        (["run"], "SCRIPT"),
    ],
)
def test_bad_input_ends_with_two(
    arguments: list[str], words: str, script: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(script) if one == "SCRIPT" else one for one in arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err.replace("\n", " ")
    assert "metric" not in said.out


def test_options_before_the_script_are_those_of_the_verb() -> None:
    valued, flags = WITH_SCRIPT["run"]
    options = set(inspect.signature(run_verb).parameters) - {"script", "arguments", "module", "json"}
    assert {name.removeprefix("--") for name in (*valued, *flags)} - {"remedy"} == options
    assert apart("run", ["--", "-x.py", "-y"], valued=valued, flags=flags) == ["--", "-x.py", "-y"]
    assert apart("run", ["-m", "a.b", "-m"], valued=valued, flags=flags) == ["-m", "--", "a.b", "-m"]


def test_options_take_several_values_up_to_the_script(tmp_path: pathlib.Path) -> None:
    valued, flags = WITH_SCRIPT["run"]
    script = tmp_path / "train"
    script.touch()
    given = ["--ignore", "overfitting", "diverged", "--remedies", "lr=0.1", "shuffle", str(script), "--ignore", "x"]
    assert apart("run", given, valued=valued, flags=flags) == [*given[:6], "--", *given[6:]]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["fit", "iris", "--json"], ["fit", "iris", "--json=-"]),
        (["fit", "--json", "iris"], ["fit", "--json=-", "iris"]),
        (["fit", "--json", "--plain"], ["fit", "--json=-", "--plain"]),
        (["fit", "iris", "--json", "a.json"], ["fit", "iris", "--json=a.json"]),
        (["fit", "iris", "--json=a.txt"], ["fit", "iris", "--json=a.txt"]),
        (["heal", "a.py", "--", "--json", "b"], ["heal", "a.py", "--", "--json", "b"]),
    ],
)
def test_json_may_have_a_file(given: list[str], meant: list[str]) -> None:
    assert with_json_files(given) == meant


def test_json_alone_on_the_standard_output(script: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--quiet", "--json", str(script)]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["ended"] == "finished"
    assert "metric" in said.err


@pytest.mark.parametrize(("text", "told"), [("x = 1\n", True), ("import sys\nx = '--report' in sys.argv\n", False)])
def test_an_option_behind_the_script_is_the_scripts_and_that_is_said(
    text: str, told: bool, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text(text)
    run(["run", str(tmp_path / "train.py"), "--report", str(tmp_path / "r.html")])
    assert ("--report stands behind" in capsys.readouterr().err) == told
    assert not (tmp_path / "r.html").exists()
