"""Scripts started by forks: the same as started by Python, but for the seconds of the imports."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from babysit.scripts import Runner, RunRequest, Started
from babysit.training import FORKS

pytestmark = pytest.mark.skipif(not FORKS, reason="processes are not forked here")

# What a script can see of how it was started, told in its output.
SEES = """
import __main__, atexit, os, sys, threading, time, json
import helper

class Own:
    def __del__(self):
        print("let go")

own = Own()
left = open(sys.argv[-1], "w")
left.write("never closed")
kept = [open(sys.argv[-1] + "2", "w")]
kept.append(kept)
kept[0].write("in a circle")

def late():
    time.sleep(0.2)
    print("a thread ended")

atexit.register(print, "at the end")
threading.Thread(target=late).start()
print(json.dumps([__name__, __file__, sys.argv, sys.path[0], os.getcwd(), os.environ["TOLD"], helper.VALUE]))
print(__main__.Own is Own, Own.__module__, [path for path in sys.path if path.endswith(("script", "bin"))])
print("to the error stream", file=sys.stderr, flush=True)
sys.stdout.write("no end of line")
"""
ENDS = {
    "well": "print('so')",
    "code": "import sys; print('so'); sys.exit(3)",
    "words": "import sys; sys.exit('no rows')",
    "error": "def wrong():\n    raise ValueError('no rows')\n\nwrong()",
    "no python": "print('so'",
    "interrupted": "raise KeyboardInterrupt",
}


def begun(runner: Runner, arguments: list[str], output: pathlib.Path) -> Started:
    module = arguments[0] == "-m"
    target, *others = arguments[1:] if module else arguments
    return runner.begin(RunRequest(target, tuple(others), module, os.getcwd(), str(output)))


def ended(runner: Runner, arguments: list[str], output: pathlib.Path) -> int:
    """Run one to its end; gives its exit code."""
    started = begun(runner, arguments, output)
    until = time.monotonic() + 60
    while (code := started.poll()) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return code


def plainly(arguments: list[str], output: pathlib.Path, environment: dict[str, str]) -> int:
    with output.open("ab") as file:
        return subprocess.run(
            [sys.executable, *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            check=False,
        ).returncode


def test_a_script_sees_what_it_sees_under_python(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "helper.py").write_text("VALUE = 7\n")
    (folder / "sees.py").write_text(SEES)
    environment = dict(os.environ) | {"TOLD": "so"}
    arguments = ["own/sees.py", "--rate", "0.1", "left"]
    with Runner(environment=environment) as runner:
        assert ended(runner, arguments, tmp_path / "forked") == 0
    left = [tmp_path / "left", tmp_path / "left2"]
    assert [path.read_text() for path in left] == ["never closed", "in a circle"]
    assert plainly(arguments, tmp_path / "plain", environment) == 0
    assert left[0].read_text() == "never closed"
    assert (tmp_path / "forked").read_text() == (tmp_path / "plain").read_text()
    assert '"__main__"' in (tmp_path / "plain").read_text()


@pytest.mark.parametrize("name", [*ENDS])
def test_it_ends_as_under_python(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(ENDS[name])
    environment = dict(os.environ)
    with Runner(environment=environment) as runner:
        code = ended(runner, ["train.py"], tmp_path / "forked")
    if name == "interrupted":
        assert code != 0
        return
    assert code == plainly(["train.py"], tmp_path / "plain", environment)
    forked, plain = (tmp_path / "forked").read_text(), (tmp_path / "plain").read_text()
    assert forked == plain or (name == "no python" and forked.splitlines()[-1] == plain.splitlines()[-1])


def test_a_module_is_run_as_under_python(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__main__.py").write_text("import sys\nprint(__name__, sys.argv, sys.path[0])\n")
    environment = dict(os.environ)
    with Runner(environment=environment) as runner:
        assert ended(runner, ["-m", "own", "-x"], tmp_path / "forked") == 0
    assert plainly(["-m", "own", "-x"], tmp_path / "plain", environment) == 0
    assert (tmp_path / "forked").read_text() == (tmp_path / "plain").read_text()


TRAINS = """
import random, sys
import numpy as np
before = "torch" in sys.modules, "torch._dynamo" in sys.modules
import torch
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net(torch.ones(2, 3)).mean().backward()
optimizer.step()
print(*before, float(net.weight.detach().sum()), random.random(), np.random.rand())
"""


def test_what_the_first_imported_is_there_for_the_next(tmp_path: pathlib.Path) -> None:
    """And streams that nobody has seeded are another each time."""
    script = tmp_path / "train.py"
    script.write_text(TRAINS)
    told = []
    with Runner() as runner:
        for number in range(3):
            assert ended(runner, [str(script)], tmp_path / str(number)) == 0
            told.append((tmp_path / str(number)).read_text().split())
    assert [one[:2] for one in told] == [["False", "False"], ["True", "True"], ["True", "True"]]
    for stream in (2, 3, 4):
        assert len({one[stream] for one in told}) == 3


def gone(process: int) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def number_in(path: pathlib.Path) -> int:
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < until
        time.sleep(0.05)
    return int(path.read_text())


SLEEPS = (
    "import os, time\nchild = os.fork()\nif child == 0:\n    time.sleep(600)\nprint(child, flush=True)\ntime.sleep(600)"
)


@pytest.fixture
def sleeper(tmp_path: pathlib.Path) -> str:
    """A script that tells the number of a process that it forks, and sleeps beside it."""
    script = tmp_path / "train.py"
    script.write_text(SLEEPS)
    return str(script)


def test_what_is_killed_leaves_nothing_behind(sleeper: str, tmp_path: pathlib.Path) -> None:
    with Runner() as runner:
        started = begun(runner, [sleeper], tmp_path / "one")
        child = number_in(tmp_path / "one")
        started.kill()
        assert started.code == -signal.SIGKILL
        assert gone(child)
        started = begun(runner, [sleeper], tmp_path / "two")
        child = number_in(tmp_path / "two")
    assert gone(child), "closing ends all"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_whoever_waits_is_killed(sleeper: str, tmp_path: pathlib.Path, number: signal.Signals) -> None:
    """By kill -9, or by a terminal that is closed: nobody is left who could close anything."""
    waits = f"""
