"""Scripts as trials: processes with settings for arguments, scores from what they print."""

import pathlib

import pytest

import babysit
from babysit.record import InputError, Recipe, Study, Trial, TrialProgress
from babysit.scripts._sandbox import available
from babysit.search import ScriptEngine
from babysit.training import FORKS

# A training that no library is needed for: best at a rate of 0.01, the more steps the nearer; rates above 1 fail.
TRAIN = """
import math, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
rate, steps = float(arguments["--rate"]), int(arguments.get("--steps", 9))
assert ("--momentum" in arguments) == (arguments.get("--optimizer") == "sgd")
if rate > 1:
    sys.exit("rate too high")
print("accuracy: 0.1")
print("accuracy:", (1 - math.exp(-steps)) * math.exp(-(math.log10(rate) + 2) ** 2 / 4))
"""
HERE = pathlib.Path(__file__)
ARGUMENTS = ["--rate", "{rate}", "--steps", "{steps}", "--optimizer", "{optimizer}", "--momentum", "{momentum}"]
SPACE = ["rate=1e-6:1e2:log", "optimizer=sgd,adam", "momentum=0:0.9 if optimizer=sgd"]


@pytest.fixture
def script(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "train.py"
    path.write_text(TRAIN)
    return path


def test_a_script_is_searched_and_kept(script: pathlib.Path, tmp_path: pathlib.Path) -> None:
    tuned = babysit.tune(
        script,
        arguments=ARGUMENTS,
        space=SPACE,
        score="accuracy",
        steps=9,
        trials=4,
        generations=2,
        winners=1,
        out=tmp_path / "study",
    )
    assert tuned.result is not None
    assert 1e-4 < float(tuned.best["rate"]) < 1
    assert tuned.result.winners[0].mean > 0.3
    assert any(standing.failed for standing in tuned.study.standings())
    assert all(("momentum" in one.settings) == (one.settings["optimizer"] == "sgd") for one in tuned.study.standings())
    again = babysit.resume(Study(tmp_path / "study"))
    assert again.result is not None
    assert again.result.winners == tuned.result.winners
    assert Study(tmp_path / "study").info.kind == "script"


def test_a_script_is_searched_for_a_time(script: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The runs that measure the script are not part of the Study, and a search that goes on has the same plan."""
    asked = {"arguments": ARGUMENTS, "space": SPACE, "score": "accuracy", "steps": 9, "jobs": 2}
    tuned = babysit.tune(script, **asked, seconds=2.0, winners=1, out=tmp_path / "study")  # type: ignore[arg-type]
    assert tuned.result is not None
    assert tuned.study.info.options["seconds"] == 2.0
    assert max(one.number for one in tuned.study.trials()) < 10_000
    again = babysit.resume(Study(tmp_path / "study"))
    assert again.result is not None
    assert again.result.winners == tuned.result.winners
    for wrong in ({"seconds": 0.0}, {"seconds": 2.0, "trials": 3}):
        with pytest.raises(InputError, match="a search"):
            babysit.tune(script, **asked, **wrong, out=tmp_path / "other")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


def trial(**settings: float) -> list[Trial]:
    return [Trial(0, Recipe(), settings)]


def test_each_trial_may_be_run_for_steps_of_its_own(tmp_path: pathlib.Path) -> None:
    """One at a time, those with most to do first; what stands there already is not run again."""
    log = tmp_path / "log"
    command = ["-c", f"open({str(log)!r}, 'a').write('{{x}}:{{steps}} '); print('accuracy:', {{x}} / 10)"]
    engine = ScriptEngine(command, ["x"], score="accuracy", jobs=1)
    assert engine.side_by_side == 1
    chosen = [Trial(number, Recipe(), {"x": number}) for number in range(4)]
    told: list[TrialProgress] = []
    found = engine.train(chosen, {0: 3, 1: 9, 2: 3, 3: 5}, progress=told.append)
    assert log.read_text() == "1:9 3:5 0:3 2:3 "
    assert {number: (score.step, score.score) for number, score in found.items()} == {
        0: (3, 0.0),
        1: (9, 0.1),
        2: (3, 0.2),
        3: (5, 0.3),
    }
    assert (told[-1].done, told[-1].steps) == (20, 20)
    engine.train(chosen[:2], {0: 9, 1: 5})
    assert log.read_text() == "1:9 3:5 0:3 2:3 0:9 "


def test_a_rung_that_is_interrupted_goes_on(tmp_path: pathlib.Path) -> None:
    """Trials that had ended are not run again, those that failed neither; those under way are."""
    log = tmp_path / "log"
    told = f"import time; open({str(log)!r}, 'a').write('{{x}}:{{steps}} ')"
    code = told + "; 1 / {x}; time.sleep({x} == 2); print('accuracy:', {x} / 10)"
    chosen = [Trial(number, Recipe(), {"x": number}) for number in range(4)]
    first = ScriptEngine(["-c", code], ["x"], score="accuracy", jobs=1)
    found = first.train(chosen, 3, stop=lambda: log.exists() and log.read_text().count(" ") == 3)
    assert [*found] == [0, 1]
    assert found[0].failed
    again = ScriptEngine(["-c", code], ["x"], score="accuracy", jobs=1)
    again.restore(first.state())
    scores = again.train(chosen, 3)
    assert {number: score.score for number, score in scores.items() if number} == {1: 0.1, 2: 0.2, 3: 0.3}
    assert scores[0].failed
    assert log.read_text() == "0:3 1:3 2:3 2:3 3:3 "
    again.restore(b"")  # of a Study of an older version


def test_the_last_line_counts_and_lower_may_be_better() -> None:
    printed = ["-c", "print('loss=0.5'); print('{{}}', 'loss = {x}')"]
    assert ScriptEngine(printed, ["x"], score="loss").train(trial(x=0.25), 1)[0].score == 0.25
    assert ScriptEngine(printed, ["x"], score="loss", lower=True).train(trial(x=0.25), 1)[0].score == -0.25
    nan = ScriptEngine(["-c", "print('loss: nan', {x})"], ["x"], score="loss").train(trial(x=1.0), 1)[0]
    assert nan.failed
    exits = ScriptEngine(["-c", "print('loss: 1'); raise SystemExit({x})"], ["x"], score="loss")
    assert exits.train(trial(x=3), 1)[0].failed


def test_what_failed_says_why(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import sys\nif float(sys.argv[1]) > 1:\n    raise ValueError('no rows')\nprint('accuracy: 1')\n")
    engine = ScriptEngine([str(script), "{x}"], ["x"], score="accuracy", jobs=1)
    engine.train(trial(x=0.5), 1)
    assert [one.setting for one in engine.decisions()] == ["jobs", "protection"]
    engine.train([Trial(number, Recipe(), {"x": 2.0}) for number in (1, 2)], 1)
    told = engine.decisions()[1]
    assert (told.value, told.why) == ("2", "the last with exit code 1: ValueError: no rows")
    engine.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ScriptEngine(["a.py", "{x}"], ["x", "y"], score="s"), "no place for y"),
        (lambda: ScriptEngine(["a.py", "{x}", "{z}"], ["x"], score="s"), "{z} stands for nothing"),
        (lambda: ScriptEngine(["-c", "print({x})"], ["x"], score="acc").train(trial(x=1.0), 1), "printed no acc"),
        (lambda: babysit.tune("nowhere.py", space=["x=0:1"]), "there is no script"),
        (lambda: babysit.tune(HERE, arguments=["{x}", "{steps}"], space=["x=0:1"]), "how many"),
    ],
)
def test_what_does_not_fit_is_refused(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(InputError) as error:
        make()
    assert words in str(error.value)


# A training that takes no arguments at all.
WITHOUT_ARGUMENTS = """
import torch
from torch import nn

torch.manual_seed(0)
rows = torch.randn(256, 4)
answers = (rows.sum(dim=1) > 0).long()
network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(network.parameters(), lr=1e-7)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, answers), batch_size=32, shuffle=True)
for epoch in range(3):
    for inputs, targets in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
