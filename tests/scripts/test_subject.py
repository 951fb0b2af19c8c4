"""A script as a Subject: rehearsed as it is, bit for bit, and the user's folder left alone."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable

import pytest

import babysit
from babysit.diseases import diagnose
from babysit.record import InputError, OutOfTimeError, RehearsalError, Remedy, Trace
from babysit.rehearsal import Ask, one_by_one
from babysit.scripts import Runner, Script, ScriptSubject, rehearsed, watching_environment
from babysit.scripts._messages import RunRequest, WatchRequest
from babysit.scripts._sandbox import available
from tests.scripts.conftest import program

Made = Callable[..., ScriptSubject]


def plain_output(path: pathlib.Path) -> str:
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, cwd=path.parent)
    return done.stdout


def test_a_rehearsal_prints_what_a_plain_run_prints(made: Made, tmp_path: pathlib.Path) -> None:
    done = made().run(Ask(probes="all"))
    assert done.answer.how == "finished"
    assert done.output == plain_output(tmp_path / "train.py")


def test_it_ends_after_the_steps_asked_for(made: Made) -> None:
    subject = made()
    assert len(subject.rehearse(7, probes="losses").series("loss").values) == 7
    whole = subject.rehearse(10**9, probes="losses").series("loss").values
    assert len(whole) == 60
    assert whole[:7] == subject.rehearse(7, probes="losses").series("loss").values


def test_another_seed_is_another_training(made: Made) -> None:
    subject = made()
    first, again, other = (subject.rehearse(5, seed=seed, probes="losses").series("loss").values for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_what_no_time_is_left_for_is_left_out(made: Made) -> None:
    found = made().rehearse_all([Ask(12, seed=number, probes="losses") for number in range(5)], seconds=0.0)
    assert not isinstance(found[0], OutOfTimeError)  # the first one is always begun
    assert all(isinstance(one, OutOfTimeError) for one in found[1:])


def test_the_first_of_several_is_looked_at_while_it_runs(made: Made) -> None:
    text = "import time, torch\n" + program(before="opt.zero_grad(); time.sleep(0.2)")
    seen: list[Trace] = []
    whole = made(text).rehearse_all([Ask(12)], look=seen.append)[0]
    assert isinstance(whole, Trace)
    assert seen
    assert 0 < len(seen[0].rows) < len(whole.rows)


BY_HAND = """\
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Linear(4, 1)
for _ in range(40):
    x = torch.randn(32, 4)
    {}
    loss = nn.functional.mse_loss(net(x), x.sum(1, keepdim=True))
    loss.backward()
    for p in net.parameters():
        p.data.add_(-0.05 * p.grad)
