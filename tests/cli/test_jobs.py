"""Jobs in the background: told while they run, stopped, killed, and gone with all that they started."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from babysit.cli import _jobs, run
from babysit.cli._codes import BAD_INPUT, BAD_NEWS, DONE, INTERRUPTED
from babysit.cli._jobs import ASKED, FOLDER, KEPT_DAYS, LOCK, NEWS, BackgroundJob, _forget_old, job, jobs

MARK = "babysit_test_of_jobs"
# It tells that it has begun, trains a little and then waits: killed, it must not wait on.
ENDLESS = f"""
import pathlib, time, torch
net = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
{MARK} = True
for step in range(10**6):
    optimizer.zero_grad()
    net(torch.ones(3, 2)).square().mean().backward()
    optimizer.step()
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path / "jobs"))
    return tmp_path


def begun(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*arguments, "--background", "--json"]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "running"
    return str(told["job"])


def processes_of(folder: pathlib.Path) -> list[int]:
    """Processes that work in a folder, or were begun with its name."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().decode(errors="replace")
            if (str(folder) in words or os.readlink(path / "cwd").startswith(str(folder))) and int(
                path.name
            ) != os.getpid():
                found.append(int(path.name))
    return found


def test_a_job_is_told_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    name = begun(["check", "iris", "--only", "initial-loss"], capsys)
    code = run(["status", name, "--wait", "60", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["code"]) == ("finished", code)
    assert told["answer"]["steps"][0]["name"] == "initial-loss"
    assert any("initial-loss" in line for line in told["news"])
    assert told["next"] == len(told["news"])
    assert "initial-loss" in told["text"]
    assert run(["status", name, "--since", str(told["next"])]) == code
    assert capsys.readouterr().out.startswith(f"{name}: finished")
    assert run(["status", "--json"]) == DONE
    assert [one["job"] for one in json.loads(capsys.readouterr().out)["jobs"]] == [name]
    # Long after its end the next job takes it away.
    long_ago = time.time() - KEPT_DAYS * 86400 - 9
    os.utime(job(name).path / NEWS, (long_ago, long_ago))
    os.utime(job(name).path / ASKED, (long_ago, long_ago))
    _forget_old()
    assert not list(jobs())


def test_a_job_that_is_killed_leaves_nothing_that_runs(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "endless.py").write_text(ENDLESS)
    name = begun(["check", "endless.py", "--seconds", "300"], capsys)
    until = time.monotonic() + 60
    while len(processes_of(folder)) < 3 and time.monotonic() < until:
        time.sleep(0.2)  # the job, the server of its scripts, and the script
    assert job(name).runs
    os.kill(int((job(name).path / LOCK).read_text()), signal.SIGKILL)
    until = time.monotonic() + 20
    while processes_of(folder) and time.monotonic() < until:
        time.sleep(0.2)
    assert not processes_of(folder)
    assert run(["status", name]) == BAD_NEWS
    assert f"{name}: killed" in capsys.readouterr().out


@pytest.mark.slow
def test_a_job_is_stopped(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "endless.py").write_text(ENDLESS)
    name = begun(["check", "endless.py", "--seconds", "300"], capsys)
    until = time.monotonic() + 60
    while len(processes_of(folder)) < 3 and time.monotonic() < until:
        time.sleep(0.2)
    assert run(["status", name, "--stop", "--json"]) == INTERRUPTED
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "stopped"
    assert told["answer"]["interrupted"]
    assert not processes_of(folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "check-000000"], "there is no job 'check-000000'"),
        (["status", "../jobs"], "there is no job"),
        (["status", "--stop"], "no job was named"),
        (["check", "nowhere.py", "--background"], "there is no script nowhere.py"),
        (["check", "nowhere.toml", "--background"], "nowhere.toml"),
        (["explain", "relu", "--background"], "--background"),
        (["check", "iris", "--background", "--seconds", "soon"], "--seconds"),
    ],
    ids=" ".join,
)
def test_bad_input_is_told_at_once(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == BAD_INPUT
    assert words in capsys.readouterr().err
    assert not list(jobs())


STUBBORN = """
import fcntl, os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock.fileno(), False)
if os.fork():
    lock.write(str(os.getpid()))
    lock.flush()
    print("ready", flush=True)
time.sleep(300)
"""


def test_a_job_that_does_not_end_by_itself_is_killed_with_all_of_its_own(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_jobs, "STOP_SECONDS", 0.5)
    path = folder / "jobs" / "check-00beef"
    path.mkdir(parents=True)
    command = [sys.executable, "-c", STUBBORN, str(path / LOCK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            assert BackgroundJob(path).runs
            BackgroundJob(path).stop()
            assert process.wait(10) == -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert not BackgroundJob(path).runs
    assert processes_of(folder) == []
