"""Patched copies in plain PyTorch: rows brought to scale, weights drawn anew, and programs of several files."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from babysit.record import InputError, Remedy
from babysit.scripts import Script
from babysit.scripts.patches import check_copy, patched, write_patched

NET = """\
from torch import nn
import torch.nn.functional as F


class Classifier(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, 16)
        self.last = nn.Linear(16, outputs)
        self.act = nn.Sigmoid()  # as the book has it

    def forward(self, x):
        return F.softmax(self.last(self.act(self.first(x))), dim=1)
"""
TRAIN = """\
import torch
from torch import nn, optim

from net import Classifier

EPOCHS = 3
torch.manual_seed(0)
x = torch.randn(200, 6) * 50 + 300
y = (x.sum(1) > 1800).long()
model = Classifier(6, 2)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=1e-4)
for epoch in range(EPOCHS):
    for rows in torch.randperm(150).split(25):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("accuracy: %.4f" % (model(x[150:]).argmax(1) == y[150:]).float().mean())
"""
ALL = "standardise-inputs initialise=he remove-softmax activation=relu lr=0.3 epochs=30"


def remedies(text: str) -> list[Remedy]:
    return [Remedy.parse(one) for one in text.split()]


@pytest.fixture
def program(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "net.py").write_text(NET)
    path = tmp_path / "train.py"
    path.write_text(TRAIN)
    return path


def run(path: pathlib.Path) -> float:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout.split()[-1])


def test_a_folder_gets_every_file_with_remedies_in_plain_pytorch(program: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "healed"
    done = write_patched(Script(str(program)), remedies(ALL), folder)
    assert done.applied == ()
    assert [one.name for one in done.modules] == ["net.py"]
    text = (folder / "train.py").read_text() + (folder / "net.py").read_text()
    assert "babysit.apply" not in text
    assert "self.act = nn.ReLU()  # as the book has it" in text
    assert "return self.last(self.act(self.first(x)))" in text
    assert "x[:150].mean(0)" in text
    assert done.diff.count("\n--- ") + done.diff.startswith("--- ") == 2
    assert (program.read_text(), (tmp_path / "net.py").read_text()) == (TRAIN, NET)
    assert run(folder / "train.py") > 0.9
    assert run(program) < 0.7
    write_patched(Script(str(program)), remedies("lr=0.5"), folder)  # its own copies may be written again


def test_a_copy_that_would_not_find_its_modules_is_refused(program: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"would not find net\.py"):
        check_copy(Script(str(program)), tmp_path / "other" / "train.py")
    check_copy(Script(str(program)), tmp_path / "train_patched.py")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.py").write_text("my own\n")
    with pytest.raises(InputError, match="is not a patched copy"):
        write_patched(Script(str(program)), remedies("lr=0.5"), tmp_path / "mine")
    assert not (tmp_path / "mine" / "train.py").exists()


ROWS = {
    "a loader of parts": (
        "import torch\nfrom torch import nn\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "x = torch.randn(90, 4)\ny = x.sum(1)\nloader = DataLoader(TensorDataset(x[:60], y[:60]), 10)\n"
        "net = nn.Linear(4, 1)\nfor a, b in loader:\n    loss = net(a).sum()\n    loss.backward()\nnet(x[60:])\n",
        [
            "inputs_mean, inputs_std = x[:60].mean(0), x[:60].std(0).clamp_min(1e-8)",
            "x = (x - inputs_mean) / inputs_std",
        ],
    ),
    "training and test rows apart": (
        "import torch\nfrom torch import nn\na = torch.randn(90, 4)\nb = torch.randn(30, 4)\ny = a.sum(1)\n"
        "net = nn.Linear(4, 1)\nfor i in range(3):\n    loss = net(a[i:i + 9]).sum()\n    loss.backward()\nnet(b)\n",
        [
            "inputs_mean, inputs_std = a.mean(0), a.std(0).clamp_min(1e-8)",
            "a = (a - inputs_mean) / inputs_std",
            "b = (b - inputs_mean) / inputs_std",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_brought_to_scale_by_the_training_rows_numbers(name: str, tmp_path: pathlib.Path) -> None:
    text, lines = ROWS[name]
    path = tmp_path / "train.py"
    path.write_text(text)
    done = patched(Script(str(path)), remedies("standardise-inputs"))
    assert done.applied == ()
    added = [line[1:] for line in done.diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert added == lines
    compile(done.text, "train.py", "exec")


@pytest.mark.parametrize(
    "text",
    [
        # Rows that a function makes for each batch, a data set of its own kind, a tensor that is used between.
        "import torch\nfrom torch import nn\nnet = nn.Linear(4, 1)\nfor i in range(3):\n    a = torch.randn(9, 4)\n"
        "    loss = net(a).sum()\n    loss.backward()\n",
        "import torch\nfrom torch import nn\nfrom torch.utils.data import DataLoader\nfrom mine import Rows\n"
        "loader = DataLoader(Rows(), 10)\nnet = nn.Linear(4, 1)\nfor a, b in loader:\n    loss = net(a).sum()\n"
        "    loss.backward()\n",
        "import torch\nfrom torch import nn\na = torch.randn(90, 4)\ny = a.sum(1)\nb = torch.randn(30, 4)\n"
        "net = nn.Linear(4, 1)\nfor i in range(3):\n    loss = net(a[i:i + 9]).sum()\n    loss.backward()\nnet(b)\n",
    ],
)  # fmt: skip
def test_where_it_is_not_certain_no_text_is_written(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(text)
    done = patched(Script(str(path)), remedies("standardise-inputs"))
    assert done.written == ()
    assert [str(one) for one in done.applied] == ["standardise-inputs"]