"""


@pytest.mark.parametrize(("clear", "found"), [("", True), ("net.zero_grad()", False)])
def test_gradients_that_are_never_cleared_are_seen_where_weights_are_moved_by_hand(
    made: Made, clear: str, found: bool
) -> None:
    trace = made(BY_HAND.format(clear)).rehearse(40, probes="start")
    assert ("gradients-not-cleared" in {one.name for one in diagnose(trace)}) == found


def test_a_training_that_never_steps_ends_by_its_time_limit(made: Made) -> None:
    text = "import time, torch\n" + program(step="time.sleep(0.05)", epochs=1000)
    done = made(text).run(Ask(seconds=1.0))
    assert done.answer.how == "enough"


def test_side_by_side_is_one_after_another(made: Made) -> None:
    subject = made()
    asks = [Ask(9, (Remedy("lr", rate),), probes="losses") for rate in ("0.01", "0.1", "1")]
    side_by_side = list(one_by_one(subject, asks))
    alone = [list(subject.rehearse(9, one.remedies, probes="losses").series("loss").values) for one in asks]
    assert side_by_side == alone


def test_its_answers_are_scored(made: Made) -> None:
    done = made().run(Ask(probes="losses"))
    assert done.answer.score is not None
    name, value = done.answer.score
    assert name == "balanced-accuracy"
    assert value > 0.9
    assert done.answer.evaluated is not None
    assert done.answer.evaluated[0] == "accuracy"
    assert done.answer.evaluated[1] == pytest.approx(float(done.output.split()[-1]), abs=1e-4)
    assert done.trace.series("balanced-accuracy").values == (value,)
    assert done.trace.series("accuracy", phase="validation").values == (done.answer.evaluated[1],)


def test_a_script_that_fails_tells_how_far_it_came(made: Made) -> None:
    subject = made(before="opt.zero_grad()\n        if epoch == 2: raise ValueError('no more')")
    with pytest.raises(RehearsalError, match=r"failed at step 12: ValueError: no more") as raised:
        subject.rehearse(100)
    assert raised.value.trace is not None
    assert len(raised.value.trace.series("loss").values) == 12
    answer = subject.run(Ask()).answer
    assert str(pathlib.Path(babysit.__file__).parent) not in answer.traceback
    assert "train.py" in answer.traceback


def test_a_script_that_hangs_is_ended(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import time, torch\n" + program(before="opt.zero_grad(); time.sleep(0.2)")
    done = made(text).run(Ask(seconds=1.0))
    assert done.answer.how == "enough"
    assert 0 < done.answer.steps < 20


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("no-such-thing", "no-such-thing"),
        ("lr=fast", "needs a number"),
        ("optimizer=newton", "newton"),
        ("loss=nothing", "nothing"),
    ],
)
def test_remedies_that_cannot_be_taken_are_refused(made: Made, remedy: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made().rehearse(3, [Remedy.parse(remedy)])


def test_what_it_writes_stays_out_of_the_folder(made: Made, tmp_path: pathlib.Path) -> None:
    large = tmp_path / "weights.bin"
    large.write_bytes(b"x" * 2**21)
    (tmp_path / "log.txt").write_text("before\n")
    (tmp_path / "runs").mkdir()
    text = program() + textwrap.dedent("""\
        import os, pathlib
        assert open("log.txt").read() == "before\\n" and os.path.getsize("weights.bin") == 2**21
        open("log.txt", "a").write("after\\n")
        open("weights.bin", "r+b").write(b"yyy")
        torch.save(net.state_dict(), "weights.bin")
        torch.save(net.state_dict(), "runs/net.pt")
        pathlib.Path(__file__).with_name("beside.txt").write_text("beside")
        os.remove("log.txt")
        """)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = made(text).run(Ask())
    assert done.answer.how == "finished", done.answer.traceback
    assert done.answer.wrote == ()
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([*before, "train.py"])
    assert (tmp_path / "log.txt").read_text() == "before\n"
    assert large.read_bytes() == b"x" * 2**21


def test_what_an_unprotected_script_writes_elsewhere_is_told(made: Made, runner: Runner) -> None:
    path = pathlib.Path.home() / f"babysit-test-{os.getpid()}.txt"
    try:
        text = program() + f"open({str(path)!r}, 'w').write('there')\n"
        subject = made(text)
        subject.run(Ask())
        assert subject.wrote == set()
        assert not path.exists()
        with ScriptSubject(subject.script, runner=runner, protected=False) as unprotected:
            unprotected.run(Ask())
            assert unprotected.wrote == {str(path.resolve())}
        assert path.exists()
    finally:
        path.unlink(missing_ok=True)


LAYOUT = """
import os, pathlib
here = os.path.dirname(os.path.abspath(__file__))
assert open("../data/rows.txt").read() == open(os.path.join(here, "..", "data", "rows.txt")).read() == "rows"
assert os.getcwd() == here == PROJECT, (os.getcwd(), here)
os.chdir("/")
assert open(os.path.join(os.path.dirname(__file__), "settings.txt")).read() == "lr"
os.chdir(here)
for name in ("linked/best.pt", ".hidden/cache", "venv/pip.cfg", "../data/rows.txt"):
    open(name, "w").write("overwritten")
    assert open(name).read() == "overwritten"