import os, time
from babysit.scripts import Runner, RunRequest
runner = Runner()
started = runner.begin(RunRequest({sleeper!r}, (), False, os.getcwd(), {str(tmp_path / "one")!r}))
while started.poll() is None:
    time.sleep(0.05)
"""
    process = subprocess.Popen([sys.executable, "-c", waits])
    child = number_in(tmp_path / "one")
    process.send_signal(number)
    process.wait()
    assert gone(child)


def test_whoever_forks_is_killed(sleeper: str, tmp_path: pathlib.Path) -> None:
    with Runner() as runner:
        started = begun(runner, [sleeper], tmp_path / "one")
        child = number_in(tmp_path / "one")
        assert runner._server is not None
        runner._server.kill()
        runner._server.wait()
        until = time.monotonic() + 20
        while runner.forks:
            assert started.poll() is None
            assert time.monotonic() < until
        assert gone(child)
        again = number_in(tmp_path / "one")
        assert again != child, "it is begun again, without a fork"
        started.kill()
        assert started.code == -signal.SIGKILL
    assert gone(again)


def test_work_left_to_an_executor_is_done(tmp_path: pathlib.Path) -> None:
    """Its threads wait for work until Python ends."""
    script = tmp_path / "train.py"
    script.write_text(
        "import concurrent.futures, time\n"
        "threads = concurrent.futures.ThreadPoolExecutor(1)\n"
        "threads.submit(lambda: (time.sleep(0.3), print('done')))\n"
    )
    with Runner() as runner:
        assert ended(runner, [str(script)], tmp_path / "one") == 0
    assert (tmp_path / "one").read_text() == "done\n"


@pytest.mark.parametrize("forks", [True, False])
def test_what_takes_too_long_is_killed(forks: bool, sleeper: str, tmp_path: pathlib.Path) -> None:
    with Runner() as runner:
        runner.forks = forks
        request = RunRequest(sleeper, (), False, os.getcwd(), str(tmp_path / "one"), seconds=2.0)
        (started,) = runner.run_all([request])
        assert (started.code, started.late) == (-signal.SIGKILL, True)
        assert gone(number_in(tmp_path / "one"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
def test_a_check_that_is_killed_leaves_nothing(number: signal.Signals, sleeper: str, tmp_path: pathlib.Path) -> None:
    """Also while the server is still importing PyTorch."""
    checks = f"""
from babysit.rehearsal import Ask
from babysit.scripts import Script, ScriptSubject
subject = ScriptSubject(Script({sleeper!r}), jobs=2)
subject.run_all([Ask(), Ask()])
"""
    process = subprocess.Popen([sys.executable, "-c", checks], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not servers(process.pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    found = servers(process.pid)
    time.sleep(0.5)
    process.send_signal(number)
    process.wait()
    assert all(gone(one) for one in found)


def servers(parent: int) -> list[int]:
    """The processes that a process has started."""
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [*map(int, told.stdout.split())]
