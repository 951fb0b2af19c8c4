"""A patched copy does, run plainly, what the remedies do through `babysit run`."""

from __future__ import annotations

import difflib
import json
import os
import pathlib
import subprocess
import sys

import pytest
import torch

from babysit import run
from babysit.record import InputError, Remedy, silent
from babysit.scripts import Script
from babysit.scripts.patches import Patched, patched, write_patched
from tests.scripts.conftest import PATIENTS

# Patients, the remedies, and by how much a copy's metric may be worse: 0 where each edit is the operation that was
# tried. Another norm before its layer's bias is learned, or a rate that is multiplied, rounds otherwise.
QUICK: dict[str, tuple[str, float]] = {
    "pt-60335387": ("clear-gradients", 0),
    "pt-yangqie": ("call-step optimizer=sgd lr=0.005", 0),
    "so-31880720": ("sigmoid-output epochs=5 dropout=0", 0),
}
SLOW: dict[str, tuple[str, float]] = {
    "at-blob-exp9": ("activation=selu", 0),
    "at-blob-relu15-he": ("activation=selu initialise=he batch-size=64", 0),
    "at-blob-sig11": ("activation=relu insert-batch-norm", 0),
    "dc-cnn-red_soft": ("remove-softmax", 0),
    "dc-cnn-unbalanced": ("class-weights", 0),
    "dc-regr-broadcast": ("match-shapes epochs=20", 0),
    "dc-regr-constant": ("initialise=he epochs=100", 0),
    "dc-regr-over_scaled": ("standardise-targets lr=0.01", 0.002),
    "dcrime-R6": ("initialise dropout=0.2", 0),
    "pt-84911": ("unfreeze shuffle", 0),
    "so-48251943": ("linear-output epochs=300", 0),
    "so-48385830": ("lr=0.3 loss=cross-entropy insert-activation=sigmoid", 0.01),
    "so-48934338": ("lr=0.001", 0.005),
    "so-51181393": ("lr=0.03", 0.001),
    "so-52800582": ("standardise-inputs standardise-targets activation=relu", 0),
    "so-55328966": ("standardise-inputs linear-output insert-activation optimizer=adam lr=0.001", 0.01),
    "umlaut-a2": ("dropout=0.2", 0),
}


def remedies_of(text: str) -> list[Remedy]:
    return [Remedy.parse(one) for one in text.split()]


def metric(output: str) -> float:
    return float(next(line for line in reversed(output.splitlines()) if line.startswith("metric:")).split()[1])


def plainly(path: pathlib.Path) -> str:
    """What a script prints that is run by Python alone."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONWARNINGS": "error"}
    environment["PYTHONPATH"] = str(pathlib.Path(__file__).parents[2] / "src")
    done = subprocess.run([sys.executable, path.name], cwd=path.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compared(name: str, asked: str, worse: float, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = PATIENTS / name / "sick.py"
    remedies = remedies_of(asked)
    copy = tmp_path / "sick_patched.py"
    write_patched(Script(str(script)), remedies, copy)
    capsys.readouterr()
    done = run(script, remedies=remedies, progress=silent)
    assert done.ended == "finished", done.traceback
    tried = metric(capsys.readouterr().out)
    if worse:
        assert metric(plainly(copy)) >= tried - worse
    else:
        assert metric(plainly(copy)) == tried


@pytest.mark.parametrize("name", QUICK)
def test_the_copy_does_what_was_tried(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared(name, *QUICK[name], tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_every_copy_does_what_was_tried(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared(name, *SLOW[name], tmp_path, capsys)


def test_every_patient_that_remedies_heal_is_compared() -> None:
    score = json.loads((PATIENTS / "score.json").read_text())
    assert set(QUICK) | set(SLOW) == {one["id"] for one in score["patients"] if one.get("remedies")}


LEARNS_FROM_TARGETS = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(600, 4)
y = (x[:, 0] > 1.3).long() + (x[:, 1] > 1.5).long()
if {numbers}:
    y = 50 + 30 * x[:, :1]
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1 if {numbers} else 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
loss_of = nn.MSELoss() if {numbers} else nn.CrossEntropyLoss()
for step in range(60):
    rows = slice(step % 20 * 30, step % 20 * 30 + 30)
    loss = loss_of(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"metric: {{float(loss.detach()):.9g}}")
"""