"""


@pytest.mark.skipif(available() != "overlay", reason="this system allows no mount namespace with an overlay")
def test_a_script_finds_everything_where_it_is_and_changes_nothing(tmp_path: pathlib.Path, runner: Runner) -> None:
    project, disk = tmp_path / "project", tmp_path / "disk"
    for folder in (project / ".hidden", project / "venv", tmp_path / "data", disk):
        folder.mkdir(parents=True)
    files = {
        "data/rows.txt": "rows", "project/settings.txt": "lr", "disk/best.pt": "best", "project/.hidden/cache": "cache",
        "project/venv/pip.cfg": "pip",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (project / "linked").symlink_to(disk)
    path = project / "train.py"
    path.write_text(program() + LAYOUT.replace("PROJECT", repr(str(project))))
    with ScriptSubject(Script(str(path)), folder=project, runner=runner) as subject:
        done = subject.run(Ask())
    assert done.answer.how == "finished", done.answer.traceback
    assert {name: (tmp_path / name).read_text() for name in files} == files


def test_where_landlock_alone_holds_the_script_runs_in_a_copy(tmp_path: pathlib.Path) -> None:
    if available() == "none":
        pytest.skip("neither overlays nor Landlock here")
    project, outside = tmp_path / "project", tmp_path / "outside.txt"
    project.mkdir()
    outside.write_text("mine")
    (project / "log.txt").write_text("before")
    text = program() + textwrap.dedent(f"""\
        import tempfile
        open("log.txt", "a").write("after")
        tempfile.NamedTemporaryFile().write(b"x")
        try:
            open({str(outside)!r}, "w")
        except PermissionError:
            print("held")
        """)
    (project / "train.py").write_text(text)
    kept = tmp_path / "kept"
    kept.mkdir()
    output = tmp_path / "output.txt"
    watch = WatchRequest(str(kept), protection="landlock")
    request = RunRequest("train.py", (), False, str(project), str(output), watch)
    with Runner(1, watching_environment()) as runner:
        (started,) = runner.run_all([request])
    done = rehearsed(started)
    assert done.answer.how == "finished", done.answer
    assert "held" in done.output
    assert outside.read_text() == "mine"
    assert (project / "log.txt").read_text() == "before"


def test_a_machine_that_cannot_protect_refuses_and_says_how_to_go_on(made: Made, runner: Runner) -> None:
    subject = made()
    kept = pathlib.Path(tempfile.mkdtemp())
    watch = WatchRequest(str(kept), protection="impossible")
    request = RunRequest(subject.script.target, (), False, str(kept), str(kept / "output.txt"), watch)
    done = rehearsed(runner.run_all([request])[0])
    shutil.rmtree(kept)
    assert done.answer.how == "refused"
    assert "--unprotected" in done.answer.error


def test_an_error_for_want_of_a_network_says_what_gives_one(made: Made) -> None:
    text = program() + "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/weights.pt', timeout=5)\n"
    done = made(text).run(Ask())
    assert done.answer.how == "failed"
    assert "--network" in done.answer.error


def test_arguments_and_modules_beside_it(made: Made, tmp_path: pathlib.Path, runner: Runner) -> None:
    (tmp_path / "settings.py").write_text("LR = 0.25\n")
    subject = made("import sys\nfrom settings import LR\n" + program(lr="LR * float(sys.argv[1])"))
    script = Script(subject.script.target, ("2",))
    with ScriptSubject(script, folder=tmp_path, runner=runner) as given:
        assert given.rehearse(1, probes="losses").series("lr").values == (0.5,)


def test_no_script_is_one_clear_error(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("for\n")
    for path, said in (
        (tmp_path / "none.py", "there is no script"),
        (broken, "is not Python"),
        (tmp_path, "no script"),
    ):
        with pytest.raises(InputError, match=said):
            ScriptSubject(Script(str(path)))


def test_without_forks_a_rehearsal_is_the_same(made: Made, tmp_path: pathlib.Path) -> None:
    forked = made().run(Ask(9, (Remedy("lr", "0.1"),), seed=1, probes="losses"))
    with Runner() as runner:
        runner.forks = False
        with ScriptSubject(Script(str(tmp_path / "train.py")), folder=tmp_path, runner=runner) as alone:
            done = alone.run(Ask(9, (Remedy("lr", "0.1"),), seed=1, probes="losses"))
        assert runner.servers == 0
    assert done.trace.series("loss").values == forked.trace.series("loss").values
    assert (done.answer.how, done.answer.steps) == ("enough", 9)


def test_a_script_that_a_signal_ends_is_tried_without_a_fork_and_told(made: Made, tmp_path: pathlib.Path) -> None:
    subject = made("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with Runner() as runner, ScriptSubject(subject.script, folder=tmp_path, runner=runner) as own:
        with pytest.raises(RehearsalError, match="ended with signal 11"):
            own.rehearse(3)
        assert not runner.forks
