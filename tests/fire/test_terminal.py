"""Names of every kind on their way to a terminal, a page, a file: no code of theirs is obeyed, no secret is told."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from babysit.api import resume, run, tune
from babysit.cli import run as command_line
from babysit.record import (
    Event,
    Finding,
    InputError,
    Row,
    TraceStore,
    hide_arguments,
    printable,
    without_secrets,
)
from babysit.reports import CleanConsole, as_html, as_text, findings_renderable, render_trace_page, write_out
from tests.fire.test_disk import SCRIPT

ESCAPE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\r"
KEY, TOKEN, PASSWORD = "abcdef123456", "sk-" + "a1B2" * 8, "hunter2-and-more"
ROOT = pathlib.Path(__file__).parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def obeyed(text: str) -> list[str]:
    """What a terminal would obey, but for colours and movements of rich's own."""
    own = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text).replace("\n", "").replace("\t", "")
    return [repr(sign) for sign in own if printable(sign) != sign]


def test_a_table_full_of_codes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out, err = Terminal(), Terminal()
    names = [f"col\x9b2J\u202e{place}" for place in range(3)]  # ASCII's own codes are no text, and refused
    rows = "".join(f"{n % 7},{n % 3},class{n % 2}\x9b31m[/red]:smile:\n" for n in range(60))
    file = f"table\x1b[5m{os.getpid()}.csv"
    pathlib.Path(file).write_text(",".join(names) + "\n" + rows)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command_line(["fit", file, "--seconds", "0", "--set", "epochs=1", "--out", "run\x1b[5m"])
        assert command_line(["report", "run\x1b[5m"]) == code
        assert command_line(["predict", "run\x1b[5m", file]) == code
        assert command_line(["evaluate", f"gone{ESCAPE}"]) == 2
    told = out.getvalue() + err.getvalue()
    assert obeyed(told) == []
    assert "\x1b[5m" not in told
    assert code == 0, err.getvalue()
    assert "[/red]:smile:" in told, "what looks like markup is a name"


def test_what_is_not_a_terminal_gets_it_as_it_is() -> None:
    stream = io.StringIO()
    write_out(stream, "a\x1b[31m")
    assert stream.getvalue() == "a\x1b[31m"
    terminal = Terminal()
    write_out(terminal, "a\x1b[31m")
    assert terminal.getvalue() == "a\\x1b[31m"


def test_all_consoles_are_the_clean_one() -> None:
    """One place cleans: nobody makes a console of rich's own, but for text that goes through `printable`."""
    for path in sorted((ROOT / "src/babysit").rglob("*.py")):
        code = re.sub(r"^\s*(>>>|\.\.\.).*$", "", path.read_text(), flags=re.MULTILINE)
        for match in re.finditer(r"(?<!Clean)\bConsole\((.*)\)", code):
            assert path.name in ("_console.py", "_initialisation_report.py"), f"{path}: {match[0]}"


def test_errors_and_findings_are_printable() -> None:
    error = InputError(f"a {ESCAPE} name", legal=ESCAPE, cause=ESCAPE, write=ESCAPE)
    assert obeyed(str(error)) == []
    finding = Finding("inputs-constant", "note", f"layer{ESCAPE}", {f"x{ESCAPE}": ESCAPE}, f"why{ESCAPE}")

    assert obeyed(as_text(findings_renderable([finding]))) == []
    assert obeyed(as_html(findings_renderable([finding]))) == []
    shown = io.StringIO()
    CleanConsole(file=shown).print(f"[bold]{ESCAPE}")
    assert obeyed(shown.getvalue()) == []
    assert "[bold]" in shown.getvalue()


LEAKS = """
import os, sys
key = sys.argv[sys.argv.index("--api-key") + 1]
if "--fail" in sys.argv:
    raise RuntimeError(f"401 for {key} and {os.environ['SERVICE_TOKEN']} by " + os.environ["HARMLESS"])
"""


@pytest.fixture
def leaky(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVICE_TOKEN", PASSWORD)
    monkeypatch.setenv("HARMLESS", TOKEN)
    (tmp_path / "train.py").write_text(LEAKS + SCRIPT)
    return tmp_path


def told_in(folder: pathlib.Path) -> list[str]:
    """Files below a folder that hold a secret, the script's own aside."""
    secrets = [one.encode() for one in (KEY, TOKEN, PASSWORD)]
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "train.py"]
    return [f"{path.name}: {one!r}" for path in files for one in secrets if one in path.read_bytes()]