print("steps:", len(loader) * (epoch + 1))
print("accuracy:", (network(rows).argmax(dim=1) == answers).float().mean().item())
"""


@pytest.fixture
def without_arguments(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "plain.py"
    path.write_text(WITHOUT_ARGUMENTS)
    return path


def test_a_script_without_arguments_is_searched_by_changes(without_arguments: pathlib.Path) -> None:
    engine = ScriptEngine([str(without_arguments)], ["lr", "batch_size"], score="accuracy", jobs=1, epochs=True)
    assert engine.changed == ["lr", "batch_size"]
    trials = [Trial(0, Recipe(), {"lr": 1e-7, "batch_size": 32}), Trial(1, Recipe(), {"lr": 0.3, "batch_size": 16})]
    scores = engine.train(trials, 4)
    assert scores[1].score > 0.9 > scores[0].score
    steps = ScriptEngine([str(without_arguments)], ["batch-size"], score="steps", jobs=1, epochs=True)
    assert steps.train([Trial(0, Recipe(), {"batch-size": 16})], 5)[0].score == 5 * 256 / 16


def test_changes_that_no_script_takes_are_refused(without_arguments: pathlib.Path, tmp_path: pathlib.Path) -> None:
    def tune(*space: str) -> None:
        babysit.tune(without_arguments, space=space, trials=2, out=tmp_path / "study")

    for space, words in (
        ("heads=1,2", "no place for heads"),
        ("shuffle=1:2", "shuffle is applied or not"),
        ("optimizer=adam,lion", "lion"),
        ("lr=-1:1", "lr"),
    ):
        with pytest.raises(InputError, match=words):
            tune(space)
    assert not (tmp_path / "study").exists()
    without_arguments.write_text("raise SystemExit(2)")
    engine = ScriptEngine([str(without_arguments)], ["lr"], score="accuracy", jobs=1)
    with pytest.raises(InputError, match=r"cannot be run with lr=0\.1"):
        engine.train([Trial(0, Recipe(), {"lr": 0.1})], 1)


@pytest.mark.skipif(not FORKS, reason="processes are not forked here")
def test_what_does_not_stand_a_fork_is_started_otherwise(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import os, signal, sys\n"
        "parent = open(f'/proc/{os.getppid()}/cmdline').read()\n"
        "forked = '_fork_server' in parent and 'RunRequest' not in parent\n"  # else it serves this script alone
        "print('forked', forked, flush=True)\n"
        "if forked and float(sys.argv[1]) > 2:\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n"
        "print('accuracy:', float(sys.argv[1]) + forked / 10)\n"
    )
    engine = ScriptEngine([str(script), "{x}"], ["x"], score="accuracy", jobs=1)
    trials = [Trial(number, Recipe(), {"x": float(number)}) for number in range(5)]
    scores = engine.train(trials, 1)
    assert {number: score.score for number, score in scores.items()} == {0: 0.1, 1: 1.1, 2: 2.1, 3: 3.0, 4: 4.0}
    engine.close()


MEASURED = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
rows = torch.randn(200, 4)
answers = (rows.sum(dim=1) > 0).long()
network = nn.Linear(4, 2)
optimizer = torch.optim.SGD(network.parameters(), lr=float(sys.argv[1]))
for step in range(30):
    optimizer.zero_grad()
    nn.functional.cross_entropy(network(rows[:150]), answers[:150]).backward()
    optimizer.step()
open("weights.txt", "w").write("of one trial")
"""
EVALUATES = """
with torch.no_grad():
    print("right:", (network(rows[150:]).argmax(dim=1) == answers[150:]).float().mean().item())
"""