@pytest.mark.parametrize(("remedy", "numbers"), [("class-weights", False), ("standardise-targets", True)])
def test_watching_teaches_a_remedy_nothing(
    remedy: str, numbers: bool, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a watched run computes again to measure it is no batch whose targets a remedy counts once more."""
    (tmp_path / "plain.py").write_text(LEARNS_FROM_TARGETS.format(numbers=numbers))
    (tmp_path / "patched.py").write_text(
        f"import babysit\nbabysit.apply_remedies({remedy!r})\n" + LEARNS_FROM_TARGETS.format(numbers=numbers)
    )
    done = run(tmp_path / "plain.py", remedies=[Remedy.parse(remedy)], progress=silent, overhead=None)
    assert done.ended == "finished", done.traceback
    assert metric(capsys.readouterr().out) == metric(plainly(tmp_path / "patched.py"))


# What is written, and how.

HEAD = "import torch\nfrom torch import nn\nnet = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))\n"


def patch(tmp_path: pathlib.Path, text: str | bytes, asked: str, *arguments: str, name: str = "train.py") -> Patched:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return patched(Script(str(path), arguments), remedies_of(asked))


def changed(before: str, done: Patched) -> list[str]:
    """Lines that are new in the patched text."""
    return [line[2:] for line in difflib.ndiff(before.splitlines(), done.text.splitlines()) if line[:2] == "+ "]


# Sure edits: the remedies, a script, and the lines that are new in it.
SURE: dict[str, tuple[str, str, list[str]]] = {
    "a rate by place": ("lr=0.01", HEAD + "opt = torch.optim.SGD(net.parameters(), 0.1)  # fast\n",
                        ["opt = torch.optim.SGD(net.parameters(), 0.01)  # fast"]),
    "no rate written": ("lr=0.01", HEAD + "opt = torch.optim.Adam(net.parameters())\n",
                        ["opt = torch.optim.Adam(net.parameters(), lr=0.01)"]),
    "a rate by name": ("lr=0.01", HEAD + "RATE = 1e-1\nopt = torch.optim.SGD(net.parameters(), lr=RATE)\n",
                       ["RATE = 0.01"]),
    "a rate that others read, too": (
        "lr=0.01", HEAD + "RATE = 1e-1\nopt = torch.optim.SGD(net.parameters(), lr=RATE)\nother(RATE)\n",
        ["opt = torch.optim.SGD(net.parameters(), lr=0.01)"]),
    "an imported class": (
        "optimizer=adamw", "from torch.optim import Adam as A, SGD\nfrom torch import nn\nnet = nn.Linear(1, 1)\n"
        "opt = SGD(net.parameters(), lr=0.1, momentum=0.5, weight_decay=0.1)\n",
        ["from torch.optim import Adam as A, SGD, AdamW", "opt = AdamW(net.parameters(), lr=0.001, weight_decay=0.1)"]),
    "another decay than the new kind's own": (
        "optimizer=adam lr=0.02", HEAD + "opt = torch.optim.AdamW(net.parameters(), lr=0.1)\n",
        ["opt = torch.optim.Adam(net.parameters(), lr=0.02, weight_decay=0.01)"]),
    "a call over several lines": (
        "weight-decay=0 lr=0.3", HEAD + "opt = torch.optim.SGD(\n    net.parameters(),\n    lr=0.1,  # from the paper\n"
        "    weight_decay=1.0,\n)\n", ["    lr=0.3,  # from the paper", "    weight_decay=0,"]),
    "made in a function": (
        "lr=0.01", HEAD + "def make(model, rate=0.1):\n    return torch.optim.SGD(model.parameters(), lr=rate)\n"
        "opt = make(net)\n", ["def make(model, rate=0.01):"]),
    "made in a function, with a rate": (
        "lr=0.01", HEAD + "def make(model, rate):\n    return torch.optim.SGD(model.parameters(), lr=rate)\n"
        "opt = make(net, rate=0.5)\n", ["opt = make(net, rate=0.01)"]),
    "an option of the command line": (
        "lr=0.01", HEAD + "import argparse\nparser = argparse.ArgumentParser()\n"
        'parser.add_argument("--learning-rate", type=float, default=0.5)\nargs = parser.parse_args()\n'
        "opt = torch.optim.SGD(net.parameters(), lr=args.learning_rate)\n",
        ['parser.add_argument("--learning-rate", type=float, default=0.01)']),
    "epochs from one on": ("epochs=7",
                           "N = 3\nfor epoch in range(1, N + 1):\n    loss.backward()\nprint(N)\n", ["N = 7"]),
    "epochs in numbers": ("epochs=5", "for epoch in range(2, 9):\n    loss.backward()\n",
                          ["for epoch in range(2, 7):"]),
    "tabs": ("clear-gradients", HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
             "for x in data:\n\tloss = net(x).sum()\n\tloss.backward()\n\topt.step()\n", ["\topt.zero_grad()"]),
    "one line": ("clear-gradients clip-norm=2", HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
                 "for x in data: loss = net(x).sum(); loss.backward(); opt.step()\n",
                 ["for x in data: loss = net(x).sum(); opt.zero_grad(); loss.backward(); "
                  "nn.utils.clip_grad_norm_(net.parameters(), 2); opt.step()"]),
    "a loader": ("batch-size=16 shuffle", "from torch.utils.data import DataLoader\nloader = DataLoader(rows, 512)\n",
                 ["loader = DataLoader(rows, 16, shuffle=True)"]),
    "not the loader of the evaluation": (
        "shuffle", HEAD + "from torch.utils.data import DataLoader\ntrain = DataLoader(a, batch_size=8)\n"
        "test = DataLoader(b, batch_size=8)\nfor x, y in train:\n    net(x).sum().backward()\n",
        ["train = DataLoader(a, batch_size=8, shuffle=True)"]),
    "an activation in between": ("activation=gelu", HEAD,
                                 ["net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))"]),
    "normalisation put in": (
        "insert-batch-norm",
        "from torch import nn\nnet = nn.Sequential(\n    nn.Linear(4, 8),\n    nn.ReLU(),  # bent\n"
        "    nn.Linear(8, 1),\n)\n", ["    nn.BatchNorm1d(8),"]),
    "the sign": ("flip-sign", "loss = -net(x).mean()\nloss.backward()\n", ["(-loss).backward()"]),
    "a sign in front of a loss": (
        "flip-sign", "import torch.nn.functional as F\nloss = -F.mse_loss(out, y)\nloss.backward()\n",
        ["loss = F.mse_loss(out, y)"]),
    "a schedule": ("constant-schedule", HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
                   "plan = torch.optim.lr_scheduler.StepLR(opt, 1)\nfor _ in range(3):\n    plan.step()\n",
                   ["    pass"]),
    "a wrong axis": ("softmax-axis",
                     "from torch import nn\nnet = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=0))\n",
                     ["net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))"]),
    "letters of other alphabets": ("lr=0.01",
                                   HEAD + 'print("größer"); opt = torch.optim.SGD(net.parameters(), lr=0.1)  # ä\n',
                                   ['print("größer"); opt = torch.optim.SGD(net.parameters(), lr=0.01)  # ä']),
}  # fmt: skip


@pytest.mark.parametrize("name", SURE)
def test_written_where_it_is_sure(name: str, tmp_path: pathlib.Path) -> None:
    asked, text, lines = SURE[name]
    done = patch(tmp_path, text, asked)
    assert changed(text, done) == lines
    assert done.applied == ()
    assert sorted(one.remedy.name for one in done.written) == sorted(one.name for one in remedies_of(asked))
    shown = done.text.splitlines()
    assert {shown[number - 1] for one in done.written for number in one.lines} <= set(lines)
    compile(done.text, "train.py", "exec")


# What is not sure: it is applied, and the text stays.
UNSURE: dict[str, tuple[str, str]] = {
    "two optimizers": ("lr=0.1", HEAD + "a = torch.optim.SGD(net.parameters(), 1)\n"
                       "b = torch.optim.SGD(net.parameters(), 1)\n"),
    "groups of parameters": (
        "lr=0.1", HEAD + 'opt = torch.optim.SGD([{"params": net.parameters(), "lr": 3}], lr=1)\n'),
    "options from elsewhere": ("lr=0.1", HEAD + "opt = torch.optim.SGD(net.parameters(), **options)\n"),
    "a rate set by hand": ("lr=0.1", HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
                           'for group in opt.param_groups:\n    group["lr"] = 3\n'),
    "a schedule with a rate of its own": (
        "lr=0.1", HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
        "plan = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=3, total_steps=9)\n"),
    "a class of one's own": ("optimizer=adam", "from mine import Best\nopt = Best(net.parameters(), lr=1)\n"),
    "many at a time": ("lr=0.1", HEAD + "for rate in (1, 2):\n    opt = torch.optim.SGD(net.parameters(), lr=rate)\n"),
    "two backward passes": ("clear-gradients", HEAD + "a.backward()\nb.backward()\nopt.step()\n"),
    "gradients gathered": ("clear-gradients", HEAD + "for i, x in enumerate(data):\n    net(x).sum().backward()\n"
                           "    if i % 4 == 3:\n        opt.step()\n"),
    "an activation that is handed on": ("activation=selu", HEAD + "def make(kind=nn.ReLU):\n    return kind()\n"),
    "shares that are compared": (
        "remove-sigmoid", "from torch import nn\nnet = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())\n"
        "criterion = nn.BCELoss()\nloss = criterion(net(x), y)\nloss.backward()\nhit = net(x) > 0.5\n"),
    "elements that are counted": ("insert-batch-norm", HEAD + "last = net[-1]\n"),
    "a sampler": ("shuffle", "from torch.utils.data import DataLoader\nloader = DataLoader(rows, sampler=mine)\n"),
    "no place in the text": ("standardise-inputs", HEAD),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSURE)
def test_applied_where_it_is_not_sure(name: str, tmp_path: pathlib.Path) -> None:
    asked, text = UNSURE[name]
    done = patch(tmp_path, text, asked)
    assert done.written == ()
    assert done.text == f'import babysit\n\nbabysit.apply_remedies("{asked}")\n\n{text}'
    assert [str(one) for one in done.applied] == [asked]


def test_what_belongs_together_is_written_together_or_not_at_all(tmp_path: pathlib.Path) -> None:
    text = HEAD + "from mine import Best\nopt = Best(net.parameters(), lr=1)\nloss.backward()\nopt.step()\n"
    done = patch(tmp_path, text, "clear-gradients optimizer=adam")
    assert [str(one) for one in done.applied] == ["clear-gradients", "optimizer=adam"]


def test_the_module_beside_the_script_may_hold_it_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "other.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n"
    )
    done = patch(tmp_path, "import other\nfrom torch import nn\nnet = nn.Dropout(0.5)\n", "dropout=0")
    assert [str(one) for one in done.applied] == ["dropout=0"]


def test_an_option_that_is_given_is_not_the_default(tmp_path: pathlib.Path) -> None:
    _, text, _ = SURE["an option of the command line"]
    done = patch(tmp_path, text, "lr=0.01", "--learning-rate", "3")
    assert changed(text, done) == ["opt = torch.optim.SGD(net.parameters(), lr=0.01)"]


def test_line_ends_of_windows_stay(tmp_path: pathlib.Path) -> None:
    text = '"""Trains."""\nfrom __future__ import annotations\n' + HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
    text = (text + "for x in data:\n    net(x).sum().backward()\n    opt.step()\n").replace("\n", "\r\n")
    done = patch(tmp_path, text.encode(), "clear-gradients scale-inputs lr=3")
    assert "\n" not in done.text.replace("\r\n", "")
    assert done.text.startswith(
        '"""Trains."""\r\nfrom __future__ import annotations\r\nimport babysit\r\n\r\nbabysit.apply'
    )
    assert {str(one.remedy): one.lines for one in done.written} == {"clear-gradients": (12,), "lr=3": (10,)}
    assert done.text.splitlines()[11] == "    opt.zero_grad()"


def test_a_declared_encoding_stays(tmp_path: pathlib.Path) -> None:
    text = "#!/usr/bin/env python\n# -*- coding: latin-1 -*-\nname = 'größer'\n" + HEAD
    path, copy = tmp_path / "train.py", tmp_path / "copied.py"
    path.write_bytes(text.encode("latin-1"))
    write_patched(Script(str(path)), remedies_of("scale-inputs"), copy)
    lines = copy.read_bytes().decode("latin-1").splitlines()
    assert lines[:3] == ["#!/usr/bin/env python", "# -*- coding: latin-1 -*-", "import babysit"]
    assert "name = 'größer'" in lines


def test_on_top_of_a_decorated_function_and_of_what_is_called_babysit(tmp_path: pathlib.Path) -> None:
    done = patch(tmp_path, "# first\n@once\ndef train():\n    babysit = 3\n", "scale-inputs")
    assert (
        done.text
        == '# first\n__import__("babysit").apply_remedies("scale-inputs")\n\n@once\ndef train():\n    babysit = 3\n'
    )


def test_a_copy_is_never_written_over_the_script_or_somebody_elses_file(tmp_path: pathlib.Path) -> None:
    path, mine = tmp_path / "train.py", tmp_path / "mine.py"
    text = HEAD + "opt = torch.optim.SGD(net.parameters(), 1)\n"
    path.write_text(text)
    mine.write_text("pass\n")
    (tmp_path / "link.py").symlink_to(path)
    script, remedies = Script(str(path)), remedies_of("lr=3")
    for target in (path, tmp_path / "link.py", tmp_path / "." / "train.py"):
        with pytest.raises(InputError, match="never overwrites") as caught:
            write_patched(script, remedies, target)
        assert caught.value.write == str(tmp_path / "train_patched.py")
    with pytest.raises(InputError, match="is not a patched copy"):
        write_patched(script, remedies, mine)
    with pytest.raises(InputError, match="never overwrites"):
        write_patched(script, remedies, tmp_path)  # into a folder goes a file of the script's own name
    with pytest.raises(InputError, match="no folder"):
        write_patched(script, remedies, tmp_path / "nowhere" / "copy.py")
    assert path.read_text() == text
    assert mine.read_text() == "pass\n"
    copy = tmp_path / "train_patched.py"
    write_patched(script, remedies, copy)
    write_patched(script, remedies_of("lr=5"), copy)
    assert "net.parameters(), 5)" in copy.read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.py", "mine.py", "train.py", "train_patched.py"]


@pytest.mark.parametrize(("asked", "told"), [("wider=2", "could not be applied"), ("lr=quick", "needs a number"),
                                             ("epochs=3", "no loop over epochs")])  # fmt: skip
def test_what_cannot_be_patched(asked: str, told: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=told):
        patch(tmp_path, HEAD, asked)


# Applied from within.


def test_remedies_applied_from_within(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "train.py"
    text = (
        HEAD
        + """
import babysit
from babysit.record import InputError
babysit.apply_remedies("optimizer=sgd", "lr=1e30")
try:
    babysit.apply_remedies("lr=1")
except InputError as error:
    print(error.given)
opt = torch.optim.Adam(net.parameters())
for step in range(4):
    loss = net(torch.ones(3, 4)).pow(2).mean()
    loss.backward()
    opt.step()
print(step, loss.isfinite().item(), type(opt).__name__)
"""
    )
    path.write_text(text)
    assert plainly(path).splitlines() == ["remedies are applied already in this process", "3 False SGD"]