@pytest.mark.parametrize("fails", [False, True])
def test_secrets_of_a_run_are_told_to_nobody(leaky: pathlib.Path, fails: bool) -> None:
    done = run("train.py", ["--api-key", KEY, *["--fail"] * fails], keep="trace.db")
    assert done.ended == ("failed" if fails else "finished")
    pathlib.Path("answer.json").write_text(done.to_json())
    done.report("page.html")
    assert told_in(leaky) == []
    assert not fails or "401 for *** and *** by ***" in done.to_json()


def test_secrets_of_a_search_are_told_to_nobody(leaky: pathlib.Path) -> None:
    arguments = ["--api-key", KEY, "--lr", "{lr}"]
    small = {"trials": 2, "winners": 1, "generations": 0}
    tuned = tune("train.py", arguments=arguments, space={"lr": [0.1, 0.2]}, out="study", **small)  # type: ignore[arg-type]
    pathlib.Path("answer.json").write_text(tuned.to_json())
    assert told_in(leaky) == []
    content = json.loads((leaky / "study/study.json").read_text())
    assert content["options"]["command"] == ["train.py", "--api-key", "***", "--lr", "{lr}"]

    with pytest.raises(InputError, match="had a secret among its arguments"):
        resume("study")


def test_a_trace_and_a_page_hide_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", PASSWORD)
    with TraceStore(None) as store:
        store.add([Row(0, "train", "", "loss", 1.0), Event(0, "unseen", f"no {PASSWORD} for {TOKEN}")])
        store.describe(facts={"source": f"s3://{PASSWORD}@bucket"})
        store.flush()
        trace = store.read()
    assert trace.events[0].text == "no *** for ***"
    assert PASSWORD not in str(trace.facts)
    finding = Finding("inputs-constant", "note", "inputs", {"name": PASSWORD}, f"a key {TOKEN}")
    page = render_trace_page(trace, [finding])
    assert PASSWORD not in page
    assert TOKEN not in page


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--api-key", "X"], ["--api-key", "***"]),
        (["--api_key=X"], ["--api_key=***"]),
        (["wandb.token=X1"], ["wandb.token=***"]),
        (["-password", "X"], ["-password", "***"]),
        (["--token", "--fast"], ["--token", "--fast"]),
        (["--pad-token", "<pad>", "--max-tokens", "512"], ["--pad-token", "<pad>", "--max-tokens", "512"]),
        (["--tokenizer", "bert", "--key", "value"], ["--tokenizer", "bert", "--key", "value"]),
        (["--author", "Ada", "--secretary=Bo"], ["--author", "Ada", "--secretary=Bo"]),
    ],
)
def test_which_arguments_are_secrets(given: list[str], shown: list[str]) -> None:
    assert hide_arguments(given) == shown


def test_what_is_hidden_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH", "on")
    monkeypatch.setenv("DB_PASSWORD", "enabled")  # a word that others say, too
    assert without_secrets("on and enabled") == "on and enabled"
    assert without_secrets(f"key {TOKEN}, mask-image-of-a-long-name") == "key ***, mask-image-of-a-long-name"
    assert without_secrets({"a": [TOKEN, 3]}) == {"a": ["***", 3]}


JOIN = """
import os, sys
for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE"):
    os.environ.pop(name, None)
os.environ["RAY_AUTH_MODE"] = sys.argv[2]
import ray
ray.init(address=sys.argv[1], log_to_driver=False)
print("joined")
"""
LOCAL = """
import subprocess, sys
from babysit.search import RayEngine
from babysit.data import prepare
from babysit.record import Recipe
engine = RayEngine(prepare(Recipe(), "iris"))
import ray
address = ray.get_runtime_context().gcs_address
for mode in ("token", "disabled"):
    print(subprocess.run([sys.executable, "-c", sys.argv[1], address, mode], capture_output=True, text=True).stdout)
print(ray.get(ray.remote(lambda: "own work").remote()))
ray.shutdown()
"""


@pytest.mark.slow
def test_a_local_ray_cluster_obeys_its_driver_alone() -> None:
    pytest.importorskip("ray")
    command = [sys.executable, "-c", LOCAL, JOIN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    assert "own work" in done.stdout
    assert "joined" not in done.stdout


def test_nothing_of_babysit_listens() -> None:
    """No code of babysit's own opens a port."""
    for path in sorted((ROOT / "src/babysit").rglob("*.py")):
        assert not re.search(
            r"sock\w*\.bind\(|create_server|serve_forever|socketserver|http\.server|uvicorn", path.read_text()
        ), path