@pytest.mark.parametrize("evaluates", [True, False])
def test_without_a_printed_score_the_measured_one_counts(
    evaluates: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The score of the last evaluation, else the loss; and what trials write stays in their scratch folders."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "train.py"
    script.write_text(MEASURED + EVALUATES * evaluates)
    engine = ScriptEngine([str(script), "{rate}"], ["rate"], jobs=1)
    rates = (1e-6, 0.5, 1e39)
    trials = [Trial(number, Recipe(), {"rate": rate}) for number, rate in enumerate(rates)]
    slow, good, broken = (score for _, score in sorted(engine.train(trials, 1).items()))
    assert good.score > slow.score
    assert broken.failed
    assert {one.score_name for one in (slow, good)} == {"accuracy" if evaluates else "training loss"}
    assert good.score > 0.9 if evaluates else -0.5 < good.score < 0
    assert "score" in [one.setting for one in engine.decisions()]
    again = ScriptEngine([str(script), "{rate}"], ["rate"], jobs=1)
    again.restore(engine.state())
    assert again.decisions()[1].value == good.score_name
    printed = ScriptEngine([str(script), "{rate}"], ["rate"], score="right", jobs=1)
    assert not (tmp_path / "weights.txt").exists()
    if evaluates:
        assert printed.train(trials[1:2], 1)[1].score == pytest.approx(good.score)
        if available() == "overlay":
            assert not (tmp_path / "weights.txt").exists()
    writing = ScriptEngine([str(script), "{rate}"], ["rate"], score="right", jobs=1, protected=False)
    if evaluates:
        writing.train(trials[1:2], 1)
        assert (tmp_path / "weights.txt").exists(), "as python runs it"
    for one in (engine, again, printed, writing):
        one.close()


def test_a_script_that_trains_nothing_has_no_measured_score(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("print('accuracy: 1')\n")
    engine = ScriptEngine([str(script), "{x}"], ["x"], jobs=1)
    with pytest.raises(InputError, match="no training was seen") as error:
        engine.train(trial(x=1.0), 1)
    assert "--score" in str(error.value)
    engine.close()
